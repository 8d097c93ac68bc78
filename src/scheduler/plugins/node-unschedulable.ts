// NodeUnschedulable: `kubectl cordon` keeps new pods off a node, except those that tolerate it.
import { tolerates } from '../../api/index.ts';
import { definePlugin, fits } from '../plugin.ts';

const cordoned = 1;
const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

export const nodeUnschedulable = definePlugin<{ tolerated: boolean }>({
  name: 'NodeUnschedulable',
  reasons: ['', 'node(s) were unschedulable'],
  wakeOn: [
    { kind: 'Node', on: 'add' },
    { kind: 'Node', on: 'update' },
  ],
  preFilter: ({ pod }) => ({ tolerated: (pod.spec.tolerations ?? []).some((t) => tolerates(t, taint)) }),
  filter: (state, { unschedulable }) => (unschedulable && !state.tolerated ? cordoned : fits),
});
