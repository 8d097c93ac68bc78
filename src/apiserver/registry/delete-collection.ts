// Deletecollection: a list, then one delete each, a few at a time. Objects that vanish meanwhile are none of its business.
import { type DeleteOptions, isNotFound } from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import type { CallContext } from './context.ts';
import type { Place, RegistryCore } from './core.ts';
import { remove } from './delete.ts';
import { list } from './list.ts';
import { objectOf } from './objects.ts';

const parallel = 16;

/** Returns the entries that were deleted or marked, as they were listed. */
export async function removeCollection(
  core: RegistryCore,
  at: Pick<Place, 'kind' | 'namespace'>,
  selectors: { labelSelector?: string | undefined; fieldSelector?: string | undefined },
  options: DeleteOptions,
  context: CallContext,
): Promise<readonly Entry[]> {
  const { entries } = await list(core, at, selectors);
  let next = 0;
  const work = async () => {
    while (next < entries.length) {
      const { metadata } = objectOf(entries[next++]!);
      try {
        await remove(
          core,
          { kind: at.kind, namespace: metadata.namespace, name: metadata.name },
          options,
          context,
        );
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, entries.length) }, work));
  return entries;
}
