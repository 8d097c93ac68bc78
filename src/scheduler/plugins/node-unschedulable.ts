// NodeUnschedulable: `kubectl cordon` keeps new pods off a node, except those that tolerate it.
import { Node, tolerates } from '../../api/index.ts';
import { definePlugin, fits, unresolvable, wakeOn } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

const cordoned = 1;
const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

const isTolerated = ({ pod }: PodInfo): boolean =>
  (pod.spec.tolerations ?? []).some((toleration) => tolerates(toleration, taint));

const isOpen = (waiting: PodInfo, node: Node): boolean =>
  node.spec.unschedulable !== true || isTolerated(waiting);

export const nodeUnschedulable = definePlugin<{ tolerated: boolean }>({
  name: 'NodeUnschedulable',
  reasons: ['', unresolvable('node(s) were unschedulable')],
  wakeOn: [wakeOn(Node, 'add', isOpen), wakeOn(Node, 'update', isOpen)],
  preFilter: (pod) => ({ tolerated: isTolerated(pod) }),
  filter: (state, { unschedulable }) => (unschedulable && !state.tolerated ? cordoned : fits),
});
