// PersistentVolume: a piece of storage of the cluster, whoever uses it.
import { defineKind, FieldAt, formatTime, semanticEqual } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn, wide } from '../../columns.ts';
import type {
  PersistentVolume as PersistentVolumeObject,
  PersistentVolumeSpec,
} from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { validateVolumeSpec, volumeSources } from './persistent-volume-rules.ts';
import { sourceDefaults } from './pod/default-volumes.ts';
import { roundUpToMilli } from './pod/quantities.ts';
import { warnNodeTerm } from './pod/warnings.ts';

export type PersistentVolume = PersistentVolumeObject;

/** The annotation that named the class before there was a field for it. */
export const storageClassAnnotation = 'volume.beta.kubernetes.io/storage-class';
const mountOptionsAnnotation = 'volume.beta.kubernetes.io/mount-options';

const modeNames: readonly (readonly [mode: string, short: string])[] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
];

/** `RWO,RWX`, each once. */
export const shortAccessModes = (modes: readonly string[] | undefined): string =>
  modeNames
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');

export const PersistentVolume = defineKind<PersistentVolumeObject>({
  group: '',
  version: 'v1',
  kind: 'PersistentVolume',
  plural: 'persistentvolumes',
  shortNames: ['pv'],
  scope: 'Cluster',
  schema: shape('core.v1.PersistentVolume'),
  subresources: { status: true },
  returnsDeleted: true,
  columns: [
    nameColumn,
    textColumn('Capacity', 'How much it holds.', (pv) => pv.spec?.capacity?.['storage'] ?? '0'),
    textColumn('Access Modes', 'How it can be mounted.', (pv) => shortAccessModes(pv.spec?.accessModes)),
    textColumn(
      'Reclaim Policy',
      'What becomes of it when its claim is gone.',
      (pv) => pv.spec?.persistentVolumeReclaimPolicy ?? '',
    ),
    textColumn('Status', 'Whether it is available, bound or released.', (pv) =>
      pv.metadata.deletionTimestamp === undefined ? (pv.status?.phase ?? '') : 'Terminating',
    ),
    textColumn('Claim', 'The claim it belongs to.', (pv) => {
      const claim = pv.spec?.claimRef;
      return claim === undefined ? '' : `${claim.namespace ?? ''}/${claim.name ?? ''}`;
    }),
    textColumn(
      'StorageClass',
      'Its storage class.',
      (pv) => pv.metadata.annotations?.[storageClassAnnotation] ?? pv.spec?.storageClassName ?? '',
    ),
    textColumn(
      'VolumeAttributesClass',
      'Its class of attributes.',
      (pv) => pv.spec?.volumeAttributesClassName ?? '<unset>',
    ),
    textColumn('Reason', 'Why it is in this state.', (pv) => pv.status?.reason ?? ''),
    ageColumn,
    wide(textColumn('VolumeMode', 'Files or blocks.', (pv) => pv.spec?.volumeMode ?? '<unset>')),
  ],

  defaults({ spec, status }) {
    if (status !== undefined) status.phase ||= 'Pending';
    spec.persistentVolumeReclaimPolicy ||= 'Retain';
    defaultVolumeSpec(spec);
  },

  prepareCreate(pv, { nowMs }) {
    pv.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(nowMs) };
  },

  /** The time of the last change of phase is the server's to know, unless the report has a newer one. */
  prepareStatus(pv, old, { nowMs }) {
    const status = (pv.status ??= {});
    const before = old.status ?? {};
    if (status.phase === before.phase) {
      const time = status.lastPhaseTransitionTime ?? before.lastPhaseTransitionTime;
      if (time !== undefined) status.lastPhaseTransitionTime = time;
    } else if (
      status.lastPhaseTransitionTime === undefined ||
      status.lastPhaseTransitionTime === before.lastPhaseTransitionTime
    )
      status.lastPhaseTransitionTime = formatTime(nowMs);
  },

  validate(pv, old, causes) {
    const field = new FieldAt('spec', causes);
    validateVolumeSpec(pv.spec, { name: pv.metadata.name ?? '', inline: false }, field);
    if (
      pv.metadata.annotations?.[mountOptionsAnnotation] !== undefined &&
      !volumeSources.some((source) => mountable.has(source) && pv.spec[source] !== undefined)
    )
      causes.forbidden(
        `metadata.annotations.${mountOptionsAnnotation}`,
        'may not specify mount options for this volume type',
      );
    if (old === undefined) return;
    const [now, before] = [sourceOf(pv.spec), sourceOf(old.spec)];
    // the secret for growing a volume may be added later
    if (
      before.csi !== undefined &&
      before.csi.controllerExpandSecretRef === undefined &&
      now.csi !== undefined
    )
      now.csi = { ...now.csi, controllerExpandSecretRef: undefined };
    if (!semanticEqual(now, before))
      field
        .child('persistentvolumesource')
        .forbidden(`spec.persistentvolumesource is immutable after creation\n${difference(before, now)}`);
    new FieldAt('volumeMode', causes).immutable(pv.spec.volumeMode, old.spec.volumeMode);
    if (old.spec.nodeAffinity !== undefined)
      new FieldAt('nodeAffinity', causes).immutable(pv.spec.nodeAffinity, old.spec.nodeAffinity);
    if (old.spec.volumeAttributesClassName !== undefined && pv.spec.volumeAttributesClassName === undefined)
      field.child('volumeAttributesClassName').forbidden('update from non-nil value to nil is forbidden');
  },

  warn({ metadata, spec }) {
    const warnings: string[] = [];
    const annotations = metadata.annotations ?? {};
    if (annotations[storageClassAnnotation] !== undefined)
      warnings.push(
        `metadata.annotations[${storageClassAnnotation}]: deprecated since v1.8; use "storageClassName" attribute instead`,
      );
    if (annotations[mountOptionsAnnotation] !== undefined)
      warnings.push(
        `metadata.annotations[${mountOptionsAnnotation}]: deprecated since v1.31; use "mountOptions" attribute instead`,
      );
    if (spec?.persistentVolumeReclaimPolicy === 'Recycle')
      warnings.push(
        'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
      );
    for (const [i, term] of (spec?.nodeAffinity?.required?.nodeSelectorTerms ?? []).entries())
      warnings.push(...warnNodeTerm(term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`));
    for (const [source, since] of Object.entries(oldSources))
      if (spec?.[source as keyof typeof oldSources] !== undefined) warnings.push(`spec.${source}: ${since}`);
    return warnings;
  },
});

/** Mutates; idempotent. */
export function defaultVolumeSpec(spec: PersistentVolumeSpec): void {
  spec.volumeMode ??= 'Filesystem';
  for (const source of volumeSources) {
    if (spec[source] === undefined) continue;
    const fill = (sourceDefaults as Readonly<Record<string, ((source: never) => void) | undefined>>)[source];
    fill?.(spec[source] as never);
  }
  const { capacity } = spec;
  if (capacity !== undefined)
    for (const name of Object.keys(capacity)) capacity[name] = roundUpToMilli(capacity[name]!);
}

const oldSources = {
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
} as const;

/** The kinds of storage that are mounted with options. */
const mountable: ReadonlySet<string> = new Set([
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'csi',
  'gcePersistentDisk',
  'glusterfs',
  'iscsi',
  'nfs',
  'quobyte',
  'rbd',
  'storageos',
  'vsphereVolume',
]);

const sourceOf = (spec: PersistentVolumeSpec): Partial<PersistentVolumeSpec> =>
  Object.fromEntries(
    volumeSources.flatMap((source) => (spec[source] === undefined ? [] : [[source, spec[source]]])),
  );

/** What was and what is, a line each: enough to see what changed. */
export const difference = (before: unknown, now: unknown): string =>
  `- ${JSON.stringify(before)}\n+ ${JSON.stringify(now)}`;
