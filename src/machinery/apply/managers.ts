// Who owns which fields: metadata.managedFields, and what a create or update does to it. The rules are those of the API server's
// fieldmanager. HOT: every write (bench/apply.ts).
import { formatTime } from '../codec/time.ts';
import type { KubeObject, ManagedFieldsEntry } from '../meta/object-meta.ts';
import type { ObjectSchema } from '../schema/schema.ts';
import { createdSet, sharedSet } from './created.ts';
import {
  difference,
  equalSets,
  type FieldSet,
  type FieldsV1,
  readSet,
  recursiveDifference,
  union,
} from './field-set.ts';
import { type Comparison, compare, emptyOf, type Json, type Part } from './fields.ts';

export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** '' = the object itself */
  readonly subresource: string;
}

export interface Owner extends Manager {
  readonly fields: FieldSet;
  readonly time: string | undefined;
  /** How it is stored, as long as nothing changed. */
  readonly entry: ManagedFieldsEntry | null;
}

/** How the objects of one API version look: ownership is written down in the terms of the version that wrote. */
export interface VersionView {
  readonly schema: ObjectSchema;
  fromStored(object: KubeObject): KubeObject;
  toStored(object: KubeObject): KubeObject;
}

export interface ManagedWrite {
  readonly manager: Manager;
  readonly part: Part;
  readonly nowMs: number;
  /** undefined = that version is no longer served: what was owned in its terms is forgotten. */
  view(apiVersion: string): VersionView | undefined;
}

/** Updaters beyond this many are merged into one owner of this name, oldest first. */
const maxUpdaters = 10;
const ancient = 'ancient-changes';

export const sameManager = (a: Manager, b: Manager): boolean =>
  a.name === b.name &&
  a.operation === b.operation &&
  a.subresource === b.subresource &&
  (a.operation === 'Apply' || a.apiVersion === b.apiVersion);

/** The owners of a stored object. */
export function storedOwners(entries: readonly ManagedFieldsEntry[] | undefined): Owner[] {
  return (entries ?? []).map((entry) => {
    const { manager = '', operation, apiVersion = '', subresource = '', fieldsV1, time } = entry;
    const fields = isEmptyObject(fieldsV1) ? undefined : (fieldsV1 as FieldSet);
    return { name: manager, operation: operation!, apiVersion, subresource, fields, time, entry };
  });
}

function isEmptyObject(value: unknown): boolean {
  for (const _ in value as object) return false;
  return true;
}

/** The owners that a request names. undefined = the list cannot be used, as if it had not been sent. */
function givenOwners(entries: readonly ManagedFieldsEntry[]): Owner[] | undefined {
  const out: Owner[] = [];
  for (const {
    manager = '',
    operation,
    apiVersion = '',
    subresource = '',
    fieldsType,
    fieldsV1,
    time,
  } of entries) {
    if ((operation !== 'Apply' && operation !== 'Update') || apiVersion === '' || fieldsType !== 'FieldsV1')
      return undefined;
    try {
      const fields = readSet(fieldsV1 ?? {});
      out.push({ name: manager, operation, apiVersion, subresource, fields, time, entry: null });
    } catch {
      return undefined;
    }
  }
  return out;
}

/** An explicit empty list, or a list of one empty entry, asks to forget who owns what. */
const isReset = (entries: readonly ManagedFieldsEntry[]): boolean =>
  entries.length === 0 ||
  (entries.length === 1 && Object.values(entries[0]!).every((value) => value === undefined || value === ''));

/** Clients send back what they read, or nothing; what they say counts only when it differs from what is stored. */
function ownersBefore(
  live: readonly ManagedFieldsEntry[] | undefined,
  given: readonly ManagedFieldsEntry[] | undefined,
): Owner[] {
  if (given === undefined || sameEntries(given, live)) return storedOwners(live);
  if (isReset(given)) return [];
  return givenOwners(given) ?? storedOwners(live);
}

function sameEntries(
  a: readonly ManagedFieldsEntry[],
  b: readonly ManagedFieldsEntry[] | undefined,
): boolean {
  return (
    a.length === b?.length && a.every((entry, i) => sameEntry(entry, b[i]!) && entry.time === b[i]!.time)
  );
}

function sameEntry(a: ManagedFieldsEntry, b: ManagedFieldsEntry): boolean {
  return (
    a === b ||
    (a.manager === b.manager &&
      a.operation === b.operation &&
      a.apiVersion === b.apiVersion &&
      (a.subresource ?? '') === (b.subresource ?? '') &&
      a.fieldsType === b.fieldsType &&
      equalSets(a.fieldsV1 as FieldSet, b.fieldsV1 as FieldSet))
  );
}

/** The same owners of the same fields, whenever it was. A write that changes nothing else is none. */
export function sameOwnership(
  a: readonly ManagedFieldsEntry[] | undefined,
  b: readonly ManagedFieldsEntry[] | undefined,
): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((entry) => b.some((other) => sameEntry(entry, other)));
}

