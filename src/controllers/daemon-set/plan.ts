// What a DaemonSet needs next: nodes that lack a pod, pods that are too many or out of date, and its status. Pure, and linear in the
// number of nodes and pods.
import { type DaemonSet, isReady, isTerminal, isTerminating, type Pod } from '../../api/index.ts';
import { nextAvailableInMs } from '../pod-facts.ts';
import { planRollout } from './rollout.ts';
import { type DaemonSetState, type DaemonSetView, sorted } from './state.ts';
import { planStatus } from './status.ts';

/** Never creates or deletes more than this in one go, as Kubernetes. */
export const burst = 250;

export interface Ended {
  readonly pod: Pod;
  readonly nodeName: string;
}

export interface DaemonSetPlan {
  /** Names of the nodes that get a pod. */
  readonly create: readonly string[];
  /** With those that failed or succeeded. */
  readonly remove: readonly Pod[];
  readonly failed: readonly Ended[];
  readonly succeeded: readonly Ended[];
  readonly status: NonNullable<DaemonSet['status']>;
  /** When something is to be done without any further change. */
  readonly wakeInMs: number | undefined;
}

export function planDaemonSet(view: DaemonSetView): DaemonSetPlan {
  const { set, pods, nowMs } = view;
  const state = sorted(view);
  const first = manage(state);
  // An update waits until every node has what it should have.
  const isManaged = first.create.length + first.remove.length === 0;
  const isRolling = set.spec.updateStrategy?.type !== 'OnDelete';
  const next = isManaged && isRolling ? planRollout(state) : first;
  const waits = [first.wakeInMs, nextAvailableInMs(pods, set.spec.minReadySeconds ?? 0, nowMs)];
  const soonest = Math.min(...waits.filter((ms) => ms !== undefined));
  return {
    create: next.create.slice(0, burst),
    remove: next.remove.slice(0, burst),
    failed: first.failed,
    succeeded: first.succeeded,
    status: planStatus(state),
    wakeInMs: Number.isFinite(soonest) ? soonest : undefined,
  };
}

/** A pod where there should be one, none where there should not, and not two. */
function manage(state: DaemonSetState) {
  const create: string[] = [];
  const remove: Pod[] = [...state.strays];
  const failed: Ended[] = [];
  const succeeded: Ended[] = [];
  let wakeInMs: number | undefined;
  for (const { name, pods, shouldRun, mayStay } of state.states) {
    if (shouldRun && pods.length === 0) {
      create.push(name);
      continue;
    }
    if (pods.length === 0) continue;
    const present = pods.filter((pod) => !isTerminating(pod));
    if (!mayStay) {
      remove.push(...present);
      continue;
    }
    const running: Pod[] = [];
    for (const pod of present) {
      if (!isTerminal(pod)) running.push(pod);
      else if (pod.status?.phase === 'Succeeded') succeeded.push({ pod, nodeName: name });
      else {
        const waitMs = state.failedForMs(name);
        if (waitMs <= 0) failed.push({ pod, nodeName: name });
        else wakeInMs = Math.min(wakeInMs ?? waitMs, waitMs);
      }
    }
    if (running.length > 1) remove.push(...surplus(state, running));
  }
  // A burst that left some of them out would tell of them twice.
  for (const { pod } of [...failed, ...succeeded]) remove.unshift(pod);
  return { create, remove, failed, succeeded, wakeInMs };
}

/** Of several pods on a node the oldest stays; while a surge is allowed, an old one stays until the new one serves. */
function surplus(state: DaemonSetState, running: readonly Pod[]): readonly Pod[] {
  if (!allowsSurge(state.set)) return running.slice(1);
  const newPod = running.find(state.isNew);
  const oldPod = running.find((pod) => !state.isNew(pod));
  const extra = running.filter((pod) => pod !== newPod && pod !== oldPod);
  if (newPod === undefined || oldPod === undefined) return extra;
  return !isReady(oldPod) || state.isAvailable(newPod) ? [...extra, oldPod] : extra;
}

const allowsSurge = ({ spec }: DaemonSet): boolean => {
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  const surge = rollingUpdate?.maxSurge ?? 0;
  return type === 'RollingUpdate' && surge !== 0 && surge !== '0%';
};
