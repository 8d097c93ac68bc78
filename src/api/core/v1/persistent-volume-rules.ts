// The rules of a volume's spec, for PersistentVolumes and for those that a VolumeAttachment carries within itself.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkNoBacksteps,
  type FieldAt,
} from '../../../machinery/index.ts';
import type {
  CSIPersistentVolumeSource,
  PersistentVolumeSpec,
  SecretReference,
} from '../../generated/core-v1.ts';
import { compareQuantities } from './pod/quantities.ts';
import { validateNodeSelector } from './pod/validation/scheduling.ts';
import { pluginRules, validateDriverName } from './pod/validation/volume-plugins.ts';
import { validateHostPath } from './pod/validation/volumes.ts';

export const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
export const volumeModes = ['Block', 'Filesystem'];
const reclaimPolicies = ['Delete', 'Recycle', 'Retain'];

type Source = Exclude<
  keyof PersistentVolumeSpec,
  | 'accessModes'
  | 'capacity'
  | 'claimRef'
  | 'mountOptions'
  | 'nodeAffinity'
  | 'persistentVolumeReclaimPolicy'
  | 'storageClassName'
  | 'volumeAttributesClassName'
  | 'volumeMode'
>;

/** In the order in which they are judged: the first one is taken, the others are refused. */
export const volumeSources: readonly Source[] = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'flocker',
  'nfs',
  'rbd',
  'quobyte',
  'cephfs',
  'iscsi',
  'cinder',
  'fc',
  'flexVolume',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'scaleIO',
  'local',
  'storageos',
  'csi',
];

/** What a path says where it is not the field's own name. */
const spokenNames: Readonly<Record<string, string>> = { gcePersistentDisk: 'persistentDisk' };

export function validateAccessModes(modes: readonly string[], field: FieldAt): void {
  for (const mode of modes) field.oneOf(mode, accessModes);
  if (
    modes.includes('ReadWriteOncePod') &&
    modes.some((mode) => mode !== 'ReadWriteOncePod' && accessModes.includes(mode))
  )
    field.forbidden('may not use ReadWriteOncePod with other access modes');
}

/** `name` is the volume's; `inline`: the spec is part of another object, and so may not say everything. */
export function validateVolumeSpec(
  spec: PersistentVolumeSpec,
  place: { name: string; inline: boolean },
  field: FieldAt,
): void {
  if (place.inline) refuseOutsideInline(spec, field);
  if ((spec.accessModes ?? []).length === 0) field.child('accessModes').required();
  validateAccessModes(spec.accessModes ?? [], field.child('accessModes'));
  if (!place.inline) validateCapacity(spec.capacity ?? {}, field.child('capacity'));
  validateReclaimPolicy(spec, place.inline, field.child('persistentVolumeReclaimPolicy'));
  if (spec.nodeAffinity !== undefined) {
    const here = field.child('nodeAffinity');
    if (place.inline) here.forbidden('may not be specified in the context of inline volumes');
    else if (spec.nodeAffinity.required === undefined)
      here.child('required').required('must specify required node constraints');
    else validateNodeSelector(spec.nodeAffinity.required, here.child('required'));
  }
  validateSources(spec, place.name, field);
  validateClassesAndMode(spec, place.inline, field);
}

function refuseOutsideInline(spec: PersistentVolumeSpec, field: FieldAt): void {
  const detail = 'may not be specified in the context of inline volumes';
  if (spec.claimRef !== undefined) field.child('claimRef').forbidden(detail);
  if (Object.keys(spec.capacity ?? {}).length > 0) field.child('capacity').forbidden(detail);
  if (spec.csi === undefined)
    field.child('csi').required('has to be specified in the context of inline volumes');
}

function validateCapacity(capacity: Readonly<Record<string, string>>, field: FieldAt): void {
  const names = Object.keys(capacity);
  if (names.length === 0) field.required();
  if (capacity['storage'] === undefined || names.length > 1) field.notSupported(capacity, ['storage']);
  for (const name of names.sort()) {
    const amount = capacity[name]!;
    if (compareQuantities(amount, '0') < 0)
      field.key(name).invalid(amount, 'must be a valid resource quantity');
    validatePositive(amount, field.key(name));
  }
}

export function validatePositive(amount: string, field: FieldAt): void {
  if (compareQuantities(amount, '0') <= 0) field.invalid(amount, 'must be greater than zero');
}

