// Get and list of kinds that are answered, in the forms of the registry: what follows cannot tell them from stored objects.
import { type KubeObject, StatusError, storageKey } from '../../machinery/index.ts';
import { Entry } from '../../storage/index.ts';
import type { AnsweredKind, Place, RegistryCore } from '../registry/core.ts';
import type { ListAnswer, ListOptions } from '../registry/list.ts';
import type { Answer } from '../registry/objects.ts';
import { select, selected } from '../registry/selection.ts';

export async function readAnswered(core: RegistryCore, from: AnsweredKind, at: Place): Promise<Answer> {
  if (from.read !== undefined) return { code: 200, entry: null, object: await from.read(core, at) };
  const all = (await from.readAll?.(core)) ?? [];
  const object = all.find(({ metadata }) => metadata.name === at.name);
  // The words and the code are Kubernetes', although it is only not there.
  if (object === undefined) throw new StatusError(500, 'Unknown', `Component not found: ${at.name}`);
  return { code: 200, entry: null, object };
}

/** The whole list at once: nothing here is so long that it would need pages. Its revision is 0, that of no state of the store. */
export async function listAnswered(
  core: RegistryCore,
  from: AnsweredKind,
  options: ListOptions & { readonly namespace: string | undefined },
): Promise<ListAnswer> {
  const selection = select(from.kind, undefined, options);
  const entryOf = (object: KubeObject) =>
    new Entry(storageKey(from.kind, object.metadata), Buffer.from(JSON.stringify(object)), 0);
  if (from.readSome !== undefined) {
    const some = await from.readSome(core, options);
    return { entries: some.map(entryOf), revision: 0, continue: undefined, remaining: undefined };
  }
  const all = (await from.readAll?.(core)) ?? [];
  const entries = all.map(entryOf).filter((entry) => selected(selection, entry));
  return { entries, revision: 0, continue: undefined, remaining: undefined };
}
