// NodeUnschedulable: `kubectl cordon` keeps new pods off a node, except those that tolerate it.
import { Node, tolerates } from '../../api/index.ts';
import { definePlugin, fits, unresolvable, wakeOn } from '../plugin.ts';

const cordoned = 1;
const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

export const nodeUnschedulable = definePlugin<{ tolerated: boolean }>({
  name: 'NodeUnschedulable',
  reasons: ['', unresolvable('node(s) were unschedulable')],
  wakeOn: [wakeOn(Node, 'add'), wakeOn(Node, 'update')],
  preFilter: ({ pod }) => ({ tolerated: (pod.spec.tolerations ?? []).some((t) => tolerates(t, taint)) }),
  filter: (state, { unschedulable }) => (unschedulable && !state.tolerated ? cordoned : fits),
});