function validateReclaimPolicy(spec: PersistentVolumeSpec, inline: boolean, field: FieldAt): void {
  const policy = spec.persistentVolumeReclaimPolicy ?? '';
  if (policy === '') return;
  if (!inline) field.oneOf(policy, reclaimPolicies);
  else if (policy !== 'Retain') field.forbidden('may only be Retain in the context of inline volumes');
}

function validateSources(spec: PersistentVolumeSpec, name: string, field: FieldAt): void {
  const [first, ...more] = volumeSources.filter((source) => spec[source] !== undefined);
  if (first === undefined) {
    field.required('must specify a volume type');
    return;
  }
  validateSource(spec, first, field);
  if (first === 'local' && spec.nodeAffinity === undefined)
    field.child('nodeAffinity').required('Local volume requires node affinity');
  for (const source of more)
    field.child(source === 'cephfs' ? 'cephFS' : source).forbidden('may not specify more than 1 volume type');
  if (spec.iscsi?.initiatorName !== undefined && `${name}:${spec.iscsi.targetPortal}`.length > 64)
    field
      .child('iscsi', 'targetportal')
      .invalid(
        spec.iscsi.targetPortal,
        'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
      );
  if (
    spec.hostPath !== undefined &&
    /^\/+(?:\.?\/*)*$/.test(spec.hostPath.path) &&
    spec.persistentVolumeReclaimPolicy === 'Recycle'
  )
    field
      .child('persistentVolumeReclaimPolicy')
      .forbidden("may not be 'recycle' for a hostPath mount of '/'");
}

function validateSource(spec: PersistentVolumeSpec, source: Source, field: FieldAt): void {
  const here = field.child(spokenNames[source] ?? source);
  if (source === 'hostPath') validateHostPath(spec.hostPath!, here);
  else if (source === 'csi') validateCsiVolume(spec.csi!, here);
  else if (source === 'local') validateLocal(spec.local?.path ?? '', here);
  else {
    const rule = pluginRules[source] as ((source: unknown, field: FieldAt) => void) | undefined;
    rule?.(spec[source], here);
  }
  if (source === 'cinder' && spec.cinder?.secretRef !== undefined)
    here.child('secretRef', 'namespace').requiredText(spec.cinder.secretRef.namespace);
  if (source === 'azureFile' && spec.azureFile?.secretNamespace === '')
    here.child('secretNamespace').required();
  const endpoints = spec.glusterfs?.endpointsNamespace;
  if (source === 'glusterfs' && endpoints !== undefined && checkDns1123Label(endpoints).length > 0)
    here
      .child('endpointsNamespace')
      .invalid(endpoints, 'if the endpointnamespace is set, it must be a valid namespace name');
}

function validateLocal(path: string, field: FieldAt): void {
  if (path === '') field.child('path').required();
  else field.child('path').refuse(path, checkNoBacksteps(path));
}

function validateCsiVolume(csi: CSIPersistentVolumeSource, field: FieldAt): void {
  validateDriverName(csi.driver, field.child('driver'));
  field.child('volumeHandle').requiredText(csi.volumeHandle);
  for (const name of [
    'controllerPublishSecretRef',
    'controllerExpandSecretRef',
    'nodePublishSecretRef',
    'nodeExpandSecretRef',
  ] as const)
    if (csi[name] !== undefined) validateSecretReference(csi[name], field.child(name));
}

function validateSecretReference(reference: SecretReference, field: FieldAt): void {
  const { name, namespace } = reference;
  if (name) field.child('name').refuse(name, checkDns1123Subdomain(name));
  else field.child('name').required();
  if (namespace) field.child('namespace').refuse(namespace, checkDns1123Label(namespace));
  else field.child('namespace').required();
}

function validateClassesAndMode(spec: PersistentVolumeSpec, inline: boolean, field: FieldAt): void {
  const { storageClassName: storage, volumeMode: mode, volumeAttributesClassName: attributes } = spec;
  if (storage) {
    const here = field.child('storageClassName');
    if (inline) here.forbidden('may not be specified in the context of inline volumes');
    else here.refuse(storage, checkDns1123Subdomain(storage));
  }
  if (!inline) field.child('volumeMode').oneOf(mode, volumeModes);
  else if (mode !== undefined && mode !== 'Filesystem')
    field
      .child('volumeMode')
      .forbidden('may not specify volumeMode other than Filesystem in the context of inline volumes');
  if (attributes === undefined) return;
  const here = field.child('volumeAttributesClassName');
  if (attributes === '') here.required('an empty string is disallowed');
  else here.refuse(attributes, checkDns1123Subdomain(attributes));
  if (spec.csi === undefined)
    field.child('csi').required('has to be specified when using volumeAttributesClassName');
}
