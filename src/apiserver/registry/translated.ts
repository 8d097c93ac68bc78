// Entries of a kind whose version somebody outside makes of what is stored: each becomes an entry in that version, once, for as long as
// somebody holds the stored one. Everything behind this file then knows no difference.
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import { type CommitResult, Entry, type StoreEvent, spliceRevision } from '../../storage/index.ts';
import { commit, type RegistryCore, type Write } from './core.ts';
import { encodeForStore, freeze, objectOf } from './objects.ts';

/** What has been made, or is on its way, by the stored entry. */
const made = new WeakMap<KindDef, WeakMap<Entry, Promise<Entry>>>();

/** The entry as the kind shows it: the same one unless somebody must be asked. */
export const inVersion = (kind: KindDef, entry: Entry): Entry | Promise<Entry> =>
  kind.translation === null ? entry : translate(kind, [entry])[0]!;

export const allInVersion = (
  kind: KindDef,
  entries: readonly Entry[],
): readonly Entry[] | Promise<readonly Entry[]> =>
  kind.translation === null ? entries : Promise.all(translate(kind, entries));

export async function eventsInVersion(
  kind: KindDef,
  events: readonly StoreEvent[],
): Promise<readonly StoreEvent[]> {
  const entries = events.flatMap(({ entry, previous }) =>
    previous === undefined ? [entry] : [entry, previous],
  );
  const shown = await allInVersion(kind, entries);
  let at = 0;
  return events.map(({ type, previous }) => ({
    type,
    entry: shown[at++]!,
    previous: previous && shown[at++]!,
  }));
}

/** Asks once for all that nobody has asked for yet. What failed is asked for again. */
function translate(kind: KindDef, entries: readonly Entry[]): readonly Promise<Entry>[] {
  let known = made.get(kind);
  if (known === undefined) {
    known = new WeakMap();
    made.set(kind, known);
  }
  const missing = entries.filter((entry) => !known.has(entry));
  if (missing.length > 0) {
    const asked = kind.translation!.fromStored(missing.map((entry) => objectOf(entry)));
    for (const [i, entry] of missing.entries()) {
      const shown = asked.then((objects) => entryOf(entry, objects[i]!));
      known.set(entry, shown);
      shown.catch(() => known.delete(entry));
    }
  }
  return entries.map((entry) => known.get(entry)!);
}

function entryOf({ key, revision }: Entry, object: KubeObject): Entry {
  const entry = new Entry(key, spliceRevision(encodeForStore(object), revision), revision);
  object.metadata.resourceVersion = String(revision);
  entry.object = freeze(object);
  return entry;
}

/** `commit` of an object of this kind, and the entry that comes of it, in the version of the kind. */
export const commitOf = (
  core: Pick<RegistryCore, 'store'>,
  kind: KindDef,
  write: Write,
): Promise<CommitResult> =>
  kind.translation === null ? commit(core, write) : commitTranslated(core, kind, write);

async function commitTranslated(
  core: Pick<RegistryCore, 'store'>,
  kind: KindDef,
  write: Write,
): Promise<CommitResult> {
  const object = write.object && (await kind.translation!.toStored(write.object));
  const result = await commit(core, { ...write, object });
  if (!result.ok || result.entry === undefined || object === null) return result;
  return { ok: true, entry: await inVersion(kind, result.entry) };
}
