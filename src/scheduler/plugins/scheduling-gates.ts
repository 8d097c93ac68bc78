// SchedulingGates: a pod is not tried before everybody who put a gate on it has removed it.
import { isGated } from '../../api/index.ts';
import { definePlugin } from '../plugin.ts';

export const schedulingGates = definePlugin({
  name: 'SchedulingGates',
  gate: ({ pod }) =>
    isGated(pod)
      ? `waiting for scheduling gates: [${pod.spec.schedulingGates!.map(({ name }) => name).join(' ')}]`
      : undefined,
});
