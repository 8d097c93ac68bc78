// TaintToleration: nodes keep off pods that do not bear their taints; taints that only prefer lower the score.
import { type coreV1, Node, tolerates } from '../../api/index.ts';
import { definePlugin, fits, wakeOn } from '../plugin.ts';

type Taint = coreV1.Taint;
type Toleration = coreV1.Toleration;

interface State {
  readonly tolerations: readonly Toleration[];
}

const untolerated = 1;

function bears(tolerations: readonly Toleration[], taint: Taint): boolean {
  for (const toleration of tolerations) if (tolerates(toleration, taint)) return true;
  return false;
}

export const taintToleration = definePlugin<State>({
  name: 'TaintToleration',
  reasons: ['', 'node(s) had untolerated taint(s)'],
  weight: 3,
  wakeOn: [wakeOn(Node, 'add'), wakeOn(Node, 'update')],
  preFilter: ({ pod }) => ({ tolerations: pod.spec.tolerations ?? [] }),
  filter({ tolerations }, { taints }) {
    for (const taint of taints)
      if (taint.effect !== 'PreferNoSchedule' && !bears(tolerations, taint)) return untolerated;
    return fits;
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
