// The ReplicaSet of a Deployment's current template: how it is recognised, made and kept in step, and how revisions are counted.
// Pure.
import type { Deployment, ReplicaSet } from '../../api/index.ts';
import { controllerRef, type Draft, semanticEqual } from '../../machinery/index.ts';
import { templateHash } from '../template-hash.ts';
import {
  byAge,
  desiredReplicasAnnotation,
  fenceposts,
  maxReplicasAnnotation,
  newSetReplicas,
  revisionAnnotation,
  revisionHistoryAnnotation,
  specReplicas,
} from './rollout.ts';

export const hashLabel = 'pod-template-hash';

/** Former revisions are remembered up to this length, the newest ones. */
const historyMaxChars = 2000;

/** The oldest of those whose template is the Deployment's. */
export const findNewSet = (deployment: Deployment, owned: readonly ReplicaSet[]): ReplicaSet | undefined =>
  owned.filter((set) => hasTemplateOf(set, deployment)).sort(byAge)[0];

/** The hash label is ours, not the author's. */
export const hasTemplateOf = (set: Pick<ReplicaSet, 'spec'>, deployment: Deployment): boolean =>
  semanticEqual(withoutHash(set.spec.template), withoutHash(deployment.spec.template));

function withoutHash(template: ReplicaSet['spec']['template']) {
  if (template?.metadata?.labels?.[hashLabel] === undefined) return template;
  const { [hashLabel]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

const maxInt64 = 2n ** 63n - 1n;

/** A number of 64 bits, more than a double holds exactly. 0 = it has none that could be read. */
export function revisionOf(set: ReplicaSet): bigint {
  const text = set.metadata.annotations?.[revisionAnnotation];
  const revision = text !== undefined && /^\d+$/.test(text) ? BigInt(text) : 0n;
  return revision > maxInt64 ? 0n : revision;
}

const nextRevision = (old: readonly ReplicaSet[]): bigint => old.map(revisionOf).reduce(greater, 0n) + 1n;

const greater = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** Above all others: rolling back makes an old set the newest again. Never falls. */
export const revisionFor = (newSet: ReplicaSet, old: readonly ReplicaSet[]): string =>
  String(greater(revisionOf(newSet), nextRevision(old)));

const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'deprecated.deployment.rollback.to',
]);

const copiedAnnotations = (deployment: Deployment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(([name]) => !notCopied.has(name)),
  );

/** Noted on a set whenever it is given a size: by them a later run tells a change of scale from a rollout. */
export const sizeAnnotations = (deployment: Deployment): Record<string, string> => ({
  [desiredReplicasAnnotation]: String(specReplicas(deployment)),
  [maxReplicasAnnotation]: String(specReplicas(deployment) + fenceposts(deployment).maxSurge),
});

export function newSetDraft(deployment: Deployment, old: readonly ReplicaSet[]): Draft<ReplicaSet> {
  const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount ?? 0);
  const template = structuredClone(deployment.spec.template);
  template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [hashLabel]: hash } };
  const { selector, minReadySeconds } = deployment.spec;
  return {
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels: { ...template.metadata.labels },
      annotations: {
        ...copiedAnnotations(deployment),
        [revisionAnnotation]: String(nextRevision(old)),
        ...sizeAnnotations(deployment),
      },
      ownerReferences: [controllerRef(deployment)],
    },
    spec: {
      replicas: newSetReplicas(deployment, old, 0),
      ...(minReadySeconds !== undefined && { minReadySeconds }),
      selector: { ...structuredClone(selector), matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template,
    },
  };
}

/** The set with the Deployment's annotations, revision and minReadySeconds; the set itself when nothing is amiss. */
export function inStep(deployment: Deployment, newSet: ReplicaSet, old: readonly ReplicaSet[]): ReplicaSet {
  const before = newSet.metadata.annotations ?? {};
  const annotations: Record<string, string> = { ...before, ...copiedAnnotations(deployment) };
  const revision = revisionFor(newSet, old);
  if (before[revisionAnnotation] !== revision) {
    if (before[revisionAnnotation] !== undefined)
      annotations[revisionHistoryAnnotation] = remembered(
        before[revisionHistoryAnnotation],
        before[revisionAnnotation],
      );
    annotations[revisionAnnotation] = revision;
  }
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
  if (semanticEqual(annotations, before) && (newSet.spec.minReadySeconds ?? 0) === minReadySeconds)
    return newSet;
  return {
    ...newSet,
    metadata: { ...newSet.metadata, annotations },
    spec: { ...newSet.spec, minReadySeconds },
  };
}

function remembered(history: string | undefined, revision: string): string {
  const all = history === undefined || history === '' ? [] : history.split(',');
  all.push(revision);
  while (all.length > 1 && all.join(',').length > historyMaxChars) all.shift();
  return all.join(',');
}
