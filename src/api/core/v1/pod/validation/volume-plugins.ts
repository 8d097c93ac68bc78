// Rules of volumes that outside storage provides, one entry for each.
import {
  checkAbsolutePath,
  checkDescendingPath,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkInRange,
  type FieldAt,
} from '../../../../../machinery/index.ts';
import type { AzureDiskVolumeSource, CSIVolumeSource, Volume } from '../../../../generated/core-v1.ts';

/** The rules of each volume source, by its field name. */
export type SourceRules = {
  readonly [S in Exclude<keyof Volume, 'name'>]?: (source: NonNullable<Volume[S]>, field: FieldAt) => void;
};

/** 0 is "no partition"; the message speaks of the others. */
const validatePartition = (partition: number | undefined, field: FieldAt): void => {
  if (partition !== undefined && (partition < 0 || partition > 255))
    field.invalid(partition, 'must be between 1 and 255, inclusive');
};

const validateLun = (lun: number | undefined, field: FieldAt): void =>
  field.refuse(lun, checkInRange(lun ?? 0, 0, 255));

const iscsiNames: Record<string, RegExp> = {
  iqn: /iqn\.\d{4}-\d{2}\.([a-zA-Z0-9.-]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.[a-zA-Z0-9]{16}$/,
  naa: /^naa.[a-zA-Z0-9]{32}$/,
};

function checkIscsiName(name: string): readonly string[] {
  const form = iscsiNames[name.slice(0, 3)];
  if (form === undefined) return ['must be valid format starting with iqn, eui, or naa'];
  return form.test(name) ? [] : ['must be valid format'];
}

/** `host:port`, also `[::1]:port`. */
const isHostPort = (text: string): boolean => /^(?:[^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(text);

export const pluginRules: SourceRules = {
  gitRepo(source, field) {
    field.child('repository').requiredText(source.repository);
    field.child('directory').refuse(source.directory ?? '', checkDescendingPath(source.directory ?? ''));
  },
  gcePersistentDisk(source, field) {
    field.child('pdName').requiredText(source.pdName);
    validatePartition(source.partition, field.child('partition'));
  },
  awsElasticBlockStore(source, field) {
    field.child('volumeID').requiredText(source.volumeID);
    validatePartition(source.partition, field.child('partition'));
  },
  nfs(source, field) {
    field.child('server').requiredText(source.server);
    if (source.path === '') field.child('path').required();
    field.child('path').refuse(source.path, checkAbsolutePath(source.path));
  },
  iscsi(source, field) {
    field.child('targetPortal').requiredText(source.targetPortal);
    field.child('iqn').requiredText(source.iqn, checkIscsiName);
    validateLun(source.lun, field.child('lun'));
    if ((source.chapAuthDiscovery || source.chapAuthSession) && source.secretRef === undefined)
      field.child('secretRef').required();
    if (source.initiatorName !== undefined)
      field.child('initiatorname').refuse(source.initiatorName, checkIscsiName(source.initiatorName));
  },
  glusterfs(source, field) {
    field.child('endpoints').requiredText(source.endpoints);
    field.child('path').requiredText(source.path);
  },
  flocker(source, field) {
    const { datasetName = '', datasetUUID = '' } = source;
    if (datasetName === '' && datasetUUID === '')
      field.required('one of datasetName and datasetUUID is required');
    if (datasetName !== '' && datasetUUID !== '')
      field.invalid('resource', 'datasetName and datasetUUID can not be specified simultaneously');
    if (datasetName.includes('/')) field.child('datasetName').invalid(datasetName, "must not contain '/'");
  },
  rbd(source, field) {
    if ((source.monitors ?? []).length === 0) field.child('monitors').required();
    field.child('image').requiredText(source.image);
  },
  cinder(source, field) {
    field.child('volumeID').requiredText(source.volumeID);
    if (source.secretRef !== undefined) field.child('secretRef', 'name').requiredText(source.secretRef.name);
  },
  cephfs(source, field) {
    if ((source.monitors ?? []).length === 0) field.child('monitors').required();
  },
  quobyte(source, field) {
    const registry = field.child('registry');
    const form = 'must be a host:port pair or multiple pairs separated by commas';
    if (source.registry === '') registry.required(form);
    else if ((source.tenant ?? '').length >= 65)
      field.child('tenant').required('must be a UUID and may not exceed a length of 64 characters');
    else
      for (const pair of source.registry.split(','))
        if (!isHostPort(pair)) registry.invalid(source.registry, form);
    field.child('volume').requiredText(source.volume);
  },
  fc(source, field) {
    const names = source.targetWWNs ?? [];
    const ids = source.wwids ?? [];
    const target = field.child('targetWWNs');
    if (names.length === 0 && ids.length === 0)
      target.required('must specify either targetWWNs or wwids, but not both');
    if (names.length > 0 && ids.length > 0)
      target.invalid(names, 'targetWWNs and wwids can not be specified simultaneously');
    if (names.length === 0) return;
    if (source.lun === undefined) field.child('lun').required('lun is required if targetWWNs is specified');
    else validateLun(source.lun, field.child('lun'));
  },
  flexVolume(source, field) {
    field.child('driver').requiredText(source.driver);
    for (const key of Object.keys(source.options ?? {}).sort())
      if (/\.(?:kubernetes|k8s)\.io$/i.test(`.${key.split('/', 1)[0]!}`))
        field.child('options').key(key).invalid(key, 'kubernetes.io and k8s.io namespaces are reserved');
  },
  azureFile(source, field) {
    field.child('secretName').requiredText(source.secretName);
    field.child('shareName').requiredText(source.shareName);
  },
  vsphereVolume(source, field) {
    field.child('volumePath').requiredText(source.volumePath);
  },
  photonPersistentDisk(source, field) {
    field.child('pdID').requiredText(source.pdID);
  },
  portworxVolume(source, field) {
    field.child('volumeID').requiredText(source.volumeID);
  },
  azureDisk: validateAzureDisk,
  storageos(source, field) {
    field.child('volumeName').requiredText(source.volumeName, checkDns1123Label);
    if (source.volumeNamespace)
      field
        .child('volumeNamespace')
        .refuse(source.volumeNamespace, checkDns1123Label(source.volumeNamespace));
    if (source.secretRef !== undefined) field.child('secretRef', 'name').requiredText(source.secretRef.name);
  },
  scaleIO(source, field) {
    field.child('gateway').requiredText(source.gateway);
    field.child('system').requiredText(source.system);
    field.child('volumeName').requiredText(source.volumeName);
  },
};

function validateAzureDisk(source: AzureDiskVolumeSource, field: FieldAt): void {
  field.child('diskName').requiredText(source.diskName);
  field.child('diskURI').requiredText(source.diskURI);
  field.child('cachingMode').oneOf(source.cachingMode, ['None', 'ReadOnly', 'ReadWrite']);
  field.child('kind').oneOf(source.kind, ['Dedicated', 'Managed', 'Shared']);
  if (source.kind === undefined) return;
  const managed = source.kind === 'Managed';
  if (!source.diskURI.startsWith(managed ? '/subscriptions/' : 'https://'))
    field
      .child('diskURI')
      .notSupported(source.diskURI, [
        managed
          ? '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}'
          : 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd',
      ]);
}

/** The name by which a CSI driver is known, and a driver of devices as well. */
export function validateDriverName(name: string, field: FieldAt): void {
  if (name === '') field.required();
  if (name.length > 63) field.tooLong(63);
  field.refuse(name, checkDns1123Subdomain(name.toLowerCase()));
}

export function validateCsi(source: CSIVolumeSource, field: FieldAt): void {
  validateDriverName(source.driver, field.child('driver'));
  const secret = source.nodePublishSecretRef;
  if (secret === undefined) return;
  if (!secret.name) field.child('nodePublishSecretRef', 'name').required();
  else field.child('name').refuse(secret.name, checkDns1123Subdomain(secret.name));
}
