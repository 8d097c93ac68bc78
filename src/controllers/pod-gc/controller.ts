// Pod garbage collection: pods whose node is gone, pods that were deleted before they got a node, and too many finished ones.
import { Node, Pod } from '../../api/index.ts';
import { isNotFound } from '../../machinery/index.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';

/** A node object may be deleted and made anew by its agent: its pods are given this long. */
const quarantineMs = 2000;

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
        (node, lister) =>
          lister(Node).get(node.metadata.name) === undefined
            ? lister(Pod)
                .byIndex('byNode', node.metadata.name)
                .map((p) => `${p.metadata.namespace}/${p.metadata.name}`)
            : [],
        {
          when: () => false,
        },
      ),
    ],
    concurrency: 4,

    build({ clock, lister, informer, client, log, event }) {
      const pods = informer(Pod);
      const nodes = lister(Node);
      const missingSinceMs = new Map<string, number>();
      const finished = 'finished';
      pods.addIndex(finished, (pod) => (isFinished(pod) ? [''] : []));

      return async function reconcile(key) {
        const pod = pods.get(key);
        if (pod === undefined) return;
        const { nodeName } = pod.spec;
        if (nodeName === undefined || nodeName === '') {
          if (pod.metadata.deletionTimestamp !== undefined)
            await remove(pod, 'it was deleted before it had a node');
          return;
        }
        if (nodes.get(nodeName) === undefined) {
          const since = missingSinceMs.get(nodeName) ?? clock.monotonicMs();
          missingSinceMs.set(nodeName, since);
          const left = since + quarantineMs - clock.monotonicMs();
          if (left > 0) return { requeueAfterMs: left };
          event(pod, 'Normal', 'DeletingNode', `Deleting pod because node ${nodeName} does not exist`);
          await remove(pod, 'its node is gone');
          return;
        }
        missingSinceMs.delete(nodeName);
        if (isFinished(pod)) await trim();
        return;
      };

      async function trim(): Promise<void> {
        const all = pods.byIndex(finished, '');
        const excess = all.length - options.terminatedPodThreshold;
        if (options.terminatedPodThreshold <= 0 || excess <= 0) return;
        const oldest = [...all]
          .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))
          .slice(0, excess);
        for (const pod of oldest) await remove(pod, 'too many finished pods are kept');
      }

      async function remove(pod: Pod, why: string): Promise<void> {
        const { name, namespace, uid } = pod.metadata;
        log.info('removing pod', { pod: `${namespace}/${name}`, why });
        try {
          await client(Pod).delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
    },
  });
}

const isFinished = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';
