// What owner references mean for one object: keep it, forget dead owners, or delete it. Pure.
import type { KubeObject, OwnerReference } from '../../machinery/index.ts';

/** What is known of an owner: there, being deleted in the foreground (it waits for its dependents), or gone. */
export type OwnerState = 'solid' | 'waiting' | 'absent';

export type Verdict =
  | { readonly do: 'nothing' }
  /** Owners that are gone leave the list. */
  | { readonly do: 'unlink'; readonly keep: readonly OwnerReference[] }
  | { readonly do: 'delete'; readonly policy: 'Background' | 'Foreground' | 'Orphan' };

export const orphanFinalizer = 'orphan';
export const foregroundFinalizer = 'foregroundDeletion';

/** What happens to an object whose owners are in these states. An object without owners is nobody's garbage. */
export function judge(object: KubeObject, stateOf: (owner: OwnerReference) => OwnerState): Verdict {
  const owners = object.metadata.ownerReferences ?? [];
  if (owners.length === 0 || object.metadata.deletionTimestamp !== undefined) return { do: 'nothing' };
  const solid: OwnerReference[] = [];
  let waiting = false;
  let absent = false;
  for (const owner of owners) {
    const state = stateOf(owner);
    if (state === 'solid') solid.push(owner);
    else if (state === 'waiting') waiting = true;
    else absent = true;
  }
  if (solid.length > 0) return absent || waiting ? { do: 'unlink', keep: solid } : { do: 'nothing' };
  if (waiting) return { do: 'delete', policy: 'Foreground' };
  return { do: 'delete', policy: ownPolicy(object) };
}

/** An object that already says how it wants to go is asked again in the same words. */
function ownPolicy({ metadata }: KubeObject): 'Background' | 'Foreground' | 'Orphan' {
  if (metadata.finalizers?.includes(orphanFinalizer)) return 'Orphan';
  if (metadata.finalizers?.includes(foregroundFinalizer)) return 'Foreground';
  return 'Background';
}

/** Whether a dependent keeps its foreground-deleted owner alive. */
export const blocks = (dependent: KubeObject, ownerUid: string): boolean =>
  dependent.metadata.ownerReferences?.some((o) => o.uid === ownerUid && o.blockOwnerDeletion === true) ===
  true;
