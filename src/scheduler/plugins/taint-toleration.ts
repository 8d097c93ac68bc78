// TaintToleration: nodes keep off pods that do not bear their taints; taints that only prefer lower the score.
import { type coreV1, Node } from '../../api/index.ts';
import { bears, bearsAll } from '../node-info.ts';
import { definePlugin, fits, unresolvable, wakeOn } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

type Toleration = coreV1.Toleration;

interface State {
  readonly tolerations: readonly Toleration[];
}

const untolerated = 1;

const isBorne = ({ pod }: PodInfo, node: Node): boolean =>
  bearsAll(pod.spec.tolerations ?? [], node.spec.taints ?? []);

export const taintToleration = definePlugin<State>({
  name: 'TaintToleration',
  reasons: ['', unresolvable('node(s) had untolerated taint(s)')],
  weight: 3,
  wakeOn: [wakeOn(Node, 'add', isBorne), wakeOn(Node, 'update', isBorne)],
  preFilter: ({ pod }) => ({ tolerations: pod.spec.tolerations ?? [] }),
  filter({ tolerations }, node) {
    if (node.taints.length === 0) return fits;
    return node.isBorneBy(tolerations) ? fits : untolerated;
  },
  /** How many preferences against it the pod does not bear. */
  score({ tolerations }, { taints }) {
    let count = 0;
    for (const taint of taints)
      if (taint.effect === 'PreferNoSchedule' && !bears(tolerations, taint)) count++;
    return count;
  },
  normalize: 'lowest',
});
