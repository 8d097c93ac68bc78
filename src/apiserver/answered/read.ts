// Get and list of kinds that are answered, in the forms of the registry: what follows cannot tell them from stored objects.
import { StatusError } from '../../machinery/index.ts';
import { Entry } from '../../storage/index.ts';
import type { AnsweredKind, Place, RegistryCore } from '../registry/core.ts';
import type { ListAnswer, ListOptions } from '../registry/list.ts';
import type { Answer } from '../registry/objects.ts';
import { select, selected } from '../registry/selection.ts';

export async function readAnswered(core: RegistryCore, from: AnsweredKind, at: Place): Promise<Answer> {
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
  options: ListOptions,
): Promise<ListAnswer> {
  const selection = select(from.kind, undefined, options);
  const all = (await from.readAll?.(core)) ?? [];
  const entries = all
    .map(
      (object) => new Entry(selection.prefix + object.metadata.name, Buffer.from(JSON.stringify(object)), 0),
    )
    .filter((entry) => selected(selection, entry));
  return { entries, revision: 0, continue: undefined, remaining: undefined };
}
