// What owner references mean for one object: keep it, forget dead owners, or delete it. Pure.
import type { KubeObject, OwnerReference } from '../../machinery/index.ts';

/** What is known of an owner: there, being deleted in the foreground (it waits for its dependents), or gone. */
export type OwnerState = 'solid' | 'waiting' | 'absent';

export type DeletePolicy = 'Background' | 'Foreground' | 'Orphan';

export type Verdict =
  | { readonly do: 'nothing' }
  /** These owners are gone or going while others stay: they leave the list. */
  | { readonly do: 'unlink'; readonly uids: readonly string[] }
  | { readonly do: 'delete'; readonly policy: DeletePolicy };

export const orphanFinalizer = 'orphan';
export const foregroundFinalizer = 'foregroundDeletion';

/** Asked to go in the foreground: it waits for its dependents. */
export const isWaiting = ({ metadata }: Pick<KubeObject, 'metadata'>): boolean =>
  metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(foregroundFinalizer) === true;

export interface Judged {
  readonly object: KubeObject;
  /** One for each of its owner references, in their order. */
  readonly owners: readonly OwnerState[];
  readonly hasDependents: boolean;
}

/** An object without owners is nobody's garbage; one that is going already goes. */
export function judge({ object, owners, hasDependents }: Judged): Verdict {
  const references = object.metadata.ownerReferences ?? [];
  if (references.length === 0 || object.metadata.deletionTimestamp !== undefined) return { do: 'nothing' };
  if (owners.includes('solid')) {
    const gone = references.filter((_, i) => owners[i] !== 'solid');
    return gone.length === 0 ? { do: 'nothing' } : { do: 'unlink', uids: gone.map((o) => o.uid) };
  }
  // The owner waits for all that is below it, so what is below goes in the foreground too, if anything is.
  if (owners.includes('waiting') && hasDependents) return { do: 'delete', policy: 'Foreground' };
  return { do: 'delete', policy: ownPolicy(object) };
}

/** An object that already says how it wants to go is asked again in the same words. */
function ownPolicy({ metadata }: KubeObject): DeletePolicy {
  if (metadata.finalizers?.includes(orphanFinalizer)) return 'Orphan';
  if (metadata.finalizers?.includes(foregroundFinalizer)) return 'Foreground';
  return 'Background';
}

/** Whether a dependent keeps its foreground-deleted owner alive. */
export const blocks = (dependent: KubeObject, ownerUid: string): boolean =>
  dependent.metadata.ownerReferences?.some((o) => o.uid === ownerUid && o.blockOwnerDeletion === true) ===
  true;

/** Strategic merge patch: these owners leave the list, whoever else joined it meanwhile. */
export const unlinkPatch = ({ metadata }: KubeObject, uids: readonly string[]) => ({
  metadata: { uid: metadata.uid, ownerReferences: uids.map((uid) => ({ $patch: 'delete', uid })) },
});

/** Strategic merge patch: none of its owners waits for this object any more. */
export const unblockPatch = ({ metadata }: KubeObject) => ({
  metadata: {
    uid: metadata.uid,
    ownerReferences: (metadata.ownerReferences ?? []).map((o: OwnerReference) => ({
      uid: o.uid,
      blockOwnerDeletion: false,
    })),
  },
});

/** What is left of its owner references without these owners. */
export const unlinkedReferences = (
  { metadata }: KubeObject,
  uids: readonly string[],
): readonly OwnerReference[] => (metadata.ownerReferences ?? []).filter((o) => !uids.includes(o.uid));

/** Its owner references, none of which blocks. */
export const unblockedReferences = ({ metadata }: KubeObject): readonly OwnerReference[] =>
  (metadata.ownerReferences ?? []).map((o) => ({ ...o, blockOwnerDeletion: false }));
