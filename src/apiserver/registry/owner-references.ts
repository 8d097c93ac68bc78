// The same owner named twice is one owner too many: it is taken out, and whoever wrote it hears of it, as kube-apiserver does.
import type { KubeObject } from '../../machinery/index.ts';
import { sameJson } from './objects.ts';

/**
 * Takes out of the object the owner references that stand there before, field by field. A warning names their UIDs, also those named
 * more than once. `when` says where they came from: from the body of a create or an update, or from whatever happened to the object
 * until admission was done with it; a patch is only looked at then.
 */
export function dedupOwnerReferences(
  object: KubeObject,
  when: 'given' | 'admitted',
  warnings: string[],
): void {
  const references = object.metadata.ownerReferences;
  if (references === undefined || references.length < 2) return;
  const kept: typeof references = [];
  const twice: string[] = [];
  for (const one of references)
    if (kept.some((other) => other.uid === one.uid && sameJson(other, one))) twice.push(one.uid);
    else kept.push(one);
  if (twice.length === 0) return;
  object.metadata.ownerReferences = kept;
  const since = when === 'admitted' ? ' after mutating admission happens' : '';
  warnings.push(
    `.metadata.ownerReferences contains duplicate entries${since}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${twice.join(', ')}`,
  );
}
