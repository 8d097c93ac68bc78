// The pods a job makes. Pure.
import type { coreV1, Job, Pod } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { podFromTemplate } from '../pod-facts.ts';
import { judgeFailure } from './failure-policy.ts';
import {
  completionIndex,
  failureCountAnnotation,
  failuresBefore,
  ignoredFailureCountAnnotation,
  isIndexed,
  trackingFinalizer,
} from './job-pod.ts';
import type { PodOrder } from './scale.ts';

const indexVariable = 'JOB_COMPLETION_INDEX';
/** What a generated name leaves of the 63 characters of a DNS label. */
const maxPrefixLength = 58;

export function podFor(job: Job, { index, after }: PodOrder): Draft<Pod> {
  const draft = podFromTemplate(job, job.spec.template);
  const { metadata, spec } = draft;
  const finalizers = [...new Set([...(metadata.finalizers ?? []), trackingFinalizer])];
  if (index === undefined || !isIndexed(job)) return { ...draft, metadata: { ...metadata, finalizers } };
  const annotations = {
    ...metadata.annotations,
    [completionIndex]: String(index),
    ...(job.spec.backoffLimitPerIndex !== undefined && failureCounts(job, after)),
  };
  return {
    ...draft,
    metadata: {
      ...metadata,
      finalizers,
      generateName: namePrefix(job.metadata.name, index),
      labels: { ...metadata.labels, [completionIndex]: String(index) },
      annotations,
    },
    spec: {
      ...spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: spec.containers.map(withIndex),
      ...(spec.initContainers !== undefined && { initContainers: spec.initContainers.map(withIndex) }),
    },
  };
}

function namePrefix(name: string, index: number): string {
  const suffix = `-${index}-`;
  return `${name.slice(0, maxPrefixLength - suffix.length)}${suffix}`;
}

function failureCounts(job: Job, after: Pod | undefined): Record<string, string> {
  if (after === undefined) return { [failureCountAnnotation]: '0' };
  let { counted, ignored } = failuresBefore(after);
  if (judgeFailure(job, after).counts) counted++;
  else ignored++;
  return {
    [failureCountAnnotation]: String(counted),
    ...(ignored > 0 && { [ignoredFailureCountAnnotation]: String(ignored) }),
  };
}

function withIndex(container: coreV1.Container): coreV1.Container {
  const { env = [] } = container;
  if (env.some(({ name }) => name === indexVariable)) return container;
  const fieldPath = `metadata.labels['${completionIndex}']`;
  return { ...container, env: [...env, { name: indexVariable, valueFrom: { fieldRef: { fieldPath } } }] };
}
