// What a job asks about its pods: are they counted, which index is theirs, have they failed, and when. Pure.
import { getCondition, isSidecar, isTerminating, type Job, type Pod } from '../../api/index.ts';
import { parseTime } from '../../machinery/index.ts';

/** On each pod of a job until the job's status has counted it: a pod cannot vanish uncounted, and is never counted twice. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
/** Annotation and label. */
export const completionIndex = 'batch.kubernetes.io/job-completion-index';
export const failureCountAnnotation = 'batch.kubernetes.io/job-index-failure-count';
export const ignoredFailureCountAnnotation = 'batch.kubernetes.io/job-index-ignored-failure-count';

export const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) === true;
export const isIndexed = (job: Job): boolean => job.spec.completionMode === 'Indexed';

/** The pod's index; undefined when it has none or one that the job has no room for. */
export function indexOf(pod: Pod, completions: number): number | undefined {
  const index = naturalNumber(pod.metadata.annotations?.[completionIndex]);
  return index !== undefined && index < completions ? index : undefined;
}

/** A pod that counts at all: those of an indexed job need an index. */
export const isValid = (job: Job, pod: Pod): boolean =>
  !isIndexed(job) || indexOf(pod, job.spec.completions ?? 0) !== undefined;

/** With this, a pod on its way out holds its place until it has ended. */
export const replacesOnlyFailed = ({ spec }: Job): boolean =>
  spec.podReplacementPolicy === 'Failed' || spec.podFailurePolicy !== undefined;

/** Deleted pods count as failed, since one of a lost node may never say so. */
export function hasFailed(job: Job, pod: Pod): boolean {
  const phase = pod.status?.phase;
  if (phase === 'Failed') return true;
  return !replacesOnlyFailed(job) && isTerminating(pod) && phase !== 'Succeeded';
}

export const hasSucceeded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded';

/** How often the pod's index had failed before this pod. */
export const failuresBefore = ({ metadata: { annotations } }: Pod) => ({
  counted: naturalNumber(annotations?.[failureCountAnnotation]) ?? 0,
  ignored: naturalNumber(annotations?.[ignoredFailureCountAnnotation]) ?? 0,
});

const int32Max = 2 ** 31 - 1;

function naturalNumber(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value <= int32Max ? value : undefined;
}

/** When the last container ended; or the pod stopped being ready, was deleted, was made. */
export function finishedAtMs(pod: Pod): number {
  const { metadata } = pod;
  const ready = getCondition(pod, 'Ready');
  const deletedMs = parseTime(metadata.deletionTimestamp);
  return (
    containersEndedAtMs(pod) ??
    (ready?.status === 'False' ? parseTime(ready.lastTransitionTime) : undefined) ??
    (deletedMs === undefined ? undefined : deletedMs - (metadata.deletionGracePeriodSeconds ?? 0) * 1000) ??
    parseTime(metadata.creationTimestamp) ??
    0
  );
}

function containersEndedAtMs({ spec, status }: Pod): number | undefined {
  const sidecars = new Set((spec.initContainers ?? []).filter(isSidecar).map((c) => c.name));
  const all = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)),
  ];
  let last: number | undefined;
  for (const { state } of all) {
    const endedMs = parseTime(state?.terminated?.finishedAt);
    if (endedMs === undefined) return undefined;
    last = Math.max(last ?? endedMs, endedMs);
  }
  return last;
}
