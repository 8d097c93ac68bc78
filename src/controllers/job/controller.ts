// Job: runs pods until enough of them have succeeded, and counts each that ends exactly once. tally.ts says how.
import { isJobFinished, Job, Pod } from '../../api/index.ts';
import { compileLabelSelector, controllerOf, keyOf, semanticEqual, splitKey } from '../../machinery/index.ts';
import { inBatches } from '../batches.ts';
import { type ControllerContext, defineController, maps, owns } from '../framework/index.ts';
import { ignoreNotFound } from '../ownership.ts';
import { createPods, deletePods } from '../pod-writes.ts';
import {
  adoptPatch,
  claimPods,
  isOurs,
  type JobClaims,
  releasePatch,
  strayOrphans,
  strayPods,
  untrackPatch,
  untrackStrayPatch,
} from './claims.ts';
import { isTracked } from './job-pod.ts';
import { type JobPlan, type JobStatus, planJob, statusAfter } from './plan.ts';
import type { PodBackoff } from './pod-backoff.ts';
import { podFor } from './pod-draft.ts';

/** Pods by the key of the job that they say they belong to; those that nobody manages by a key without a name. */
const byJob = 'jobKey';

function jobKeysOf(pod: Pod): readonly string[] {
  const owner = controllerOf(pod);
  if (owner === undefined) return [orphansKey(pod.metadata.namespace)];
  if (owner.kind !== 'Job' || !owner.apiVersion.startsWith('batch/')) return [];
  return [`${pod.metadata.namespace}/${owner.name}`];
}

const orphansKey = (namespace: string | undefined): string => `${namespace}/`;

export const jobController = defineController({
  name: 'job',
  reconciles: Job,
  watches: [
    owns(Pod),
    // A pod without a controller may be one that a job should adopt, or one that has lost its job with the finalizer on.
    maps(
      Pod,
      (pod, lister) => {
        const { labels, namespace } = pod.metadata;
        if (controllerOf(pod) !== undefined) return [];
        const jobs = lister(Job)
          .list(namespace)
          .filter((job) => compileLabelSelector(job.spec.selector)(labels));
        return [...jobs.map(keyOf), ...(isTracked(pod) ? [orphansKey(namespace)] : [])];
      },
      {
        when: (old, pod) =>
          controllerOf(old)?.uid !== controllerOf(pod)?.uid ||
          isTracked(old) !== isTracked(pod) ||
          !semanticEqual(old.metadata.labels, pod.metadata.labels),
      },
    ),
  ],
  concurrency: 8,

  build(context) {
    const { clock, lister, informer } = context;
    const jobs = lister(Job);
    const pods = informer(Pod);
    pods.addIndex(byJob, jobKeysOf);
    /** By uid. What it holds can be read from pods too, as long as they are there. */
    const backoffs = new Map<string, { readonly key: string; readonly backoff: PodBackoff }>();

    return async function reconcile(key, signal) {
      const { namespace, name } = splitKey(key);
      const orphans = pods.byIndex(byJob, orphansKey(namespace));
      if (name === '') {
        await untrack(context, strayOrphans(orphans, jobs.list(namespace)), untrackStrayPatch, signal);
        return;
      }
      const job = jobs.get(key);
      if (job !== undefined && !isOurs(job)) return;
      const named = pods.byIndex(byJob, key);
      await untrack(context, strayPods(job, named), untrackStrayPatch, signal);
      if (job === undefined || isJobFinished(job)) {
        for (const [uid, kept] of backoffs) if (kept.key === key) backoffs.delete(uid);
        return;
      }
      const claims = claimPods(job, [...named, ...orphans]);
      // What was claimed or let go wakes the job again, and is then seen as it is.
      if (await settle(context, job, claims, signal)) return;

      const { uid } = job.metadata;
      const plan = planJob({
        job,
        pods: claims.owned,
        backoff: backoffs.get(uid)?.backoff,
        nowMs: clock.nowMs(),
      });
      await apply(context, job, plan, signal);
      backoffs.set(uid, { key, backoff: plan.backoff });
      return plan.wakeInMs === undefined ? undefined : { requeueAfterMs: plan.wakeInMs };
    };
  },
});

/** Adopts and releases; whether there was anything. Asks the server first, since what a deleted job adopts is collected with it. */
async function settle(
  { client }: ControllerContext,
  job: Job,
  { adopt, release }: JobClaims,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, namespace, uid } = job.metadata;
  if (adopt.length > 0) {
    const fresh = await client(Job).get(name, namespace);
    if (fresh.metadata.uid !== uid || fresh.metadata.deletionTimestamp !== undefined)
      throw new Error(`${namespace}/${name} is being deleted and adopts no pods`);
  }
  const patches = [
    ...adopt.map((pod) => [pod, adoptPatch(job, pod)] as const),
    ...release.map((pod) => [pod, releasePatch(job, pod)] as const),
  ];
  for (const [pod, patch] of patches) {
    signal.throwIfAborted();
    await client(Pod).patch({ name: pod.metadata.name, namespace }, 'strategic', patch).catch(ignoreNotFound);
  }
  return patches.length > 0;
}

async function apply(
  context: ControllerContext,
  job: Job,
  plan: JobPlan,
  signal: AbortSignal,
): Promise<void> {
  const { event } = context;
  const scaled = await scale(context, job, plan, signal);
  await writeStatus(context, job, scaled.status);
  for (const { type, reason, message } of plan.events) event(job, type, reason, message);
  const failed = await deletePods(context, { owner: job, pods: plan.end }, signal);
  await untrack(context, plan.count, untrackPatch, signal);
  const failure = scaled.failure ?? failed?.message;
  if (failure !== undefined) throw new Error(failure);
}

/** Makes what is missing, gives up what is too much. The status is as things are then; after a failure, as they were. */
async function scale(
  context: ControllerContext,
  job: Job,
  { create, giveUp, status }: JobPlan,
  signal: AbortSignal,
): Promise<{ readonly status: JobStatus; readonly failure: string | undefined }> {
  await untrack(context, giveUp, untrackPatch, signal);
  const drafts = create.map((order) => podFor(job, order));
  const failure =
    (await createPods(context, { owner: job, drafts }, signal)) ??
    (await deletePods(context, { owner: job, pods: giveUp }, signal));
  return {
    status: failure === undefined ? statusAfter(status, { created: create.length, removed: giveUp }) : status,
    failure: failure?.message,
  };
}

async function writeStatus({ client }: ControllerContext, job: Job, status: JobStatus): Promise<void> {
  if (semanticEqual(status, job.status)) return;
  // Over the revision that was read: what is counted here must not be counted by anybody else.
  await client(Job)
    .updateStatus({ ...job, status })
    .catch(ignoreNotFound);
}

/** Takes the finalizer off. */
async function untrack(
  { client }: ControllerContext,
  pods: readonly Pod[],
  patchOf: (pod: Pod) => object,
  signal: AbortSignal,
): Promise<void> {
  const failure = await inBatches(pods.filter(isTracked), signal, (pod) =>
    client(Pod)
      .patch({ name: pod.metadata.name, namespace: pod.metadata.namespace }, 'strategic', patchOf(pod))
      .catch(ignoreNotFound),
  );
  if (failure !== undefined) throw failure;
}
