// Taint eviction: deletes pods that do not bear a node's NoExecute taints, or have borne them for as long as they said.
import { type coreV1, Node, Pod } from '../../api/index.ts';
import { formatTime, isNotFound, parseTime, semanticEqual } from '../../machinery/index.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';
import { type Eviction, planEvictions, type Since } from './plan.ts';

const parallel = 32;

export function taintEvictionController(options: { defaultTolerationSeconds: number }): Controller {
  return defineController({
    name: 'taint-eviction',
    reconciles: Node,
    when: (old, node) => !semanticEqual(old.spec.taints, node.spec.taints),
    watches: [
      maps(Pod, (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []), {
        when: (old, pod) =>
          old.spec.nodeName !== pod.spec.nodeName ||
          !semanticEqual(old.spec.tolerations, pod.spec.tolerations),
      }),
    ],
    concurrency: 4,

    build({ clock, lister, client, event, log }) {
      const nodes = lister(Node);
      const pods = lister(Pod);
      const seen = new Map<string, ReadonlyMap<string, number>>();

      /** A taint without a time, as `kubectl taint` sets it, counts from when it was first seen. */
      function noExecuteTaints(node: Node): readonly Since[] {
        const { name } = node.metadata;
        const before = seen.get(name);
        const now = new Map<string, number>();
        const out: Since[] = [];
        for (const taint of node.spec.taints ?? []) {
          if (taint.effect !== 'NoExecute') continue;
          const id = idOf(taint);
          const sinceMs = parseTime(taint.timeAdded) ?? before?.get(id) ?? clock.nowMs();
          now.set(id, sinceMs);
          out.push({ taint, sinceMs });
        }
        if (out.length > 0) seen.set(name, now);
        else seen.delete(name);
        return out;
      }

      return async function reconcile(name, signal) {
        const node = nodes.get(name);
        if (node === undefined) {
          seen.delete(name);
          return;
        }
        const taints = noExecuteTaints(node);
        if (taints.length === 0) return;
        const { defaultTolerationSeconds } = options;
        const plan = planEvictions({
          ready: node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
          taints,
          pods: pods.byIndex('byNode', name),
          defaultTolerationSeconds,
          nowMs: clock.nowMs(),
        });
        let next = 0;
        const work = async () => {
          while (next < plan.evict.length && !signal.aborted) await evict(plan.evict[next++]!);
        };
        await Promise.all(Array.from({ length: Math.min(parallel, plan.evict.length) }, work));
        return plan.wakeInMs === undefined ? undefined : { requeueAfterMs: plan.wakeInMs };
      };

      async function evict({ pod, force }: Eviction): Promise<void> {
        const { name, namespace, uid, generation } = pod.metadata;
        log.info('evicting pod', { pod: `${namespace}/${name}`, node: pod.spec.nodeName, force });
        event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
        try {
          // A pod that is removed at once has no time to show a condition.
          if (!force) {
            const condition = {
              type: 'DisruptionTarget',
              status: 'True',
              reason: 'DeletionByTaintManager',
              message: 'Taint manager: deleting due to NoExecute taint',
              lastTransitionTime: formatTime(clock.nowMs()),
              observedGeneration: generation,
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

const idOf = ({ key, value = '' }: coreV1.Taint): string => `${key}=${value}`;
