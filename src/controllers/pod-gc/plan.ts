// Which pods nobody will end any more, and which finished ones are too many. Pure.
import { type coreV1, isTerminal, isTerminating, type Node, type Pod } from '../../api/index.ts';
import { outOfServiceTaint } from '../node-lifecycle/plan.ts';

/** A node object may be deleted and made anew by its agent: its pods are given this long. */
export const quarantineMs = 2000;

export interface Removal {
  readonly why: string;
  /** What the pod's last state says of it; undefined = nothing but that it failed. */
  readonly condition?: Omit<coreV1.PodCondition, 'lastTransitionTime'>;
}

export interface GcView {
  readonly pod: Pod;
  /** Of the pod; undefined = it has none, or the node is gone. */
  readonly node: Node | undefined;
  /** How long its node has been away; 0 = it is there. */
  readonly nodeGoneForMs: number | undefined;
}

/** A number: look again after so many milliseconds. undefined = the pod has somebody who ends it. */
export function planRemoval({ pod, node, nodeGoneForMs }: GcView): Removal | number | undefined {
  if (!pod.spec.nodeName)
    return isTerminating(pod) ? { why: 'it was deleted before it had a node' } : undefined;
  if (node === undefined) {
    const leftMs = quarantineMs - (nodeGoneForMs ?? 0);
    return leftMs > 0 ? leftMs : { why: 'its node is gone', condition: nodeGone };
  }
  if (isTerminating(pod) && isOff(node)) return { why: 'its node is out of service' };
  return undefined;
}

const nodeGone = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'DeletionByPodGC',
  message: 'PodGC: node no longer exists',
};

/** Somebody said that the machine is off, and it does not say otherwise. */
export const isOff = ({ spec, status }: Node): boolean =>
  (spec.taints ?? []).some(({ key }) => key === outOfServiceTaint) &&
  !status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');

/** Of too many finished pods those that go: evicted ones first, then the oldest. */
export function planTrim(finished: readonly Pod[], threshold: number): readonly Pod[] {
  const tooMany = finished.length - threshold;
  if (threshold <= 0 || tooMany <= 0) return [];
  return finished.filter(isTerminal).sort(byEvictionAndAge).slice(0, tooMany);
}

function byEvictionAndAge(a: Pod, b: Pod): number {
  const evicted = Number(isEvicted(b)) - Number(isEvicted(a));
  if (evicted !== 0) return evicted;
  const [left, right] =
    a.metadata.creationTimestamp === b.metadata.creationTimestamp
      ? [a.metadata.uid, b.metadata.uid]
      : [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return left < right ? -1 : 1;
}

const isEvicted = ({ status }: Pod): boolean => status?.phase === 'Failed' && status.reason === 'Evicted';
