// StorageClass: how volumes are made when a claim asks for one.
import {
  checkLabelKey,
  checkLabelValue,
  checkQualifiedName,
  defineKind,
  FieldAt,
  immutableMessage,
  semanticEqual,
} from '../../../machinery/index.ts';
import { ageColumn, booleanColumn, nameColumn, textColumn } from '../../columns.ts';
import type { TopologySelectorTerm } from '../../generated/core-v1.ts';
import type { StorageClass as StorageClassObject } from '../../generated/storage-v1.ts';
import { shape } from '../../shape.ts';

export type StorageClass = StorageClassObject;

/** Says that a class is taken by claims that name none. */
export const defaultClassAnnotation = 'storageclass.kubernetes.io/is-default-class';
const oldDefaultAnnotation = 'storageclass.beta.kubernetes.io/is-default-class';

export const isDefaultClass = ({ metadata }: StorageClassObject): boolean =>
  [defaultClassAnnotation, oldDefaultAnnotation].some(
    (annotation) => metadata.annotations?.[annotation] === 'true',
  );

/** The one that claims without a class get: of several defaults the newest, then the first by name. */
export function defaultStorageClass(classes: Iterable<StorageClassObject>): StorageClassObject | undefined {
  let best: StorageClassObject | undefined;
  for (const one of classes) {
    if (!isDefaultClass(one)) continue;
    const [made, bestMade] = [one.metadata.creationTimestamp, best?.metadata.creationTimestamp];
    if (
      best === undefined ||
      (made === bestMade ? one.metadata.name < best.metadata.name : made! > bestMade!)
    )
      best = one;
  }
  return best;
}

export const StorageClass = defineKind<StorageClassObject>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'StorageClass',
  plural: 'storageclasses',
  shortNames: ['sc'],
  scope: 'Cluster',
  schema: shape('storage.v1.StorageClass'),
  returnsDeleted: true,
  columns: [
    {
      ...nameColumn,
      cell: (sc: StorageClassObject) => `${sc.metadata.name ?? ''}${isDefaultClass(sc) ? ' (default)' : ''}`,
    },
    textColumn('Provisioner', 'Who makes its volumes.', (sc) => sc.provisioner ?? ''),
    textColumn(
      'ReclaimPolicy',
      'What becomes of a volume when its claim is gone.',
      (sc) => sc.reclaimPolicy ?? 'Delete',
    ),
    textColumn(
      'VolumeBindingMode',
      'When a claim gets its volume.',
      (sc) => sc.volumeBindingMode ?? 'Immediate',
    ),
    {
      ...booleanColumn(
        'AllowVolumeExpansion',
        'Whether its volumes can grow.',
        (sc: StorageClassObject) => sc.allowVolumeExpansion ?? false,
      ),
      type: 'string',
    },
    ageColumn,
  ],

  defaults(sc) {
    sc.reclaimPolicy ??= 'Delete';
    sc.volumeBindingMode ??= 'Immediate';
  },

  validate(sc, old, causes) {
    const field = new FieldAt('', causes);
    const { provisioner = '', reclaimPolicy = '', volumeBindingMode } = sc;
    if (provisioner === '') field.child('provisioner').required();
    else field.child('provisioner').refuse(provisioner, checkQualifiedName(provisioner.toLowerCase()));
    validateParameters(sc.parameters, field.child('parameters'));
    if (reclaimPolicy !== '') field.child('reclaimPolicy').oneOf(reclaimPolicy, ['Delete', 'Retain']);
    const mode = field.child('volumeBindingMode');
    if (volumeBindingMode === undefined) mode.required();
    else mode.oneOf(volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']);
    validateTopologies(sc.allowedTopologies ?? [], field.child('allowedTopologies'));
    if (old === undefined) return;
    for (const name of ['parameters', 'provisioner', 'reclaimPolicy'] as const)
      if (!semanticEqual(sc[name], old[name]))
        field.child(name).forbidden(`updates to ${name} are forbidden.`);
    if (volumeBindingMode !== old.volumeBindingMode)
      mode.invalid(volumeBindingMode ?? null, immutableMessage);
  },
});

const maxParameters = 512;
const maxParametersBytes = 256 * 1024;

export function validateParameters(parameters: Record<string, string> | undefined, field: FieldAt): void {
  const entries = Object.entries(parameters ?? {});
  if (entries.length > maxParameters) {
    field.tooLong(maxParameters);
    return;
  }
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === '') field.invalid(key, 'field can not be empty.');
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > maxParametersBytes) field.tooLong(maxParametersBytes);
}

function validateTopologies(terms: readonly TopologySelectorTerm[], field: FieldAt): void {
  // Kubernetes begins with an empty term for each, so that one without expressions is a duplicate as often as there are terms.
  const before: string[] = terms.map(() => '[]');
  for (const [i, term] of terms.entries()) {
    const here = field.index(i).child('matchLabelExpressions');
    const expressions: Record<string, string[]> = {};
    for (const [j, { key, values = [] }] of (term.matchLabelExpressions ?? []).entries()) {
      const place = here.index(j);
      if (expressions[key] !== undefined) place.child('key').duplicate(key);
      const given = values ?? [];
      expressions[key] = [...given].sort();
      if (given.length === 0) place.child('values').required();
      for (const [n, value] of given.entries()) {
        if (given.indexOf(value) < n) place.child('values').index(n).duplicate(value);
        place.child('values').index(n).refuse(value, checkLabelValue(value));
      }
      place.child('key').refuse(key, checkLabelKey(key));
    }
    const told = JSON.stringify(Object.entries(expressions).sort());
    for (const other of before) if (other === told) here.duplicate('');
    before.push(told);
  }
}
