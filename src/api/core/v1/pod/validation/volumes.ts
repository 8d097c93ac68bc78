// Rules of volumes. Each source has its rules in one table, whose order is the order in which a volume with two sources is judged:
// the first one is taken, the others refused.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkNoBacksteps,
  type FieldAt,
} from '../../../../../machinery/index.ts';
import type { HostPathVolumeSource, Volume } from '../../../../generated/core-v1.ts';
import { compareQuantities } from '../quantities.ts';
import { validateClaimTemplate } from './claim-template.ts';
import { validateFileMode } from './paths.ts';
import { validateDownwardApiFile, validateKeyToPath, validateProjected } from './projected-volume.ts';
import { validatePullPolicy } from './pull-policy.ts';
import { pluginRules, type SourceRules, validateCsi } from './volume-plugins.ts';

export interface VolumePlace {
  readonly field: FieldAt;
  readonly podName: string;
  readonly isPod: boolean;
}

type Source = Exclude<keyof Volume, 'name'>;

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

const commonRules: SourceRules = {
  emptyDir(source, field) {
    if (source.sizeLimit !== undefined && compareQuantities(source.sizeLimit, '0') < 0)
      field.child('sizeLimit').forbidden('SizeLimit field must be a valid resource quantity');
  },
  hostPath: validateHostPath,
  secret(source, field) {
    field.child('secretName').requiredText(source.secretName);
    validateFileMode(source.defaultMode, field.child('defaultMode'));
    for (const [i, item] of (source.items ?? []).entries())
      validateKeyToPath(item, field.child('items').index(i));
  },
  persistentVolumeClaim(source, field) {
    field.child('claimName').requiredText(source.claimName);
  },
  downwardAPI(source, field) {
    validateFileMode(source.defaultMode, field.child('defaultMode'));
    for (const item of source.items ?? []) validateDownwardApiFile(item, field);
  },
  configMap(source, field) {
    field.child('name').requiredText(source.name);
    validateFileMode(source.defaultMode, field.child('defaultMode'));
    for (const [i, item] of (source.items ?? []).entries())
      validateKeyToPath(item, field.child('items').index(i));
  },
  projected(source, field) {
    validateFileMode(source.defaultMode, field.child('defaultMode'));
    validateProjected(source.sources ?? [], field);
  },
  csi: validateCsi,
  ephemeral(source, field) {
    if (source.volumeClaimTemplate === undefined) field.child('volumeClaimTemplate').required();
    else validateClaimTemplate(source.volumeClaimTemplate, field.child('volumeClaimTemplate'));
  },
};

export function validateHostPath(source: HostPathVolumeSource, field: FieldAt): void {
  if (source.path === '') {
    field.child('path').required();
    return;
  }
  field.child('path').refuse(source.path, checkNoBacksteps(source.path));
  field.child('type').oneOf(source.type, hostPathTypes);
}

/** emptyDir first and image last; in between the order of Kubernetes' own rules. */
const order: readonly Source[] = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
];
const rules: SourceRules = { ...pluginRules, ...commonRules };

/** Returns the volumes without any fault, by name; only those can be mounted. */
export function validateVolumes(volumes: readonly Volume[], place: VolumePlace): ReadonlyMap<string, Volume> {
  const { field, podName } = place;
  const { causes } = field;
  const created = new Set<string>();
  if (podName !== '')
    for (const volume of volumes)
      if (volume.ephemeral !== undefined) created.add(`${podName}-${volume.name}`);

  const good = new Map<string, Volume>();
  for (const [i, volume] of volumes.entries()) {
    const here = field.index(i);
    const before = causes.list.length;
    validateSource(volume, here, place);
    here.child('name').requiredText(volume.name, checkDns1123Label);
    if (good.has(volume.name)) here.child('name').duplicate(volume.name);
    if (causes.list.length === before) good.set(volume.name, volume);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && created.has(claim))
      here
        .child('persistentVolumeClaim', 'claimName')
        .invalid(claim, 'must not reference a PVC that gets created for an ephemeral volume');
  }
  return good;
}

function validateSource(volume: Volume, field: FieldAt, place: VolumePlace): void {
  const given = order.filter((name) => volume[name] !== undefined);
  const [first, ...more] = given;
  if (first === undefined) {
    field.required('must specify a volume type');
    return;
  }
  if (first === 'image') validateImage(volume, field.child('image'), place);
  else {
    const validate = rules[first] as (source: unknown, field: FieldAt) => void;
    // Kubernetes' rules say persistentDisk where the field is gcePersistentDisk.
    validate(volume[first], field.child(first === 'gcePersistentDisk' ? 'persistentDisk' : first));
  }
  for (const name of more) field.child(name).forbidden('may not specify more than 1 volume type');
  if (volume.iscsi?.initiatorName !== undefined && `${volume.name}:${volume.iscsi.targetPortal}`.length > 64)
    field
      .child('name')
      .invalid(
        volume.name,
        'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
      );
  if (first === 'ephemeral' && place.podName !== '' && volume.name !== '') {
    const claim = `${place.podName}-${volume.name}`;
    for (const message of checkDns1123Subdomain(claim))
      field.child('name').invalid(volume.name, `PVC name ${JSON.stringify(claim)}: ${message}`);
  }
}

/** A template may leave the reference to whoever fills it in. */
function validateImage(volume: Volume, field: FieldAt, place: VolumePlace): void {
  if (place.isPod) field.child('reference').requiredText(volume.image?.reference);
  validatePullPolicy(volume.image?.pullPolicy, field.child('pullPolicy'));
}
