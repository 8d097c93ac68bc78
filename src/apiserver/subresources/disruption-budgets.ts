// What a disruption budget has to say to an eviction: yes, and one fewer from now on, or not now.
import { type Pod, PodDisruptionBudget } from '../../api/index.ts';
import {
  compileLabelSelector,
  forbidden,
  formatTime,
  type KindDef,
  type LabelMatcher,
  StatusError,
} from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { internalContext } from '../registry/context.ts';
import { type RegistryCore, refOf } from '../registry/core.ts';
import { mutableCopy, objectOf } from '../registry/objects.ts';
import { applyUpdate } from '../registry/update.ts';
import { builtByCode } from '../registry/update-rules.ts';

type Status = NonNullable<PodDisruptionBudget['status']>;

/** Deletions that were granted and not yet seen; with more, something is wrong with who should see them. */
const maxDisruptedPods = 2000;

const kind = PodDisruptionBudget as unknown as KindDef;
const matchers = new WeakMap<object, LabelMatcher>();

/** The budgets of the pod's namespace that select it. */
export function budgetsFor(store: Store, { metadata }: Pod): readonly PodDisruptionBudget[] {
  return store
    .list(`${kind.storagePrefix}${metadata.namespace}/`)
    .map((entry) => objectOf<PodDisruptionBudget>(entry))
    .filter(({ spec: { selector } }) => {
      if (selector === undefined) return false;
      let matcher = matchers.get(selector);
      if (matcher === undefined) matchers.set(selector, (matcher = compileLabelSelector(selector)));
      return matcher(metadata.labels);
    });
}

const refusal = "Cannot evict pod as it would violate the pod's disruption budget.";

const refused = (why: string, retryAfterSeconds?: number): StatusError =>
  new StatusError(429, 'TooManyRequests', refusal, {
    causes: [{ reason: 'DisruptionBudget', message: why }],
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });

/** The status of the budget is older than what is asked: wait for it. */
export const stillProcessed = (name: string): StatusError =>
  refused(`The disruption budget ${name} is still being processed by the server.`, 10);

/** Why a budget in this state allows no disruption; undefined = it allows one. Pure. */
export function refusalOf({ metadata, status = {} }: PodDisruptionBudget): StatusError | undefined {
  const { name, generation = 0 } = metadata;
  const { observedGeneration = 0, disruptionsAllowed: allowed = 0, disruptedPods = {} } = status;
  if (observedGeneration < generation) return stillProcessed(name);
  const ref = { ...refOf(kind), resource: 'poddisruptionbudget' };
  if (allowed < 0) return forbidden(ref, name, 'pdb disruptions allowed is negative');
  if (Object.keys(disruptedPods).length > maxDisruptedPods)
    return forbidden(
      ref,
      name,
      'DisruptedPods map too big - too many evictions not confirmed by PDB controller',
    );
  if (allowed > 0) return undefined;
  const condition = status.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  if (condition?.status === 'False' && condition.reason === 'SyncFailed')
    return refused(
      `The disruption budget ${name} does not allow evicting pods currently because it failed sync: ${condition.message}`,
    );
  return refused(
    `The disruption budget ${name} needs ${status.desiredHealthy ?? 0} healthy pods and has ${status.currentHealthy ?? 0} currently`,
  );
}

/** The status after one more disruption was granted, for the pod of that name. Pure. */
export function afterGrant(status: Status, podName: string, now: string): Status {
  const disruptionsAllowed = (status.disruptionsAllowed ?? 0) - 1;
  const out: Status = {
    ...status,
    disruptionsAllowed,
    disruptedPods: { ...status.disruptedPods, [podName]: now },
  };
  if (disruptionsAllowed > 0) return out;
  const type = 'DisruptionAllowed';
  const before = status.conditions?.find((condition) => condition.type === type);
  out.conditions = [
    ...(status.conditions?.filter((condition) => condition !== before) ?? []),
    {
      type,
      status: 'False',
      reason: 'InsufficientPods',
      message: '',
      lastTransitionTime: before?.status === 'False' ? before.lastTransitionTime : now,
      ...(status.observedGeneration !== undefined && { observedGeneration: status.observedGeneration }),
    },
  ];
  return out;
}

const rules = builtByCode('status');

/** Takes one disruption from the budget, for the pod. Throws 429 when there is none to take. A dry run takes nothing. */
export async function takeAllowance(
  core: RegistryCore,
  {
    budget,
    pod,
    dryRun,
  }: { readonly budget: PodDisruptionBudget; readonly pod: Pod; readonly dryRun: boolean },
): Promise<void> {
  const { name, namespace } = budget.metadata;
  // Whoever evicts need not be allowed to write budgets, so the server does it in its own name.
  await applyUpdate(
    core,
    { at: { kind, namespace, name }, context: internalContext({ dryRun }) },
    rules,
    (entry) => {
      const current = mutableCopy<PodDisruptionBudget>(entry);
      const why = refusalOf(current);
      if (why !== undefined) throw why;
      current.status = afterGrant(current.status!, pod.metadata.name, formatTime(core.clock.nowMs()));
      return current;
    },
  );
}
