// StatefulSet: pods with names and storage of their own.
import { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet } from '../../api/index.ts';
import { compileLabelSelector, isAlreadyExists, isNotFound, semanticEqual } from '../../machinery/index.ts';
import { inBatches } from '../batches.ts';
import { expendable, planHistory } from '../controller-revision/history.ts';
import { type KeptRevision, keepRevision, removeRevisions } from '../controller-revision/revisions.ts';
import { type ControllerContext, defineController, maps, owns } from '../framework/index.ts';
import { claim, ignoreNotFound, mapsOrphans, ownedOrOrphaned, settleOwnership } from '../ownership.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import type { ClaimChanges } from './claims.ts';
import { ordinalOf, revisionOf } from './identity.ts';
import { planStatefulSet, type StatefulStep } from './plan.ts';

const hashLabel = 'controller.kubernetes.io/hash';

const fits = (set: StatefulSet, pod: Pod): boolean =>
  compileLabelSelector(set.spec.selector)(pod.metadata.labels) &&
  ordinalOf(set, pod.metadata.name) !== undefined;

export const statefulSetController = defineController({
  name: 'statefulset',
  reconciles: StatefulSet,
  watches: [
    owns(Pod),
    mapsOrphans(StatefulSet, Pod, fits),
    owns(ControllerRevision),
    // A pod may wait until the claim of its predecessor is gone.
    maps(
      PersistentVolumeClaim,
      ({ metadata: { name, namespace } }, lister) =>
        lister(StatefulSet)
          .list(namespace)
          .filter(({ metadata, spec }) =>
            spec.volumeClaimTemplates?.some((template) =>
              name.startsWith(`${template.metadata.name}-${metadata.name}-`),
            ),
          )
          .map(({ metadata }) => `${namespace}/${metadata.name}`),
      { when: () => false },
    ),
  ],
  concurrency: 8,

  build(context) {
    const { clock, lister, client } = context;
    const sets = lister(StatefulSet);
    const claims = lister(PersistentVolumeClaim);
    const podsFor = ownedOrOrphaned(context, Pod);
    const revisionsFor = ownedOrOrphaned(context, ControllerRevision);

    return async function reconcile(key, signal) {
      const set = sets.get(key);
      if (set === undefined) return;
      const matches = compileLabelSelector(set.spec.selector);
      const pods = claim(
        set,
        podsFor(set),
        ({ metadata }) => matches(metadata.labels) && ordinalOf(set, metadata.name) !== undefined,
      );
      const revisions = claim(set, revisionsFor(set), ({ metadata }) => matches(metadata.labels));
      const owner = { owner: set, ownerKind: StatefulSet };
      await settleOwnership(context, { ...owner, kind: ControllerRevision }, revisions);
      await settleOwnership(context, { ...owner, kind: Pod }, pods);
      if ([pods, revisions].some(({ adopt, release }) => adopt.length + release.length > 0))
        return { requeueAfterMs: 0 };

      const kept = await presentRevision(context, set, revisions.owned);
      if (kept === undefined) return;
      signal.throwIfAborted();
      const { revision: update, collisionCount } = kept;
      const current =
        revisions.owned.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
      const plan = planStatefulSet({
        set,
        pods: pods.owned,
        claimNamed: (name) => claims.get(`${set.metadata.namespace}/${name}`),
        current,
        update,
        collisionCount,
        nowMs: clock.nowMs(),
      });
      const failure = await take(context, { set, steps: plan.steps }, signal);
      if (!semanticEqual(plan.status, set.status)) {
        await client(StatefulSet)
          .updateStatus({ ...set, status: plan.status })
          .catch(ignoreNotFound);
      }
      if (failure !== undefined) throw failure;
      const live = new Set([current.metadata.name, update.metadata.name, ...pods.owned.map(revisionOf)]);
      const isLive = ({ metadata }: ControllerRevision) => live.has(metadata.name);
      const limit = set.spec.revisionHistoryLimit ?? 10;
      const excess = limit < 0 ? 0 : revisions.owned.filter((revision) => !isLive(revision)).length - limit;
      await removeRevisions(context, expendable(revisions.owned, excess, isLive), signal);
      return plan.wakeInMs === undefined ? undefined : { requeueAfterMs: plan.wakeInMs };
    };
  },
});

/** A set on its way out makes no revisions; without one it has nothing to say. */
async function presentRevision(
  context: ControllerContext,
  set: StatefulSet,
  revisions: readonly ControllerRevision[],
): Promise<KeptRevision | undefined> {
  if (set.metadata.deletionTimestamp === undefined)
    return keepRevision(context, set, { revisions, hashLabel });
  const step = planHistory(set, revisions);
  return step.do === 'create'
    ? undefined
    : { revision: step.revision, collisionCount: set.status?.collisionCount ?? 0 };
}

