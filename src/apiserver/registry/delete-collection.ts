// Deletecollection: a list, then one delete each, a few at a time. Objects that vanish meanwhile are none of its business.
import { type DeleteOptions, isNotFound } from '../../machinery/index.ts';
import type { CallContext } from './context.ts';
import type { Place, RegistryCore } from './core.ts';
import { remove } from './delete.ts';
import { type ListAnswer, type ListOptions, list } from './list.ts';
import { objectOf } from './objects.ts';

const parallel = 16;

export interface DeleteCollectionCall {
  readonly at: Pick<Place, 'kind' | 'namespace'>;
  /** Which objects; also pages, though the rest then needs another call. */
  readonly query: ListOptions;
  readonly options: DeleteOptions;
  readonly context: CallContext;
}

/** Returns what was listed; each object of it is deleted or marked by then. */
export async function removeCollection(
  core: RegistryCore,
  { at, query, options, context }: DeleteCollectionCall,
): Promise<ListAnswer> {
  const found = await list(core, at, query);
  let next = 0;
  const work = async () => {
    while (next < found.entries.length) {
      const { metadata } = objectOf(found.entries[next++]!);
      const place = { kind: at.kind, namespace: metadata.namespace, name: metadata.name };
      try {
        await remove(core, { at: place, options, context });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, found.entries.length) }, work));
  return found;
}
