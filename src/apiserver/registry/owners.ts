// Who owns the fields that a write sets: from a call to machinery/apply. Noted as Kubernetes does it, before admission: what
// admission fills in belongs to nobody.
import {
  type KindDef,
  type KubeObject,
  type ManagedWrite,
  noteUpdate,
  sameOwnership,
  type VersionView,
} from '../../machinery/index.ts';
import type { CallContext } from './context.ts';
import type { Place, RegistryCore } from './core.ts';
import { sameJson } from './objects.ts';
import { carry, type UpdateRules } from './update-rules.ts';

const views = new WeakMap<KindDef, VersionView>();
const asItIs = (object: KubeObject): KubeObject => object;

function viewOf(kind: KindDef): VersionView {
  let view = views.get(kind);
  if (view === undefined) {
    const { schema, conversion } = kind;
    view =
      conversion === null
        ? { schema, fromStored: asItIs, toStored: asItIs }
        : { schema, fromStored: conversion.fromStored, toStored: conversion.toStored };
    views.set(kind, view);
  }
  return view;
}

/** A write as machinery/apply knows it. `rules.owns` is not 'nothing'. */
export function managedWrite(
  core: RegistryCore,
  { at: { kind }, context }: { at: Place; context: CallContext },
  { rules, operation }: { rules: Pick<UpdateRules, 'owns' | 'subresource'>; operation: 'Apply' | 'Update' },
): ManagedWrite {
  return {
    manager: {
      name: context.fieldManager,
      operation,
      apiVersion: kind.apiVersion,
      subresource: rules.subresource,
    },
    part: rules.owns === 'status' ? 'statusOnly' : kind.subresources.status ? 'withoutStatus' : 'all',
    nowMs: core.clock.nowMs(),
    view(apiVersion) {
      if (apiVersion === kind.apiVersion) return viewOf(kind);
      const other = core.kinds.all.find(
        (k) => k.apiVersion === apiVersion && k.storagePrefix === kind.storagePrefix,
      );
      return other && viewOf(other);
    },
  };
}

/** Notes a write in `after`; `before` undefined = a create. */
export function noteOwners(
  core: RegistryCore,
  call: { at: Place; context: CallContext },
  rules: UpdateRules,
  objects: { before: KubeObject | undefined; after: KubeObject },
): void {
  if (rules.owns === 'nothing')
    carry(objects.after.metadata, objects.before?.metadata ?? {}, 'managedFields');
  else noteUpdate(managedWrite(core, call, { rules, operation: 'Update' }), objects.before, objects.after);
}

/** Whether `object` would change nothing but the times of its owners, which then stay as they are. */
export function changesNothing(object: KubeObject, old: KubeObject): boolean {
  const { managedFields } = object.metadata;
  if (!sameOwnership(managedFields, old.metadata.managedFields)) return false;
  carry(object.metadata, old.metadata, 'managedFields');
  if (sameJson(object, old)) return true;
  carry(object.metadata, { managedFields }, 'managedFields');
  return false;
}