/** Takes the steps, one after the other or a few and then many at once. Returns the first failure, after which it stops. */
async function take(
  context: ControllerContext,
  { set, steps }: { readonly set: StatefulSet; readonly steps: readonly StatefulStep[] },
  signal: AbortSignal,
): Promise<Error | undefined> {
  const run = (step: StatefulStep) => takeStep(context, set, step);
  if (set.spec.podManagementPolicy === 'Parallel') {
    // A claim whose pod is gone would not be handed over any more.
    const [first, rest] = [true, false].map((early) => steps.filter((s) => (s.do === 'hand over') === early));
    return (await inBatches(first!, signal, run)) ?? (await inBatches(rest!, signal, run));
  }
  for (const step of steps) {
    const failure = await inBatches([step], signal, run);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

async function takeStep(context: ControllerContext, set: StatefulSet, step: StatefulStep): Promise<void> {
  const { client } = context;
  const { namespace } = set.metadata;
  const podName = step.pod.metadata.name!;
  const about = { set, podName };
  switch (step.do) {
    case 'create':
      return telling(context, { ...about, verb: 'create' }, async () => {
        await makeClaims(context, about, step.claims);
        await client(Pod).create(step.pod);
      });
    case 'claims':
      return makeClaims(context, about, step.claims).catch((error: unknown) => {
        if (!isNamespaceEnding(error)) throw error;
      });
    case 'hand over':
      return giveOwners(context, about, step.claims);
    case 'repair':
      return telling(context, { ...about, verb: 'update' }, async () => {
        if (step.next === step.pod) return giveOwners(context, about, step.claims);
        await makeClaims(context, about, step.claims);
        await client(Pod).update(step.next);
      });
    case 'delete':
      return telling(context, { ...about, verb: 'delete' }, async () => {
        const preconditions = { uid: step.pod.metadata.uid };
        await client(Pod).delete(podName, namespace, { preconditions });
      });
  }
}

interface About {
  readonly set: StatefulSet;
  readonly podName: string;
}

const titled = { create: 'Create', update: 'Update', delete: 'Delete' } as const;

/** Runs it and records an event, as Kubernetes words it. What others have done already is no failure. */
async function telling(
  { event }: ControllerContext,
  { set, podName, verb }: About & { readonly verb: keyof typeof titled },
  run: () => Promise<void>,
): Promise<void> {
  const what = `${verb} Pod ${podName} in StatefulSet ${set.metadata.name}`;
  try {
    await run();
    event(set, 'Normal', `Successful${titled[verb]}`, `${what} successful`);
  } catch (error) {
    if (isNamespaceEnding(error) || (verb === 'delete' && isNotFound(error))) return;
    if (verb !== 'create' || !isAlreadyExists(error))
      event(set, 'Warning', `Failed${titled[verb]}`, `${what} failed error: ${(error as Error).message}`);
    throw error;
  }
}

async function makeClaims(context: ControllerContext, about: About, claims: ClaimChanges): Promise<void> {
  const { client, event } = context;
  const { set, podName } = about;
  const problems: string[] = [];
  for (const draft of claims.create) {
    const { name } = draft.metadata;
    try {
      await client(PersistentVolumeClaim).create(draft);
      const text = `create Claim ${name} Pod ${podName} in StatefulSet ${set.metadata.name} success`;
      event(set, 'Normal', 'SuccessfulCreate', text);
    } catch (error) {
      if (isNamespaceEnding(error)) throw error;
      const { message } = error as Error;
      problems.push(`failed to create PVC ${name}: ${message}`);
      const text = `create Claim ${name} for Pod ${podName} in StatefulSet ${set.metadata.name} failed error: ${message}`;
      if (!isAlreadyExists(error)) event(set, 'Warning', 'FailedCreate', text);
    }
  }
  for (const name of claims.deleting) problems.push(`pvc ${name} is being deleted`);
  if (problems.length > 0) throw new Error(problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`);
  await giveOwners(context, about, claims);
}

async function giveOwners(
  { client, event }: ControllerContext,
  { set }: About,
  { update, conflicting }: ClaimChanges,
): Promise<void> {
  for (const name of conflicting) {
    const text = `PersistentVolumeClaim ${name} has a conflicting OwnerReference that acts as a managing controller, the retention policy is ignored for this claim`;
    event(set, 'Warning', 'ConflictingController', text);
  }
  for (const next of update) await client(PersistentVolumeClaim).update(next).catch(ignoreNotFound);
}
