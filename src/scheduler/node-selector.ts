// What a pod requires of its node, compiled once and kept: waiting pods are asked for it again and again.
import { compileNodeRequirements, type NodeTest, type Pod } from '../api/index.ts';

const known = new WeakMap<Pod, NodeTest | null>();

/** nodeSelector and required affinity; null = nothing. */
export function requiredOfNode(pod: Pod): NodeTest | null {
  let found = known.get(pod);
  if (found === undefined) known.set(pod, (found = compileRequired(pod)));
  return found;
}

function compileRequired({ spec }: Pod): NodeTest | null {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const asksNothing = required === undefined && Object.keys(spec.nodeSelector ?? {}).length === 0;
  return asksNothing ? null : compileNodeRequirements(spec);
}
