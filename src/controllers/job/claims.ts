// Which pods are a job's, which it takes and which it lets go; and which carry its finalizer though no job will count them. Pure.
import { isJobFinished, isTerminating, type Job, type Pod } from '../../api/index.ts';
import { compileLabelSelector, controllerOf, controllerRef } from '../../machinery/index.ts';
import { isTracked, trackingFinalizer } from './job-pod.ts';

export interface JobClaims {
  readonly owned: readonly Pod[];
  readonly adopt: readonly Pod[];
  readonly release: readonly Pod[];
}

export const jobControllerName = 'kubernetes.io/job-controller';

/** Jobs that name another controller are left alone, and their pods too. */
export const isOurs = ({ spec }: Job): boolean => (spec.managedBy ?? jobControllerName) === jobControllerName;

const mayAdopt = (job: Job): boolean =>
  isOurs(job) && !isJobFinished(job) && job.metadata.deletionTimestamp === undefined;

/** `pods`: those of its namespace that it or nobody manages. */
export function claimPods(job: Job, pods: readonly Pod[]): JobClaims {
  const fits = compileLabelSelector(job.spec.selector);
  const isGoing = job.metadata.deletionTimestamp !== undefined;
  const owned: Pod[] = [];
  const adopt: Pod[] = [];
  const release: Pod[] = [];
  for (const pod of pods) {
    const owner = controllerOf(pod);
    const matches = fits(pod.metadata.labels);
    if (owner?.uid === job.metadata.uid) (matches || isGoing ? owned : release).push(pod);
    else if (owner === undefined && matches && mayAdopt(job) && !isTerminating(pod)) adopt.push(pod);
  }
  return { owned, adopt, release };
}

/** Of pods whose controller reference names this job, or one of its name before it, those that nobody will count any more. */
export const strayPods = (job: Job | undefined, pods: readonly Pod[]): readonly Pod[] =>
  pods.filter(
    (pod) =>
      isTracked(pod) &&
      (job === undefined || controllerOf(pod)?.uid !== job.metadata.uid || isJobFinished(job)),
  );

/** Of pods that nobody manages, those that carry the finalizer and that no job is about to adopt. */
export const strayOrphans = (orphans: readonly Pod[], jobs: readonly Job[]): readonly Pod[] =>
  orphans.filter(
    (pod) =>
      isTracked(pod) &&
      (isTerminating(pod) ||
        !jobs.some((job) => mayAdopt(job) && compileLabelSelector(job.spec.selector)(pod.metadata.labels))),
  );

const removeFinalizer = { '$deleteFromPrimitiveList/finalizers': [trackingFinalizer] };

/** Strategic merge patches that touch one owner and one finalizer, whatever the cache has missed. */
export const adoptPatch = (job: Job, { metadata: { uid } }: Pod) => ({
  metadata: { uid, ownerReferences: [controllerRef(job)], finalizers: [trackingFinalizer] },
});
export const releasePatch = (job: Job, { metadata: { uid } }: Pod) => ({
  metadata: { uid, ownerReferences: [{ $patch: 'delete', uid: job.metadata.uid }], ...removeFinalizer },
});
export const untrackPatch = ({ metadata: { uid } }: Pod) => ({ metadata: { uid, ...removeFinalizer } });
/** Only of the pod as it was seen: it may have been adopted since. */
export const untrackStrayPatch = ({ metadata: { uid, resourceVersion } }: Pod) => ({
  metadata: { uid, resourceVersion, ...removeFinalizer },
});
