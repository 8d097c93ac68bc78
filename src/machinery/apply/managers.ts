// Who owns which fields: metadata.managedFields in memory, and what updates and applies do to it. The rules are those of
// structured-merge-diff and of the API server's fieldmanager.
import { formatTime } from '../codec/time.ts';
import type { KubeObject, ManagedFieldsEntry } from '../meta/object-meta.ts';
import type { ObjectSchema } from '../schema/schema.ts';
import {
  difference,
  equalSets,
  FieldSet,
  fromFieldsV1,
  intersection,
  paths,
  pathText,
  recursiveDifference,
  toFieldsV1,
  union,
} from './field-set.ts';
import { overlay, prune } from './merge.ts';
import { compare, fieldsOf } from './walk.ts';

export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** '' = the object itself */
  readonly subresource: string;
}

interface Owned extends Manager {
  readonly fields: FieldSet;
  readonly time: string | undefined;
}

export interface Conflict {
  readonly manager: Manager;
  /** `.spec.replicas` */
  readonly field: string;
}

export class ApplyConflict extends Error {
  readonly conflicts: readonly Conflict[];
  constructor(conflicts: readonly Conflict[]) {
    super(`Apply failed with ${conflicts.length} conflict${conflicts.length === 1 ? '' : 's'}`);
    this.conflicts = conflicts;
  }
}

type Json = Record<string, unknown>;

/** Updaters beyond this many are merged into one entry, oldest first. */
const maxUpdaters = 10;
const ancient = 'ancient-changes';

/** Never owned: what identifies an object, and what only the server sets. */
const unowned = [
  'f:name',
  'f:namespace',
  'f:uid',
  'f:resourceVersion',
  'f:generation',
  'f:creationTimestamp',
  'f:deletionTimestamp',
  'f:deletionGracePeriodSeconds',
  'f:selfLink',
  'f:managedFields',
];

function ownable(set: FieldSet, ignoreStatus: boolean, onlyStatus: boolean): FieldSet {
  const out = new FieldSet();
  for (const [edge, child] of set.children ?? []) {
    if (edge === 'f:apiVersion' || edge === 'f:kind') continue;
    if (edge === 'f:status' ? ignoreStatus : onlyStatus && edge !== 'f:metadata') continue;
    if (edge !== 'f:metadata') {
      out.put(edge, child);
      continue;
    }
    const metadata = new FieldSet();
    for (const [name, below] of child.children ?? []) if (!unowned.includes(name)) metadata.put(name, below);
    out.put(edge, metadata);
  }
  return out;
}