/** What changed between two stored objects, in the terms of each version that is asked for. */
export function comparisons(
  { view, part }: ManagedWrite,
  before: KubeObject | undefined,
  after: KubeObject,
): (apiVersion: string) => Comparison | undefined {
  const made = new Map<string, Comparison | undefined>();
  return (apiVersion) => {
    if (made.has(apiVersion)) return made.get(apiVersion);
    const seen = view(apiVersion);
    const found =
      seen &&
      compare(
        seen.schema,
        {
          before: before === undefined ? emptyOf(seen.schema) : json(seen.fromStored(before)),
          after: json(seen.fromStored(after)),
        },
        part,
      );
    made.set(apiVersion, found);
    return found;
  };
}

export const json = (object: KubeObject): Json => object as unknown as Json;

/**
 * Notes a create (`before` undefined) or an update in `after.metadata.managedFields`: the manager now owns what differs, and
 * everybody else no longer does. An object whose owners are not known stays so until something is applied to it.
 */
export function noteUpdate(write: ManagedWrite, before: KubeObject | undefined, after: KubeObject): void {
  const { manager } = write;
  const live = before?.metadata.managedFields;
  const owners = ownersBefore(live, manager.subresource === '' ? after.metadata.managedFields : undefined);
  if (before !== undefined && owners.length === 0) {
    delete after.metadata.managedFields;
    return;
  }
  const comparison = comparisons(write, before, after);
  const mine = before === undefined ? createdFields(write, after) : comparison(manager.apiVersion)?.changed;
  const next: Owner[] = [];
  let noted = false;
  for (const owner of owners) {
    const differs = comparison(owner.apiVersion);
    if (differs === undefined) continue;
    let left = recursiveDifference(difference(owner.fields, differs.changed), differs.removed);
    if (mine !== undefined && sameManager(owner, manager)) {
      noted = true;
      left = union(left, mine);
      left = equalSets(left, owner.fields) ? owner.fields : sharedIn(write, left);
      next.push({ ...owner, fields: left, time: formatTime(write.nowMs), entry: null });
    } else if (left !== undefined) next.push(withFields(owner, left));
  }
  if (mine !== undefined && !noted) {
    const fields = before === undefined ? mine : sharedIn(write, mine);
    next.push({ ...manager, fields, time: formatTime(write.nowMs), entry: null });
  }
  setOwners(after, capped(next), live);
}

function createdFields({ view, manager, part }: ManagedWrite, after: KubeObject): FieldSet {
  const seen = view(manager.apiVersion);
  return seen && createdSet(seen.schema, json(seen.fromStored(after)), part);
}

function sharedIn({ view, manager }: ManagedWrite, set: FieldSet): FieldSet {
  const schema = view(manager.apiVersion)?.schema;
  return schema === undefined ? set : sharedSet(schema, set);
}

export const withFields = (owner: Owner, fields: FieldSet): Owner =>
  fields === owner.fields ? owner : { ...owner, fields, entry: null };

/** Writes the owners down. The stored list itself when it says the same. */
export function setOwners(
  object: KubeObject,
  owners: readonly Owner[],
  live: readonly ManagedFieldsEntry[] | undefined,
): void {
  const { metadata } = object;
  if (owners.length === 0) delete metadata.managedFields;
  else if (owners.length === live?.length && owners.every(({ entry }, i) => entry === live[i]))
    metadata.managedFields = live as ManagedFieldsEntry[];
  else metadata.managedFields = [...owners].sort(writtenOrder).map(entryOf);
}

const entryOf = ({
  name,
  operation,
  apiVersion,
  subresource,
  fields,
  time,
  entry,
}: Owner): ManagedFieldsEntry =>
  entry ?? {
    manager: name,
    operation,
    apiVersion,
    ...(time !== undefined && { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: fields ?? ({} satisfies FieldsV1),
    ...(subresource !== '' && { subresource }),
  };

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Appliers first, then by time and name: the order in which Kubernetes writes them. */
const writtenOrder = (a: Owner, b: Owner): number =>
  order(a.operation, b.operation) ||
  order(a.time ?? '', b.time ?? '') ||
  order(a.name, b.name) ||
  order(a.apiVersion, b.apiVersion) ||
  order(a.subresource, b.subresource);

/** Merges the oldest updaters of the same version until no more than the limit are left. */
function capped(owners: readonly Owner[]): readonly Owner[] {
  const updaters = owners.filter((o) => o.operation === 'Update');
  let over = updaters.length - maxUpdaters;
  if (over <= 0) return owners;
  updaters.sort(writtenOrder);
  const merged = new Map<string, Owner[]>();
  for (const owner of updaters) {
    if (over <= 0) break;
    const bucket = merged.get(owner.apiVersion);
    if (bucket === undefined) merged.set(owner.apiVersion, [owner]);
    else {
      bucket.push(owner);
      over--;
    }
  }
  const buckets = [...merged.values()].filter((bucket) => bucket.length > 1);
  const gone = new Set(buckets.flat());
  const made = buckets.map((bucket): Owner => {
    const fields = bucket.reduce<FieldSet>((set, owner) => union(set, owner.fields), undefined);
    return { ...bucket.at(-1)!, name: ancient, subresource: '', fields, entry: null };
  });
  return [...owners.filter((owner) => !gone.has(owner)), ...made];
}
