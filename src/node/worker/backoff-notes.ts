// Tells people that a container waits out its crash back-off: as its waiting reason, and once an event.
import type { Pod } from '../../api/index.ts';
import type { PodPlan } from '../plan/pod-plan.ts';
import type { Waiting } from '../plan/pod-status.ts';
import { humanSpan } from '../span.ts';
import type { NodeContext } from './node-context.ts';
import { crashKey } from './start-pod.ts';

export function noteBackoff(
  node: NodeContext,
  at: { readonly pod: Pod; readonly waiting: Map<string, Waiting>; readonly plan: PodPlan },
): void {
  const { pod, waiting, plan } = at;
  for (const { name } of plan.inBackoff) {
    const container = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find(
      (c) => c.name === name,
    )!;
    const delay = humanSpan(node.crash.delayMs(crashKey(pod, container)));
    const podName = `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
    if (waiting.get(name)?.reason !== 'CrashLoopBackOff')
      node.event(pod, 'Warning', {
        reason: 'BackOff',
        message: `Back-off restarting failed container ${name} in pod ${podName}`,
        container,
      });
    waiting.set(name, {
      reason: 'CrashLoopBackOff',
      message: `back-off ${delay} restarting failed container=${name} pod=${podName}`,
    });
  }
}
