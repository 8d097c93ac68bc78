// NodePorts: two pods cannot hold the same host port of one node. A port on all addresses clashes with that port on any.
import { Node, Pod } from '../../api/index.ts';
import type { NodeInfo } from '../node-info.ts';
import { definePlugin, fits, wakeOn } from '../plugin.ts';
import { podInfo } from '../pod-info.ts';

const taken = 1;

function clashes(wanted: string, node: NodeInfo): boolean {
  if (node.hostPorts.has(wanted)) return true;
  const mark = wanted.indexOf('@');
  if (mark >= 0) return node.hostPorts.has(wanted.slice(0, mark));
  for (const used of node.hostPorts.keys()) if (used.startsWith(`${wanted}@`)) return true;
  return false;
}

export const nodePorts = definePlugin<readonly string[]>({
  name: 'NodePorts',
  reasons: ['', "node(s) didn't have free ports for the requested pod ports"],
  wakeOn: [wakeOn(Pod, 'delete', (_, pod) => podInfo(pod).hostPorts !== null), wakeOn(Node, 'add')],
  preFilter: ({ hostPorts }) => hostPorts ?? undefined,
  filter(wanted, node) {
    if (node.hostPorts.size === 0) return fits;
    for (const port of wanted) if (clashes(port, node)) return taken;
    return fits;
  },
});
