// Pod garbage collection: pods whose node is gone, pods that were deleted before they got a node, and too many finished ones.
import { isTerminal, Node, Pod } from '../../api/index.ts';
import { formatTime, isNotFound, keyOf } from '../../machinery/index.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';

/** A node object may be deleted and made anew by its agent: its pods are given this long. */
export const quarantineMs = 2000;

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
      // Only a node that went away matters.
      maps(
        Node,
        ({ metadata: { name } }, lister) =>
          lister(Node).get(name) === undefined ? lister(Pod).byIndex('byNode', name).map(keyOf) : [],
        { when: () => false },
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
        const { nodeName } = pod.spec;
        if (!nodeName) {
          if (pod.metadata.deletionTimestamp !== undefined)
            await remove(pod, 'it was deleted before it had a node');
          return;
        }
        if (nodes.get(nodeName) === undefined) {
          const since = missingSinceMs.get(nodeName) ?? clock.monotonicMs();
          missingSinceMs.set(nodeName, since);
          const left = since + quarantineMs - clock.monotonicMs();
          if (left > 0) return { requeueAfterMs: left };
          await failOrphan(pod);
          await remove(pod, 'its node is gone');
          return;
        }
        if (isTerminal(pod)) await trim(signal);
        return;
      };

      /** The oldest finished pods go when there are more than are kept. */
      async function trim(signal: AbortSignal): Promise<void> {
        const { terminatedPodThreshold: limit } = options;
        // Counting before collecting: this runs for every pod that finishes.
        if (limit <= 0 || pods.size <= limit) return;
        const all = pods.byIndex(finished, '');
        if (all.length <= limit) return;
        const oldest = [...all].sort(byAge).slice(0, all.length - limit);
        for (const pod of oldest) {
          signal.throwIfAborted();
          await remove(pod, 'too many finished pods are kept');
        }
      }

      /** Whoever made the pod learns from its last state that it was no fault of its own. */
      async function failOrphan(pod: Pod): Promise<void> {
        if (isTerminal(pod)) return;
        const { name, namespace, uid } = pod.metadata;
        const condition = {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'DeletionByPodGC',
          message: 'PodGC: node no longer exists',
          lastTransitionTime: formatTime(clock.nowMs()),
        };
        await client(Pod)
          .patch({ name, namespace, subresource: 'status' }, 'strategic', {
            metadata: { uid },
            status: { phase: 'Failed', conditions: [condition] },
          })
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

function byAge({ metadata: a }: Pod, { metadata: b }: Pod): number {
  const [left, right] =
    a.creationTimestamp === b.creationTimestamp ? [a.uid, b.uid] : [a.creationTimestamp, b.creationTimestamp];
  return left < right ? -1 : 1;
}

const ignoreNotFound = (error: unknown): void => {
  if (!isNotFound(error)) throw error;
};
