// PersistentVolumeClaim: a wish for storage, and what fulfils it.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  defineKind,
  FieldAt,
  immutableMessage,
  semanticEqual,
  validateLabelSelector,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn, wide } from '../../columns.ts';
import type {
  PersistentVolumeClaim as PersistentVolumeClaimObject,
  PersistentVolumeClaimSpec,
  TypedObjectReference,
} from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { difference, shortAccessModes, storageClassAnnotation } from './persistent-volume.ts';
import { validateAccessModes, validatePositive, volumeModes } from './persistent-volume-rules.ts';
import { compareQuantities, isWhole, roundUpToMilli } from './pod/quantities.ts';

export type PersistentVolumeClaim = PersistentVolumeClaimObject;

export const PersistentVolumeClaim = defineKind<PersistentVolumeClaimObject>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
  shortNames: ['pvc'],
  scope: 'Namespaced',
  schema: shape('core.v1.PersistentVolumeClaim'),
  subresources: { status: true },
  returnsDeleted: true,
  columns: [
    nameColumn,
    textColumn('Status', 'Whether it is bound, or still waits.', (claim) =>
      claim.metadata.deletionTimestamp === undefined ? (claim.status?.phase ?? '') : 'Terminating',
    ),
    textColumn('Volume', 'The volume it has.', (claim) => claim.spec?.volumeName ?? ''),
    textColumn('Capacity', 'How much its volume holds.', (claim) =>
      claim.spec?.volumeName ? (claim.status?.capacity?.['storage'] ?? '0') : '',
    ),
    textColumn('Access Modes', 'How its volume can be mounted.', (claim) =>
      claim.spec?.volumeName ? shortAccessModes(claim.status?.accessModes) : '',
    ),
    textColumn(
      'StorageClass',
      'Its storage class.',
      (claim) => claim.metadata.annotations?.[storageClassAnnotation] ?? claim.spec?.storageClassName ?? '',
    ),
    textColumn(
      'VolumeAttributesClass',
      'The class of attributes it asks for.',
      (claim) => claim.spec?.volumeAttributesClassName ?? '<unset>',
    ),
    ageColumn,
    wide(textColumn('VolumeMode', 'Files or blocks.', (claim) => claim.spec?.volumeMode ?? '<unset>')),
  ],

  defaults: defaultClaim,

  prepareCreate(claim) {
    claim.status = { phase: 'Pending' };
    settleDataSources(claim.spec, undefined);
  },
  prepareUpdate: (claim, old) => settleDataSources(claim.spec, old.spec),

  validate(claim, old, causes) {
    validateClaimSpec(claim.spec, new FieldAt('spec', causes));
    if (old !== undefined) validateClaimUpdate(claim, old, new FieldAt('', causes));
  },

  validateStatus({ spec, status }, _old, causes) {
    const field = new FieldAt('', causes);
    if ((spec.accessModes ?? []).length === 0) field.child('Spec', 'accessModes').required();
    for (const list of ['capacity', 'allocatedResources'] as const)
      for (const [name, amount] of Object.entries(status?.[list] ?? {}))
        if (compareQuantities(amount, '0') < 0)
          field.child('status', list).key(name).invalid(amount, 'must be a valid resource quantity');
  },

  warn(claim) {
    const old = claim.metadata.annotations?.[storageClassAnnotation] !== undefined;
    return [
      ...(old
        ? [
            `metadata.annotations[${storageClassAnnotation}]: deprecated since v1.8; use "storageClassName" attribute instead`,
          ]
        : []),
      ...warnClaimSpec(claim.spec, 'spec'),
    ];
  },
});

/** Also those inside other objects, such as a StatefulSet's. Mutates; idempotent. */
export function defaultClaim({ spec, status }: PersistentVolumeClaimObject): void {
  if (status !== undefined) {
    status.phase ||= 'Pending';
    roundAll(status.capacity);
    roundAll(status.allocatedResources);
  }
  if (spec === undefined) return;
  spec.volumeMode ??= 'Filesystem';
  roundAll(spec.resources?.limits);
  roundAll(spec.resources?.requests);
}

function roundAll(list: Record<string, string> | undefined): void {
  if (list === undefined) return;
  for (const name of Object.keys(list)) list[name] = roundUpToMilli(list[name]!);
}

export const warnClaimSpec = (
  spec: PersistentVolumeClaimSpec | undefined,
  path: string,
): readonly string[] => {
  const size = spec?.resources?.requests?.['storage'];
  return size === undefined || isWhole(size)
    ? []
    : [
        `${path}.resources.requests[storage]: fractional byte value ${JSON.stringify(size)} is invalid, must be an integer`,
      ];
};

const isClaim = ({ apiGroup, kind }: TypedObjectReference): boolean =>
  !apiGroup && kind === 'PersistentVolumeClaim';
const isSnapshot = ({ apiGroup, kind }: TypedObjectReference): boolean =>
  apiGroup === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot';

/** Where the data comes from is said in two fields, an old and a new one; each is filled in from the other. */
function settleDataSources(
  spec: PersistentVolumeClaimSpec,
  old: PersistentVolumeClaimSpec | undefined,
): void {
  if (
    spec.dataSource !== undefined &&
    old?.dataSource === undefined &&
    !isClaim(spec.dataSource) &&
    !isSnapshot(spec.dataSource)
  )
    delete spec.dataSource;
  if (old?.dataSourceRef === undefined && spec.dataSourceRef !== undefined) {
    const { namespace: _, ...rest } = spec.dataSourceRef;
    spec.dataSourceRef = rest;
  }
  if (spec.dataSourceRef?.namespace) return;
  if (spec.dataSource !== undefined && spec.dataSourceRef === undefined)
    spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSource === undefined && spec.dataSourceRef !== undefined) {
    const { namespace: _, ...rest } = spec.dataSourceRef;
    spec.dataSource = rest;
  }
}

