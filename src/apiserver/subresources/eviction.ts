// pods/eviction: a delete that a disruption budget may refuse. What the budget allows is taken from its status before the pod is
// touched, with a compare, so that two evictions never share one allowance.
import { type Eviction, evictionBody, isReady, isTerminal, isTerminating, Pod } from '../../api/index.ts';
import {
  badRequest,
  conflict,
  type DeleteOptions,
  formatTime,
  isConflict,
  StatusError,
} from '../../machinery/index.ts';
import type { Body } from '../registry/call.ts';
import type { CallContext } from '../registry/context.ts';
import { catchUp, type Place, type RegistryCore, refOf, requireEntry } from '../registry/core.ts';
import { decodeRequestBody } from '../registry/decode.ts';
import { checkDeleteOptions, remove } from '../registry/delete.ts';
import { mutableCopy, objectOf } from '../registry/objects.ts';
import { applyUpdate } from '../registry/update.ts';
import { builtByCode } from '../registry/update-rules.ts';
import { budgetsFor, stillProcessed, takeAllowance } from './disruption-budgets.ts';
import type { Subresource } from './subresource.ts';
import { succeeded } from './success.ts';

/** What clients before Kubernetes 1.22 send, kubectl drain among them: the same fields under the older name. */
function asCurrent(body: Body): Body {
  const { value } = body;
  if ((value as { apiVersion?: unknown } | null)?.apiVersion !== 'policy/v1beta1') return body;
  return { ...body, value: { ...(value as object), apiVersion: 'policy/v1' } };
}

export const eviction: Subresource = {
  name: 'eviction',
  verbs: ['create'],
  body: evictionBody,
  appliesTo: (kind) => kind.group === '' && kind.kind === 'Pod',

  async handle(core, { at, body, context }) {
    const wanted = decodeRequestBody<Eviction>(evictionBody, asCurrent(body), context);
    const name = wanted.metadata?.name;
    if (name !== undefined && name !== at.name)
      throw badRequest(`name in URL does not match name in Eviction object: "${name}" != "${at.name}"`);
    const options = checkDeleteOptions((wanted.deleteOptions ?? {}) as DeleteOptions);
    const dryRun = context.dryRun || (wanted.deleteOptions?.dryRun?.length ?? 0) > 0;
    await evict(core, { at, options, context: { ...context, dryRun } });
    return succeeded(201);
  },
};

interface EvictionCall {
  readonly at: Place;
  readonly options: DeleteOptions;
  readonly context: CallContext;
}

const conflictRetries = 20;

async function evict(core: RegistryCore, call: EvictionCall): Promise<void> {
  const { at, options, context } = call;
  if (core.store.shared) await catchUp(core);
  let pod: Pod;
  for (let attempt = 1; ; attempt++) {
    pod = objectOf<Pod>(requireEntry(core, at));
    if (!needsNoBudget(pod)) break;
    try {
      // It has not begun to run: when it does meanwhile, its budget has a say.
      const pending = !isTerminal(pod) && !isTerminating(pod);
      return await markAndDelete(core, pending ? { ...call, options: pinned(options, pod) } : call);
    } catch (error) {
      if (!isConflict(error) || pinsVersion(options) || attempt === conflictRetries) throw error;
    }
  }

  const budgets = budgetsFor(core.store, pod);
  if (budgets.length > 1)
    throw new StatusError(
      500,
      'Unknown',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  const [budget] = budgets;
  if (budget === undefined) return markAndDelete(core, call);

  if (!isReady(pod)) {
    const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
    const always = budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow';
    if (always || (currentHealthy >= desiredHealthy && desiredHealthy > 0)) {
      // It takes nothing from the budget, as long as it is not ready.
      try {
        return await markAndDelete(core, { ...call, options: pinned(options, pod) });
      } catch (error) {
        if (isConflict(error) && !pinsVersion(options)) throw stillProcessed(budget.metadata.name);
        throw error;
      }
    }
  }
  await takeAllowance(core, { budget, pod, dryRun: context.dryRun });
  return markAndDelete(core, call);
}

/** Its disruption is past, or it has not begun to be of use. */
const needsNoBudget = (pod: Pod): boolean =>
  isTerminal(pod) || pod.status?.phase === 'Pending' || isTerminating(pod);

const pinsVersion = ({ preconditions }: DeleteOptions): boolean =>
  (preconditions?.resourceVersion ?? '') !== '';

/** Only if the pod is still this version of it. What the caller named himself stands. */
const pinned = (options: DeleteOptions, { metadata }: Pod): DeleteOptions =>
  pinsVersion(options)
    ? options
    : {
        ...options,
        preconditions: { ...options.preconditions, resourceVersion: metadata.resourceVersion },
      };

const rules = builtByCode('status');

/** Says in the pod's status why it goes, then deletes it. */
async function markAndDelete(core: RegistryCore, { at, options, context }: EvictionCall): Promise<void> {
  if (context.dryRun) {
    await remove(core, { at, options, context });
    return;
  }
  const marked = await applyUpdate(core, { at, context }, rules, (entry) => {
    const pod = mutableCopy<Pod>(entry);
    checkVersion(at, pod, options);
    markAsTarget(pod, formatTime(core.clock.nowMs()));
    pod.metadata.resourceVersion = '';
    return pod;
  });
  const { resourceVersion } = (marked.object ?? objectOf(marked.entry!)).metadata;
  // The version that the caller knew is now ours.
  const after: DeleteOptions = pinsVersion(options)
    ? { ...options, preconditions: { ...options.preconditions, resourceVersion } }
    : options;
  await remove(core, { at, options: after, context });
}

function checkVersion(at: Place, { metadata }: Pod, { preconditions }: DeleteOptions): void {
  const because = (why: string) => conflict({ ...refOf(at.kind), resource: Pod.kind }, at.name, why);
  const { uid = '', resourceVersion = '' } = preconditions ?? {};
  if (uid !== '' && uid !== metadata.uid)
    throw because(
      `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    );
  if (resourceVersion !== '' && resourceVersion !== metadata.resourceVersion)
    throw because(
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    );
}

function markAsTarget(pod: Pod, now: string): void {
  const status = (pod.status ??= {});
  const type = 'DisruptionTarget';
  const before = status.conditions?.find((condition) => condition.type === type);
  const condition = {
    type,
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastProbeTime: null as unknown as string,
    lastTransitionTime: before?.status === 'True' ? before.lastTransitionTime : now,
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
  };
  status.conditions = [...(status.conditions ?? []).filter((other) => other !== before), condition];
}
