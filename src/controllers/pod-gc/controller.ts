// Pod garbage collection: pods whose node is gone or off, pods that were deleted before they got a node, and too many finished ones.
import { isTerminal, isTerminating, Node, Pod } from '../../api/index.ts';
import { formatTime, isNotFound, keyOf } from '../../machinery/index.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';
import { isOff, planRemoval, planTrim, type Removal } from './plan.ts';

const finished = 'finished';

export function podGcController(options: { terminatedPodThreshold: number }): Controller {
  return defineController({
    name: 'pod-gc',
    reconciles: Pod,
    when: (old, pod) =>
      old.metadata.deletionTimestamp !== pod.metadata.deletionTimestamp ||
      old.spec.nodeName !== pod.spec.nodeName ||
      old.status?.phase !== pod.status?.phase,
    watches: [
      // Only a node that went away, or went out of service, matters.
      maps(
        Node,
        (node, lister) => {
          const { name } = node.metadata;
          const pods = lister(Pod).byIndex('byNode', name);
          if (lister(Node).get(name) === undefined) return pods.map(keyOf);
          return isOff(node) ? pods.filter(isTerminating).map(keyOf) : [];
        },
        { when: (old, node) => isOff(node) && !isOff(old) },
      ),
    ],
    concurrency: 4,

    build({ clock, informer, client, log }) {
      const pods = informer(Pod);
      const nodes = informer(Node);
      pods.addIndex(finished, (pod) => (isTerminal(pod) ? [''] : []));
      const missingSinceMs = new Map<string, number>();
      nodes.onChange({ added: ({ metadata }) => missingSinceMs.delete(metadata.name) });

      return async function reconcile(key, signal) {
        const pod = pods.get(key);
        if (pod === undefined) return;
        const removal = planRemoval({ pod, node: nodeOf(pod), nodeGoneForMs: goneForMs(pod) });
        if (typeof removal === 'number') return { requeueAfterMs: removal };
        if (removal !== undefined) {
          await fail(pod, removal);
          await remove(pod, removal.why);
        } else if (isTerminal(pod)) await trim(signal);
        return;
      };

      function nodeOf({ spec }: Pod): Node | undefined {
        return spec.nodeName ? nodes.get(spec.nodeName) : undefined;
      }

      /** Since when a node is missed is not known before somebody looks. */
      function goneForMs(pod: Pod): number | undefined {
        const { nodeName } = pod.spec;
        if (!nodeName || nodes.get(nodeName) !== undefined) return undefined;
        const now = clock.monotonicMs();
        const since = missingSinceMs.get(nodeName) ?? now;
        missingSinceMs.set(nodeName, since);
        return now - since;
      }

      /** Finished pods go when there are more than are kept. */
      async function trim(signal: AbortSignal): Promise<void> {
        const { terminatedPodThreshold: limit } = options;
        // Counting before collecting: this runs for every pod that finishes.
        if (limit <= 0 || pods.size <= limit) return;
        for (const pod of planTrim(pods.byIndex(finished, ''), limit)) {
          signal.throwIfAborted();
          await remove(pod, 'too many finished pods are kept');
        }
      }

      /** Whoever made the pod learns from its last state that it did not end by itself. */
      async function fail(pod: Pod, { condition }: Removal): Promise<void> {
        if (isTerminal(pod)) return;
        const { name, namespace, uid, generation: observedGeneration } = pod.metadata;
        const lastTransitionTime = formatTime(clock.nowMs());
        const status = {
          phase: 'Failed',
          ...(condition !== undefined && {
            conditions: [{ ...condition, lastTransitionTime, observedGeneration }],
          }),
        };
        await client(Pod)
          .patch({ name, namespace, subresource: 'status' }, 'strategic', { metadata: { uid }, status })
          .catch(ignoreNotFound);
      }

      async function remove(pod: Pod, why: string): Promise<void> {
        const { name, namespace, uid } = pod.metadata;
        log.info('removing pod', { pod: `${namespace}/${name}`, why });
        await client(Pod)
          .delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } })
          .catch(ignoreNotFound);
      }
    },
  });
}

const ignoreNotFound = (error: unknown): void => {
  if (!isNotFound(error)) throw error;
};
