// Rules of metadata: what every object must hold on create and what an update may not touch.
import type { DraftMeta, ManagedFieldsEntry, OwnerReference } from '../meta/object-meta.ts';
import { at, type Causes } from '../status/causes.ts';
import { validateLabels } from './label-selector.ts';
import {
  checkAnnotationKey,
  checkDns1123Label,
  checkFinalizerName,
  immutableMessage,
  nonNegativeMessage,
} from './names.ts';

/** All annotation keys and values of one object together. */
export const annotationsLimitBytes = 256 * 1024;
const fieldManagerLimitBytes = 128;
const subresourceLimitBytes = 256;

export interface MetaRules {
  readonly namespaced: boolean;
  /** The rule of the kind's names; `prefix` is true for generateName. */
  readonly nameRule: (name: string, prefix: boolean) => readonly string[];
  /** Finalizers are Kubernetes' own or named after a domain. Custom resources may name them as they like. */
  readonly strictFinalizers?: boolean;
}

/** The rules of a create. The name has been generated already if it had to be. */
export function validateObjectMeta(meta: DraftMeta, rules: MetaRules, causes: Causes): void {
  const { generateName, name, namespace } = meta;
  if (generateName)
    for (const message of rules.nameRule(generateName, true))
      causes.invalid('metadata.generateName', generateName, message);
  if (!name) causes.required('metadata.name', 'name or generateName is required');
  else for (const message of rules.nameRule(name, false)) causes.invalid('metadata.name', name, message);
  if (!rules.namespaced) {
    if (namespace) causes.forbidden('metadata.namespace', 'not allowed on this type');
  } else if (!namespace) causes.required('metadata.namespace');
  else
    for (const message of checkDns1123Label(namespace))
      causes.invalid('metadata.namespace', namespace, message);
  if ((meta.generation ?? 0) < 0) causes.invalid('metadata.generation', meta.generation, nonNegativeMessage);
  validateLabels(meta.labels, 'metadata.labels', causes);
  validateAnnotations(meta.annotations, 'metadata.annotations', causes);
  validateOwnerReferences(meta.ownerReferences, 'metadata.ownerReferences', causes);
  validateFinalizers(meta.finalizers, 'metadata.finalizers', causes);
  validateManagedFields(meta.managedFields, 'metadata.managedFields', causes);
  if (rules.strictFinalizers === true)
    meta.finalizers?.forEach((finalizer, i) => {
      if (finalizer.includes('/') || standardFinalizers.includes(finalizer)) return;
      causes.invalid(at.index('metadata.finalizers', i), finalizer, unqualifiedFinalizerMessage);
    });
}

const standardFinalizers: readonly string[] = ['kubernetes', 'orphan', 'foregroundDeletion'];
const unqualifiedFinalizerMessage = 'name is neither a standard finalizer name nor is it fully qualified';

const frozenFields = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

/**
 * What an update may not do to metadata, beside the rules of a create, which hold for it too (`validateObjectMeta`).
 * `meta.resourceVersion` is what the registry resolved: the caller's, or that of `old`.
 */
export function validateObjectMetaUpdate(meta: DraftMeta, old: DraftMeta, causes: Causes): void {
  if (old.deletionTimestamp !== undefined) {
    const before = new Set(old.finalizers);
    const added = [...new Set(meta.finalizers)].filter((f) => !before.has(f)).sort();
    if (added.length > 0)
      causes.forbidden(
        'metadata.finalizers',
        `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((f) => JSON.stringify(f)).join(', ')}}`,
      );
  }
  if (!meta.resourceVersion)
    causes.invalid('metadata.resourceVersion', '', 'must be specified for an update');
  if ((meta.generation ?? 0) < (old.generation ?? 0))
    causes.invalid('metadata.generation', meta.generation ?? 0, 'must not be decremented');
  for (const field of frozenFields) {
    if ((meta[field] ?? '') === (old[field] ?? '')) continue;
    const path = `metadata.${field}`;
    if (meta[field] !== undefined && field.endsWith('Timestamp'))
      causes.list.push({
        reason: 'FieldValueInvalid',
        message: `Invalid value: ${asGoTime(String(meta[field]))}: ${immutableMessage}`,
        field: path,
      });
    // a missing time is null, a missing text is ""
    else
      causes.invalid(
        path,
        meta[field] ?? (field === 'name' || field === 'namespace' || field === 'uid' ? '' : null),
        immutableMessage,
      );
  }
}

