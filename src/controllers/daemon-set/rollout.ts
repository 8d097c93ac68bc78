// One step of a DaemonSet's rolling update: which old pods may go, and which nodes may have a new one beside the old. Pure.
//
// Without a surge: an old pod that does not serve goes at once; one that serves goes while fewer than maxUnavailable nodes are without
// service. With a surge: a node whose old pod does not serve gets a new one at once; of the others, maxSurge at a time; an old pod goes
// when the new one beside it serves.
import { isTerminating, type Pod } from '../../api/index.ts';
import { scaled } from '../int-or-percent.ts';
import type { DaemonSetState, NodeState } from './state.ts';

export interface RolloutStep {
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
}

interface Updated {
  readonly newPod: Pod | undefined;
  readonly oldPod: Pod | undefined;
}

/** undefined = there are more than one of a sort: they are cleared away first. */
function updatedOn(state: DaemonSetState, { pods }: NodeState): Updated | undefined {
  let newPod: Pod | undefined;
  let oldPod: Pod | undefined;
  for (const pod of pods) {
    if (isTerminating(pod)) continue;
    if (state.isNew(pod)) {
      if (newPod !== undefined) return undefined;
      newPod = pod;
    } else {
      if (oldPod !== undefined) return undefined;
      oldPod = pod;
    }
  }
  return { newPod, oldPod };
}

/** Both as numbers of nodes, percentages rounded up; never both zero. */
export function limits({ set, states }: Pick<DaemonSetState, 'set' | 'states'>) {
  const desired = states.filter((node) => node.shouldRun).length;
  const { maxSurge = 0, maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const surge = scaled(maxSurge, desired, 'up');
  const unavailable = scaled(maxUnavailable, desired, 'up');
  return { desired, maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : unavailable };
}

export function planRollout(state: DaemonSetState): RolloutStep {
  const { desired, maxSurge, maxUnavailable } = limits(state);
  return maxSurge === 0 ? replacing(state, maxUnavailable) : surging(state, { desired, maxSurge });
}

function replacing(state: DaemonSetState, maxUnavailable: number): RolloutStep {
  const broken: Pod[] = [];
  const serving: Pod[] = [];
  let unavailable = 0;
  for (const node of state.states) {
    if (!node.shouldRun && node.pods.length === 0) continue;
    const found = updatedOn(state, node);
    const { newPod, oldPod } = found ?? {};
    const one = newPod === undefined ? oldPod : oldPod === undefined ? newPod : undefined;
    // Nobody here, or too many: another run sees to it.
    if (one === undefined) unavailable++;
    else if (one === newPod) {
      if (!state.isAvailable(one)) unavailable++;
    } else if (state.isAvailable(one)) serving.push(one);
    else {
      broken.push(one);
      unavailable++;
    }
  }
  const room = Math.max(0, maxUnavailable - unavailable);
  return { create: [], remove: [...broken, ...serving.slice(0, room)] };
}

function surging(
  state: DaemonSetState,
  { desired, maxSurge }: { readonly desired: number; readonly maxSurge: number },
): RolloutStep {
  const remove: Pod[] = [];
  const atOnce: string[] = [];
  const candidates: string[] = [];
  /** They serve, but their node is not one of ours any more. */
  const retiring: Pod[] = [];
  let surge = 0;
  let available = 0;
  for (const node of state.states) {
    const found = updatedOn(state, node);
    if (found === undefined) {
      surge++;
      continue;
    }
    const { newPod, oldPod } = found;
    const senior = oldPod ?? newPod;
    if (senior !== undefined && state.isAvailable(senior)) available++;
    if (oldPod === undefined) continue;
    if (newPod !== undefined) {
      if (state.isAvailable(newPod)) remove.push(oldPod);
      else surge++;
    } else if (!state.isAvailable(oldPod)) {
      if (node.shouldRun) atOnce.push(node.name);
      else remove.push(oldPod);
    } else if (node.shouldRun) candidates.push(node.name);
    else retiring.push(oldPod);
  }
  // Who asks for a surge wants nothing lost: what serves on a retiring node stays until its place is taken elsewhere.
  remove.push(...retiring.slice(0, Math.max(0, available - desired)));
  return { create: [...atOnce, ...candidates.slice(0, Math.max(0, maxSurge - surge))], remove };
}