/** The entries of an object. Entries that cannot be read are dropped, as if their manager had let go. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Owned[] {
  const out: Owned[] = [];
  for (const { manager = '', operation, apiVersion = '', subresource = '', fieldsV1, time } of entries ??
    []) {
    const fields = fromFieldsV1(fieldsV1);
    if (fields === undefined || (operation !== 'Apply' && operation !== 'Update')) continue;
    out.push({ name: manager, operation, apiVersion, subresource, fields, time });
  }
  return out;
}

const sameManager = (a: Manager, b: Manager): boolean =>
  a.name === b.name &&
  a.operation === b.operation &&
  a.subresource === b.subresource &&
  (a.operation === 'Apply' || a.apiVersion === b.apiVersion);

/** Appliers first, then by time and name: the order in which Kubernetes writes them. */
function writeManagers(owned: readonly Owned[]): ManagedFieldsEntry[] {
  return [...owned]
    .sort((a, b) => {
      if (a.operation !== b.operation) return a.operation < b.operation ? -1 : 1;
      if ((a.time ?? '') !== (b.time ?? '')) return (a.time ?? '') < (b.time ?? '') ? -1 : 1;
      if (a.name !== b.name) return a.name < b.name ? -1 : 1;
      return a.subresource < b.subresource ? -1 : 1;
    })
    .map(({ name, operation, apiVersion, subresource, fields, time }) => ({
      manager: name,
      operation,
      apiVersion,
      ...(time !== undefined && { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: toFieldsV1(fields),
      ...(subresource !== '' && { subresource }),
    }));
}

/** Oldest updaters beyond the limit become one entry per version. */
function capped(owned: readonly Owned[]): readonly Owned[] {
  const updaters = owned
    .filter((o) => o.operation === 'Update')
    .sort((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1));
  if (updaters.length <= maxUpdaters) return owned;
  const merged = updaters.slice(0, updaters.length - maxUpdaters + 1);
  const rest = owned.filter((o) => !merged.includes(o));
  const byVersion = new Map<string, Owned>();
  for (const one of merged) {
    const found = byVersion.get(one.apiVersion);
    byVersion.set(one.apiVersion, {
      ...one,
      name: ancient,
      subresource: '',
      fields: union(found?.fields, one.fields),
    });
  }
  return [...rest, ...byVersion.values()];
}

/** What a write may own: the main resource never owns status, the status subresource nothing else. */
const filtered = (set: FieldSet, { subresource }: Manager, statusSubresource: boolean): FieldSet =>
  ownable(set, statusSubresource && subresource !== 'status', subresource === 'status');

export interface ManagedWrite {
  readonly schema: ObjectSchema;
  readonly manager: Manager;
  /** The kind has a status subresource, so the main resource does not own status. */
  readonly statusSubresource: boolean;
  readonly nowMs: number;
}

/**
 * Notes an update: `manager` now owns what differs between `before` and `after`, and everybody else no longer does. Sets
 * `after.metadata.managedFields`. For a create `before` is the kind's empty object.
 */
export function noteUpdate(write: ManagedWrite, before: Json, after: KubeObject): void {
  const { manager } = write;
  const entries = after.metadata.managedFields;
  // An explicit empty list, or one empty entry, resets ownership.
  const reset =
    entries !== undefined &&
    (entries.length === 0 ||
      (entries.length === 1 && entries[0]!.manager === undefined && entries[0]!.fieldsV1 === undefined));
  const base = reset ? [] : readManagers(entries ?? (before as Partial<KubeObject>).metadata?.managedFields);
  const { changed, removed } = compare(write.schema, before, after as unknown as Json);
  const mine = filtered(changed, manager, write.statusSubresource);
  const gone = ownable(removed, false, false);
  const next: Owned[] = [];
  let found: Owned | undefined;
  for (const owned of base) {
    if (sameManager(owned, manager)) found = owned;
    else keep(next, owned, recursiveDifference(difference(owned.fields, mine), gone));
  }
  const fields = union(found === undefined ? undefined : recursiveDifference(found.fields, gone), mine);
  if (!fields.isEmpty) {
    const unchanged = found !== undefined && equalSets(found.fields, fields) && mine.isEmpty;
    next.push({ ...manager, fields, time: unchanged ? found!.time : formatTime(write.nowMs) });
  }
  settle(after, next);
}

function keep(list: Owned[], owned: Owned, fields: FieldSet): void {
  if (!fields.isEmpty) list.push(fields === owned.fields ? owned : { ...owned, fields });
}

function settle(object: KubeObject, owned: readonly Owned[]): void {
  if (owned.length === 0) delete object.metadata.managedFields;
  else object.metadata.managedFields = writeManagers(capped(owned));
}

/**
 * Applies a configuration: the new object, with its managedFields. Throws ApplyConflict when a field of it has another value and
 * another owner, unless `force`. `live` undefined = it is created. The configuration carries no managedFields of its own.
 */
export function applyConfiguration(
  write: ManagedWrite,
  live: KubeObject | undefined,
  configuration: Json,
  options: { force: boolean; empty: Json },
): KubeObject {
  const { schema, manager } = write;
  const before = (live as unknown as Json | undefined) ?? options.empty;
  let base = readManagers(live?.metadata.managedFields);
  // Objects from before their fields were tracked: what is there belongs to somebody, so that applying does not take it silently.
  if (live !== undefined && base.length === 0) {
    base = [
      {
        name: 'before-first-apply',
        operation: 'Update',
        apiVersion: manager.apiVersion,
        subresource: '',
        fields: ownable(fieldsOf(schema, before), false, false),
        time: formatTime(write.nowMs),
      },
    ];
  }
  const wanted = filtered(fieldsOf(schema, configuration), manager, write.statusSubresource);
  const previous = base.find((o) => sameManager(o, manager));
  const others = base.filter((o) => o !== previous);

  let next = overlay(schema, before, configuration);
  if (previous !== undefined) {
    const kept = others.reduce((set, o) => union(set, o.fields), wanted);
    next = prune(schema, next, difference(previous.fields, wanted), kept);
  }
  const { changed, removed } = compare(schema, before, next);
  const touched = ownable(changed, false, false);
  const conflicts: Conflict[] = [];
  const after: Owned[] = [];
  const gone = ownable(removed, false, false);
  for (const owned of others) {
    const contested = intersection(owned.fields, touched);
    if (!contested.isEmpty && !options.force)
      for (const path of paths(contested)) conflicts.push({ manager: owned, field: pathText(path) });
    keep(after, owned, recursiveDifference(difference(owned.fields, contested), gone));
  }
  if (conflicts.length > 0) throw new ApplyConflict(conflicts);
  const unchanged =
    previous !== undefined && equalSets(previous.fields, wanted) && touched.isEmpty && gone.isEmpty;
  if (!wanted.isEmpty)
    after.push({ ...manager, fields: wanted, time: unchanged ? previous.time : formatTime(write.nowMs) });
  const object = { ...next, metadata: { ...(next['metadata'] as object) } } as unknown as KubeObject;
  settle(object, after);
  return object;
}

/** The text of a conflict, as kubectl prints it. */
export function conflictText({ conflicts }: ApplyConflict): string {
  const groups = new Map<string, string[]>();
  for (const { manager, field } of conflicts) {
    const who = describeManager(manager);
    groups.set(who, [...(groups.get(who) ?? []), field]);
  }
  const texts = [...groups].map(
    ([who, fields]) =>
      `${who}:${fields.length === 1 ? ` ${fields[0]}` : fields.map((f) => `\n- ${f}`).join('')}`,
  );
  return `Apply failed with ${conflicts.length} conflict${conflicts.length === 1 ? '' : 's'}: ${texts.join('\n')}`;
}

export const describeManager = ({ name, subresource, apiVersion }: Manager): string =>
  `conflict with ${JSON.stringify(name)}${subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`} using ${apiVersion}`;
