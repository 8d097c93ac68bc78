// Server-side apply: a configuration laid over an object by one of several owners. Pure: the result still has to go through the
// steps of a write.
import { formatTime } from '../codec/time.ts';
import type { KubeObject } from '../meta/object-meta.ts';
import { decodeObject } from '../schema/decode.ts';
import {
  difference,
  equalSets,
  type FieldSet,
  has,
  intersection,
  paths,
  pathText,
  recursiveDifference,
  union,
} from './field-set.ts';
import { emptyOf, fieldsOf, type Json, ownable } from './fields.ts';
import { followsLastApplied, lastAppliedFields, refreshLastApplied } from './last-applied.ts';
import {
  comparisons,
  json,
  type ManagedWrite,
  type Manager,
  type Owner,
  sameManager,
  setOwners,
  storedOwners,
  withFields,
} from './managers.ts';
import { overlay, prune } from './merge.ts';

export interface Conflict {
  readonly manager: Manager;
  readonly path: readonly string[];
}

/** Others own fields that the configuration would change. */
export class ApplyConflict extends Error {
  readonly conflicts: readonly Conflict[];

  constructor(conflicts: readonly Conflict[]) {
    super(conflictText(conflicts));
    this.name = 'ApplyConflict';
    this.conflicts = conflicts;
  }
}

/** Owns what an object held before anybody's fields were known, so that an apply does not take it silently. */
const beforeFirstApply = 'before-first-apply';

/**
 * The new object, in the terms of the manager's version and with its managedFields; defaults are not filled in. `live` undefined =
 * it is created. The configuration fits the schema (`typeFaults`) and has no managedFields. Throws ApplyConflict unless `force`, and
 * DecodeError when a value of the configuration has the right type and yet is none, as the quantity "many".
 */
export function applyConfiguration(
  write: ManagedWrite,
  live: KubeObject | undefined,
  { configuration, force }: { configuration: Json; force: boolean },
): KubeObject {
  const { manager, part } = write;
  const view = write.view(manager.apiVersion)!;
  const { schema } = view;
  const current = live && view.fromStored(live);
  const owners = knownOwners(write, live);
  const previous = owners.find((owner) => sameManager(owner, manager));
  const others = owners.filter((owner) => owner !== previous);

  const named = fieldsOf(schema, configuration);
  let merged = overlay(schema, current === undefined ? emptyOf(schema) : json(current), configuration);
  const given = difference(previous?.fields, named);
  if (given !== undefined) {
    const kept = others.reduce<FieldSet>((set, owner) => union(set, owner.fields), named);
    merged = prune(schema, merged, { gone: given, kept });
  }
  const object = decodeObject(schema, merged, []) as unknown as KubeObject;

  const comparison = comparisons(write, live, view.toStored(object));
  const { changed, removed } = comparison(manager.apiVersion)!;
  // Applying null, false or nothing takes a value away that may be somebody's: that is a change too.
  const emptied = intersection(named, removed);
  const contested = others.map((owner) =>
    intersection(owner.fields, union(comparison(owner.apiVersion)?.changed, emptied)),
  );
  if (!force) {
    const allowed =
      current !== undefined && followsLastApplied(manager.name) && contested.some((set) => set !== undefined)
        ? lastAppliedFields(schema, manager.apiVersion, current)
        : undefined;
    const conflicts = others
      .flatMap((owner, i) => [...paths(contested[i])].map((path): Conflict => ({ manager: owner, path })))
      .filter(({ path }) => !has(allowed, path));
    if (conflicts.length > 0) throw new ApplyConflict(conflicts);
  }

  const next: Owner[] = [];
  others.forEach((owner, i) => {
    const left = recursiveDifference(
      difference(owner.fields, contested[i]),
      comparison(owner.apiVersion)!.removed,
    );
    if (left !== undefined) next.push(withFields(owner, left));
  });
  const mine = ownable(named, part);
  if (mine !== undefined) {
    const asBefore = previous?.apiVersion === manager.apiVersion && equalSets(previous.fields, mine);
    next.push(
      asBefore && changed === undefined && removed === undefined
        ? previous
        : { ...manager, fields: mine, time: formatTime(write.nowMs), entry: null },
    );
  }
  setOwners(object, next, live?.metadata.managedFields);
  if (followsLastApplied(manager.name)) refreshLastApplied(object, configuration);
  return object;
}

/** The owners of what is there; versions that are no longer served own nothing. */
function knownOwners(write: ManagedWrite, live: KubeObject | undefined): readonly Owner[] {
  if (live === undefined) return [];
  const owners = storedOwners(live.metadata.managedFields).filter(
    ({ apiVersion }) => write.view(apiVersion) !== undefined,
  );
  if (owners.length > 0) return owners;
  const fields = comparisons(write, undefined, live)(write.manager.apiVersion)?.changed;
  if (fields === undefined) return [];
  const time = formatTime(write.nowMs);
  return [{ ...write.manager, name: beforeFirstApply, operation: 'Update', fields, time, entry: null }];
}

export const describeManager = ({ name, operation, subresource, apiVersion }: Manager): string =>
  JSON.stringify(name) +
  (subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`) +
  (operation === 'Update' ? ` using ${apiVersion}` : '');

/** As kubectl prints it: in one line for one conflict, else by manager. */
function conflictText(conflicts: readonly Conflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1)
    return `Apply failed with 1 conflict: conflict with ${describeManager(first!.manager)}: ${pathText(first!.path)}`;
  const byManager = new Map<string, string[]>();
  for (const { manager, path } of conflicts) {
    const who = describeManager(manager);
    const lines = byManager.get(who);
    if (lines === undefined) byManager.set(who, [pathText(path)]);
    else lines.push(pathText(path));
  }
  const texts = [...byManager]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([who, lines]) => [`conflicts with ${who}:`, ...lines.map((line) => `- ${line}`)].join('\n'));
  return `Apply failed with ${conflicts.length} conflicts: ${texts.join('\n')}`;
}
