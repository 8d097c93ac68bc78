// The templates that a StatefulSet or a DaemonSet has had: one ControllerRevision each, numbered; the highest number is in force. Two
// revisions are the same when their data are, so rolling back gives an old one the highest number instead of making another. Pure.
import type { ControllerRevision, coreV1 } from '../../api/index.ts';
import { controllerRef, type Draft, type KubeObject, semanticEqual } from '../../machinery/index.ts';
import { canonical, templateHash } from '../template-hash.ts';

/** What has a history. */
export interface Versioned extends KubeObject {
  readonly spec: { readonly template: coreV1.PodTemplateSpec };
  readonly status?: { readonly collisionCount?: number | undefined } | undefined;
}

/** What is to be done so that the owner's template has a revision, and the highest number. */
export type HistoryStep =
  | { readonly do: 'keep'; readonly revision: ControllerRevision }
  | { readonly do: 'renumber'; readonly revision: ControllerRevision; readonly number: number }
  | { readonly do: 'create'; readonly number: number };

/** The strategic merge patch that brings the template back: `kubectl rollout undo` sends it as it is. */
export const revisionData = (template: coreV1.PodTemplateSpec): unknown =>
  canonical({ spec: { template: { ...template, $patch: 'replace' } } });

/** Oldest first. */
export const inOrder = (revisions: readonly ControllerRevision[]): readonly ControllerRevision[] =>
  [...revisions].sort((a, b) => a.revision - b.revision || compareAge(a, b));

function compareAge({ metadata: a }: ControllerRevision, { metadata: b }: ControllerRevision): number {
  const [left, right] =
    a.creationTimestamp === b.creationTimestamp
      ? [a.name, b.name]
      : [a.creationTimestamp, b.creationTimestamp];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** `revisions`: those that the owner has, in any order. */
export function planHistory(owner: Versioned, revisions: readonly ControllerRevision[]): HistoryStep {
  const ordered = inOrder(revisions);
  const newest = ordered.at(-1);
  const data = revisionData(owner.spec.template);
  const same = ordered.findLast((revision) => semanticEqual(revision.data, data));
  const number = (newest?.revision ?? 0) + 1;
  if (same === undefined) return { do: 'create', number };
  return same === newest ? { do: 'keep', revision: same } : { do: 'renumber', revision: same, number };
}

/** The hash is in the name and under `hashLabel`; another `collisionCount` gives another one. */
export function revisionDraft(
  owner: Versioned,
  number: number,
  { hashLabel, collisionCount }: { readonly hashLabel: string; readonly collisionCount: number },
): Draft<ControllerRevision> {
  const { name, namespace, annotations } = owner.metadata;
  const data = revisionData(owner.spec.template);
  const hash = templateHash(data, collisionCount);
  return {
    metadata: {
      // Names of revisions may be as long as names can be.
      name: `${name.slice(0, 223)}-${hash}`,
      namespace,
      labels: { ...owner.spec.template.metadata?.labels, [hashLabel]: hash },
      ...(annotations !== undefined && { annotations: { ...annotations } }),
      ownerReferences: [controllerRef(owner)],
    },
    data,
    revision: number,
  };
}

/** The template that a revision brings back. */
export const templateOf = (revision: Pick<ControllerRevision, 'data'>): coreV1.PodTemplateSpec => {
  const { $patch: _, ...template } = (
    revision.data as { spec: { template: coreV1.PodTemplateSpec & { $patch?: string } } }
  ).spec.template;
  return template;
};

/** The oldest that are not needed any more, at most `excess` of them. */
export const expendable = (
  revisions: readonly ControllerRevision[],
  excess: number,
  isLive: (revision: ControllerRevision) => boolean,
): readonly ControllerRevision[] =>
  inOrder(revisions)
    .filter((revision) => !isLive(revision))
    .slice(0, Math.max(0, excess));
