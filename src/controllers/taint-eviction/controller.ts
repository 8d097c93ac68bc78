// Taint eviction: deletes pods that do not bear a node's NoExecute taints, or have borne them for as long as they said.
import { Node, Pod } from '../../api/index.ts';
import { formatTime, isNotFound } from '../../machinery/index.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';
import { type Eviction, planEvictions } from './plan.ts';

const parallel = 32;

export function taintEvictionController(options: { defaultTolerationSeconds: number }): Controller {
  return defineController({
    name: 'taint-eviction',
    reconciles: Node,
    when: (old, node) => JSON.stringify(old.spec.taints) !== JSON.stringify(node.spec.taints),
    watches: [
      maps(Pod, (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []), {
        when: (old, pod) =>
          old.spec.nodeName !== pod.spec.nodeName || old.spec.tolerations !== pod.spec.tolerations,
      }),
    ],
    concurrency: 4,

    build({ clock, lister, client, event, log }) {
      const nodes = lister(Node);
      const pods = lister(Pod);

      return async function reconcile(name, signal) {
        const node = nodes.get(name);
        if (node === undefined) return;
        const plan = planEvictions(
          node,
          pods.byIndex('byNode', name),
          options.defaultTolerationSeconds,
          clock.nowMs(),
        );
        let next = 0;
        const work = async () => {
          while (next < plan.evict.length && !signal.aborted) await evict(plan.evict[next++]!);
        };
        await Promise.all(Array.from({ length: Math.min(parallel, plan.evict.length) }, work));
        if (plan.wakeInMs !== undefined) return { requeueAfterMs: plan.wakeInMs };
        return;
      };

      async function evict({ pod, force }: Eviction): Promise<void> {
        const { name, namespace, uid } = pod.metadata;
        log.info('evicting pod', { pod: `${namespace}/${name}`, node: pod.spec.nodeName, force });
        event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
        try {
          if (!force) {
            const condition = {
              type: 'DisruptionTarget',
              status: 'True',
              reason: 'DeletionByTaintManager',
              message: 'Taint manager: deleting due to NoExecute taint',
              lastTransitionTime: formatTime(clock.nowMs()),
            };
            await client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', {
              metadata: { uid },
              status: { conditions: [condition] },
            });
          }
          await client(Pod).delete(name, namespace, {
            preconditions: { uid },
            ...(force && { gracePeriodSeconds: 0 }),
          });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
    },
  });
}