/** A time as Go prints it. */
const asGoTime = (text: string): string => text.replace('T', ' ').replace(/Z$/, ' +0000 UTC');

export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
  causes: Causes,
): void {
  if (annotations === undefined) return;
  let bytes = 0;
  for (const key of Object.keys(annotations).sort()) {
    for (const message of checkAnnotationKey(key)) causes.invalid(path, key, message);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(annotations[key]!);
  }
  if (bytes > annotationsLimitBytes) causes.tooLong(path, annotationsLimitBytes);
}

function validateOwnerReferences(
  owners: readonly OwnerReference[] | undefined,
  path: string,
  causes: Causes,
): void {
  if (owners === undefined) return;
  let controller = '';
  for (const owner of owners) {
    const slash = owner.apiVersion?.indexOf('/') ?? -1;
    const version = owner.apiVersion?.slice(slash + 1) ?? '';
    // a second slash makes the whole text unreadable, and so the version empty
    if (version === '' || version.includes('/'))
      causes.invalid(at.child(path, 'apiVersion'), owner.apiVersion ?? '', 'version must not be empty');
    for (const field of ['kind', 'name', 'uid'] as const)
      if (!owner[field]) causes.invalid(at.child(path, field), '', 'must not be empty');
    if (owner.apiVersion === 'v1' && owner.kind === 'Event')
      causes.invalid(path, owner, '/v1, Kind=Event is disallowed from being an owner');
    if (owner.controller !== true) continue;
    const current = `${owner.kind}/${owner.name}`;
    if (controller === '') controller = current;
    else
      causes.invalid(
        path,
        owners,
        `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${current}`,
      );
  }
}

function validateFinalizers(finalizers: readonly string[] | undefined, path: string, causes: Causes): void {
  if (finalizers === undefined) return;
  for (const finalizer of finalizers)
    for (const message of checkFinalizerName(finalizer)) causes.invalid(path, finalizer, message);
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    causes.invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set');
}

/** The name of a field manager, as a query parameter or in managedFields. Empty means not given. */
export function validateFieldManager(manager: string, path: string, causes: Causes): void {
  if (Buffer.byteLength(manager) > fieldManagerLimitBytes) causes.tooLong(path, fieldManagerLimitBytes);
  let position = 0;
  for (const char of manager) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char)) {
      const point = `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
      causes.invalid(path, manager, `invalid character ${point} (at position ${position})`);
    }
    position += Buffer.byteLength(char);
  }
}

function validateManagedFields(
  entries: readonly ManagedFieldsEntry[] | undefined,
  path: string,
  causes: Causes,
): void {
  entries?.forEach((entry, i) => {
    const here = at.index(path, i);
    if (entry.operation !== 'Apply' && entry.operation !== 'Update')
      causes.invalid(at.child(here, 'operation'), entry.operation ?? '', 'must be `Apply` or `Update`');
    if (entry.fieldsType && entry.fieldsType !== 'FieldsV1')
      causes.invalid(at.child(here, 'fieldsType'), entry.fieldsType, 'must be `FieldsV1`');
    validateFieldManager(entry.manager ?? '', at.child(here, 'manager'), causes);
    if (Buffer.byteLength(entry.subresource ?? '') > subresourceLimitBytes)
      causes.tooLong(at.child(here, 'subresource'), subresourceLimitBytes);
  });
}
