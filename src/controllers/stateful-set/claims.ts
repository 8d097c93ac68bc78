// The claims of a pod of a StatefulSet: made from the templates, found again by name, and owned by whom the retention policy says.
// An owner reference is all that deletes a claim: the collector takes it along with its set or its pod. Pure.
import type { coreV1, PersistentVolumeClaim, Pod, StatefulSet } from '../../api/index.ts';
import { controllerRef, type Draft, type OwnerReference } from '../../machinery/index.ts';
import { claimName, rangeOf } from './identity.ts';

/** What is amiss with the claims of one pod. */
export interface ClaimChanges {
  readonly create: readonly Draft<PersistentVolumeClaim>[];
  /** With the owners they should have. */
  readonly update: readonly PersistentVolumeClaim[];
  /** Names of those on their way out. */
  readonly deleting: readonly string[];
  /** Names of those that somebody else manages, so that the policy does not count. */
  readonly conflicting: readonly string[];
}

export interface ClaimView {
  readonly set: StatefulSet;
  readonly ordinal: number;
  /** undefined = not made yet. */
  readonly pod: Pod | undefined;
  /** From memory, by name. */
  readonly claimNamed: (name: string) => PersistentVolumeClaim | undefined;
}

const policyOf = ({ spec: { persistentVolumeClaimRetentionPolicy: policy } }: StatefulSet) => ({
  deletes: policy?.whenDeleted === 'Delete',
  scales: policy?.whenScaled === 'Delete',
});

export function planClaims(view: ClaimView): ClaimChanges {
  const { set, ordinal, claimNamed } = view;
  const create: Draft<PersistentVolumeClaim>[] = [];
  const update: PersistentVolumeClaim[] = [];
  const deleting: string[] = [];
  const conflicting: string[] = [];
  for (const template of set.spec.volumeClaimTemplates ?? []) {
    const name = claimName(set, template, ordinal);
    const found = claimNamed(name);
    if (found === undefined) {
      create.push(claimDraft(view, template));
      continue;
    }
    if (found.metadata.deletionTimestamp !== undefined) deleting.push(name);
    if (isForeign(view, found)) conflicting.push(name);
    const owners = newOwners(view, found);
    if (owners !== undefined)
      update.push({ ...found, metadata: { ...found.metadata, ownerReferences: owners } });
  }
  return { create, update, deleting, conflicting };
}

function claimDraft(view: ClaimView, template: coreV1.PersistentVolumeClaim): Draft<PersistentVolumeClaim> {
  const { set, ordinal } = view;
  const { labels, annotations } = template.metadata;
  const all = { ...labels, ...set.spec.selector.matchLabels };
  const owners = wantedOwners(view);
  return {
    metadata: {
      name: claimName(set, template, ordinal),
      namespace: set.metadata.namespace,
      ...(Object.keys(all).length > 0 && { labels: all }),
      ...(annotations !== undefined && { annotations: { ...annotations } }),
      ...(owners.length > 0 && { ownerReferences: owners }),
    },
    spec: structuredClone(template.spec),
  } as Draft<PersistentVolumeClaim>;
}

/**
 * Whether the pod must wait for a claim that still belongs to a former pod of its name: it will be deleted with that one, and
 * the new pod is to start with an empty volume.
 */
export function hasStaleClaim(view: ClaimView): boolean {
  const { set, ordinal, claimNamed } = view;
  if (!policyOf(set).scales) return false;
  return (set.spec.volumeClaimTemplates ?? []).some((template) => {
    const refs = claimNamed(claimName(set, template, ordinal))?.metadata.ownerReferences ?? [];
    return refs.some((ref) => isPodRef(view, ref) && ref.uid !== view.pod?.metadata.uid);
  });
}

const isSetRef = ({ set }: ClaimView, ref: OwnerReference): boolean =>
  ref.apiVersion === 'apps/v1' && ref.kind === 'StatefulSet' && ref.name === set.metadata.name;
const isPodRef = ({ set, ordinal }: ClaimView, ref: OwnerReference): boolean =>
  ref.apiVersion === 'v1' && ref.kind === 'Pod' && ref.name === `${set.metadata.name}-${ordinal}`;

/** A pod that is scaled away takes its claim along; until then the set does, if it is to. */
function wantedOwners({ set, ordinal, pod }: ClaimView): OwnerReference[] {
  const { deletes, scales } = policyOf(set);
  const { start, end } = rangeOf(set);
  const condemned = ordinal < start || ordinal >= end;
  if (scales && condemned) return pod === undefined ? [] : [controllerRef(pod)];
  return deletes ? [controllerRef(set)] : [];
}

const isForeign = (view: ClaimView, claim: PersistentVolumeClaim): boolean => {
  const { deletes, scales } = policyOf(view.set);
  if (!deletes && !scales) return false;
  return (claim.metadata.ownerReferences ?? []).some(
    (ref) => ref.controller === true && !isSetRef(view, ref) && !isPodRef(view, ref),
  );
};

/** undefined = they are right, or left alone because they are of a former set or pod of that name. */
function newOwners(view: ClaimView, claim: PersistentVolumeClaim): OwnerReference[] | undefined {
  const refs = claim.metadata.ownerReferences ?? [];
  const { set, pod } = view;
  const ours = (ref: OwnerReference) => isSetRef(view, ref) || isPodRef(view, ref);
  const known = new Set([set.metadata.uid, pod?.metadata.uid]);
  if (refs.some((ref) => ours(ref) && !known.has(ref.uid))) return undefined;
  const others = refs.filter((ref) => !ours(ref));
  const wanted = isForeign(view, claim) ? others : [...others, ...wantedOwners(view)];
  return sameOwners(refs, wanted) ? undefined : wanted;
}

const sameOwners = (a: readonly OwnerReference[], b: readonly OwnerReference[]): boolean =>
  a.length === b.length &&
  a.every((ref) =>
    b.some((other) => other.uid === ref.uid && (other.controller ?? false) === (ref.controller ?? false)),
  );
