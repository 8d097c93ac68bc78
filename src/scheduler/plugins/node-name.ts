// NodeName: a pod that names its node goes there or nowhere. (Such pods are usually bound already and never come here.)
import { Node } from '../../api/index.ts';
import { definePlugin, fits, unresolvable, wakeOn } from '../plugin.ts';

const otherNode = 1;

export const nodeName = definePlugin<string>({
  name: 'NodeName',
  reasons: ['', unresolvable("node(s) didn't match the requested node name")],
  wakeOn: [wakeOn(Node, 'add', ({ pod }, node) => pod.spec.nodeName === node.metadata.name)],
  preFilter: ({ pod }) =>
    pod.spec.nodeName === undefined || pod.spec.nodeName === '' ? undefined : pod.spec.nodeName,
  filter: (wanted, node) => (node.name === wanted ? fits : otherNode),
});
