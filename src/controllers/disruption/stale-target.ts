// DisruptionTarget: a pod that was to be disrupted two minutes ago and is not being deleted will not be: its condition says so.
import { getCondition, isTerminal, isTerminating, Pod } from '../../api/index.ts';
import { formatTime, parseTime } from '../../machinery/index.ts';
import { defineController } from '../framework/index.ts';
import { ignoreNotFound } from '../ownership.ts';

const staleAfterMs = 120_000;

/** When the condition is to be taken back, in milliseconds from now; 0 = now; undefined = there is nothing to take back. Pure. */
export function staleInMs(pod: Pod, nowMs: number): number | undefined {
  if (isTerminating(pod) || isTerminal(pod)) return undefined;
  const condition = getCondition(pod, 'DisruptionTarget');
  if (condition?.status !== 'True') return undefined;
  return Math.max(0, (parseTime(condition.lastTransitionTime) ?? 0) + staleAfterMs - nowMs);
}

export const staleTargetController = defineController({
  name: 'stale-pod-disruption',
  reconciles: Pod,
  // Pods that nobody wants to disrupt cost no work.
  when: (_, pod) => getCondition(pod, 'DisruptionTarget')?.status === 'True',
  concurrency: 1,

  build({ clock, lister, client }) {
    const pods = lister(Pod);
    return async function reconcile(key) {
      const pod = pods.get(key);
      if (pod === undefined) return;
      const nowMs = clock.nowMs();
      const waitMs = staleInMs(pod, nowMs);
      if (waitMs === undefined) return;
      if (waitMs > 0) return { requeueAfterMs: waitMs };
      const { name, namespace, uid, resourceVersion, generation } = pod.metadata;
      const condition = {
        type: 'DisruptionTarget',
        status: 'False',
        reason: null,
        message: null,
        lastTransitionTime: formatTime(nowMs),
        observedGeneration: generation,
      };
      await client(Pod)
        .patch({ name, namespace, subresource: 'status' }, 'strategic', {
          metadata: { uid, resourceVersion },
          status: { conditions: [condition] },
        })
        .catch(ignoreNotFound);
      return;
    };
  },
});
