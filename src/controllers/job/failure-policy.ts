// What a job's podFailurePolicy says of a failed pod: the first rule that fits decides. Pure.
import type { batchV1, coreV1, Job, Pod } from '../../api/index.ts';
import { failuresBefore, hasFailed, indexOf, isTracked } from './job-pod.ts';

export interface FailureVerdict {
  /** Whether it counts towards the backoff limit. */
  readonly counts: boolean;
  readonly failsIndex: boolean;
  /** Why the whole job fails, when it does. */
  readonly failsJob: string | undefined;
}

const counts: FailureVerdict = { counts: true, failsIndex: false, failsJob: undefined };

export function judgeFailure(job: Job, pod: Pod): FailureVerdict {
  for (const [i, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const why = reasonOf(rule, pod);
    if (why === undefined) continue;
    if (rule.action === 'Ignore') return { ...counts, counts: false };
    if (rule.action === 'Count') return counts;
    if (rule.action === 'FailIndex') return { ...counts, failsIndex: true };
    if (rule.action === 'FailJob')
      return { ...counts, failsJob: `${why} matching ${rule.action} rule at index ${i}` };
  }
  return counts;
}

/** Why the rule fits the pod, in words; undefined when it does not. */
function reasonOf(rule: batchV1.PodFailurePolicyRule, { metadata, status }: Pod): string | undefined {
  const { onExitCodes, onPodConditions } = rule;
  const name = `${metadata.namespace}/${metadata.name}`;
  if (onExitCodes !== undefined) {
    const all = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
    const failed = all.find((container) => fitsExitCode(onExitCodes, container));
    return (
      failed &&
      `Container ${failed.name} for pod ${name} failed with exit code ${failed.state?.terminated?.exitCode}`
    );
  }
  const condition = status?.conditions?.find((c) =>
    onPodConditions?.some((pattern) => pattern.type === c.type && pattern.status === c.status),
  );
  return condition && `Pod ${name} has condition ${condition.type}`;
}

function fitsExitCode(
  { containerName, operator, values }: batchV1.PodFailurePolicyOnExitCodesRequirement,
  { name, state }: coreV1.ContainerStatus,
): boolean {
  const exitCode = state?.terminated?.exitCode;
  if (exitCode === undefined || exitCode === 0) return false;
  if (containerName !== undefined && containerName !== name) return false;
  return values.includes(exitCode) === (operator === 'In');
}

/** Indexes that may not be tried again: a rule says so, or they have failed too often. */
export function newlyFailedIndexes(job: Job, pods: readonly Pod[]): readonly number[] {
  const { backoffLimitPerIndex = 0, completions = 0 } = job.spec;
  return pods.flatMap((pod) => {
    const index = indexOf(pod, completions);
    if (index === undefined || !isTracked(pod) || !hasFailed(job, pod)) return [];
    const verdict = judgeFailure(job, pod);
    const spent = verdict.counts && failuresBefore(pod).counted >= backoffLimitPerIndex;
    return verdict.failsIndex || spent ? [index] : [];
  });
}