export function validateClaimSpec(spec: PersistentVolumeClaimSpec, field: FieldAt): void {
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) field.child('accessModes').required('at least 1 access mode is required');
  validateLabelSelector(spec.selector, field.child('selector').path, field.causes);
  validateAccessModes(modes, field.child('accessModes'));
  const size = spec.resources?.requests?.['storage'];
  const sizeAt = field.child('resources').key('storage');
  if (size === undefined) sizeAt.required();
  else validatePositive(size, sizeAt);
  for (const name of ['storageClassName', 'volumeAttributesClassName'] as const)
    if (spec[name]) field.child(name).refuse(spec[name], checkDns1123Subdomain(spec[name]));
  field.child('volumeMode').oneOf(spec.volumeMode, volumeModes);
  validateDataSources(spec, field);
}

function validateDataSources(spec: PersistentVolumeClaimSpec, field: FieldAt): void {
  const { dataSource, dataSourceRef } = spec;
  for (const name of ['dataSource', 'dataSourceRef'] as const) {
    const source = spec[name];
    if (source === undefined) continue;
    const here = field.child(name);
    here.child('name').requiredText(source.name);
    here.child('kind').requiredText(source.kind);
    if (!source.apiGroup && source.kind !== 'PersistentVolumeClaim')
      here.invalid(source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    if (source.apiGroup)
      here.child('apiGroup').refuse(source.apiGroup, checkDns1123Subdomain(source.apiGroup));
  }
  const namespace = dataSourceRef?.namespace;
  if (namespace) {
    field.child('dataSourceRef', 'namespace').refuse(namespace, checkDns1123Label(namespace));
    if (dataSource !== undefined)
      field.invalid(
        field.child('dataSource').path,
        'may not be specified when dataSourceRef.namespace is specified',
      );
  } else if (dataSource !== undefined && dataSourceRef !== undefined) {
    const { namespace: _, ...rest } = dataSourceRef;
    if (!semanticEqual(rest, dataSource))
      field.invalid(field.child('dataSource').path, 'must match dataSourceRef');
  }
}

/** A claim is what quota was counted for: little may change, and its size only upwards. */
function validateClaimUpdate(
  claim: PersistentVolumeClaimObject,
  old: PersistentVolumeClaimObject,
  field: FieldAt,
): void {
  const [before, after] = [old.metadata.annotations ?? {}, claim.metadata.annotations ?? {}];
  const expected: PersistentVolumeClaimSpec = {
    ...old.spec,
    // the binder says which volume, once
    volumeName: old.spec.volumeName ? old.spec.volumeName : claim.spec.volumeName,
    volumeAttributesClassName: claim.spec.volumeAttributesClassName,
  };
  const oldClass = before[storageClassAnnotation];
  const moved =
    oldClass !== undefined &&
    old.spec.storageClassName === undefined &&
    claim.spec.storageClassName === oldClass &&
    (after[storageClassAnnotation] ?? oldClass) === oldClass;
  if (moved) expected.storageClassName = claim.spec.storageClassName;
  else {
    if ((after[storageClassAnnotation] ?? '') !== (oldClass ?? ''))
      field
        .child('metadata', 'annotations')
        .key(storageClassAnnotation)
        .invalid(after[storageClassAnnotation] ?? '', immutableMessage);
    // a default class came to the cluster later
    if (
      claim.spec.storageClassName !== undefined &&
      old.spec.storageClassName === undefined &&
      oldClass === undefined &&
      after[storageClassAnnotation] === undefined
    )
      expected.storageClassName = claim.spec.storageClassName;
  }
  const newSize = claim.spec.resources?.requests?.['storage'];
  const oldSize = old.spec.resources?.requests?.['storage'];
  if (claim.status?.phase === 'Bound' && newSize !== undefined)
    expected.resources = {
      ...expected.resources,
      requests: { ...expected.resources?.requests, storage: newSize },
    };
  if (!semanticEqual(claim.spec, expected))
    field
      .child('spec')
      .forbidden(
        `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${difference(old.spec, claim.spec)}`,
      );
  const capacity = old.status?.capacity?.['storage'] ?? '0';
  // less than was asked for is a way out of growing that failed, but never less than there is
  if (
    compareQuantities(newSize ?? '0', oldSize ?? '0') < 0 &&
    compareQuantities(newSize ?? '0', capacity) <= 0
  )
    field
      .child('spec', 'resources', 'requests', 'storage')
      .forbidden('field can not be less than status.capacity');
  field.child('volumeMode').immutable(claim.spec.volumeMode, old.spec.volumeMode);
  const attributes = field.child('spec', 'volumeAttributesClassName');
  if (old.spec.volumeAttributesClassName !== undefined) {
    if (claim.spec.volumeAttributesClassName === undefined)
      attributes.forbidden('update from non-nil value to nil is forbidden');
    else if (claim.spec.volumeAttributesClassName === '' && old.spec.volumeAttributesClassName !== '')
      attributes.forbidden('update from non-nil value to an empty string is forbidden');
  }
}
