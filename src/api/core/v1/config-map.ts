// ConfigMap: settings for pods, as text or bytes.
import { at, type Causes, checkConfigMapKey, defineKind, semanticEqual } from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import type { ConfigMap as ConfigMapObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';

export type ConfigMap = ConfigMapObject;

/** All values of a ConfigMap, or of a Secret, together. */
export const dataLimitBytes = 1024 * 1024;

/** How many bytes base64 text stands for. */
export const decodedBytes = (base64: string): number =>
  (base64.length / 4) * 3 - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0);

const countOf = (map: Record<string, string> | undefined): number => Object.keys(map ?? {}).length;

export const ConfigMap = defineKind<ConfigMapObject>({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  scope: 'Namespaced',
  schema: shape('core.v1.ConfigMap'),
  columns: [
    nameColumn,
    {
      name: 'Data',
      type: 'string',
      description: 'How many keys it has.',
      cell: (map) => countOf(map.data) + countOf(map.binaryData),
    },
    ageColumn,
  ],

  validate(map, old, causes) {
    if (old !== undefined) validateImmutable(map, old, ['data', 'binaryData'], causes);
    const { data = {}, binaryData = {} } = map;
    let bytes = 0;
    for (const key of Object.keys(data).sort()) {
      const path = at.key('data', key);
      for (const message of checkConfigMapKey(key)) causes.invalid(path, key, message);
      if (Object.hasOwn(binaryData, key)) causes.invalid(path, key, 'duplicate of key present in binaryData');
      bytes += Buffer.byteLength(data[key]!);
    }
    for (const key of Object.keys(binaryData).sort()) {
      for (const message of checkConfigMapKey(key)) causes.invalid(at.key('binaryData', key), key, message);
      bytes += decodedBytes(binaryData[key]!);
    }
    // the empty path of the whole object, as Kubernetes writes it
    if (bytes > dataLimitBytes) causes.tooLong('[]', dataLimitBytes);
  },
});

/** Once `immutable` is set, neither it nor the data changes. */
export function validateImmutable<T extends { immutable?: boolean | undefined }>(
  object: T,
  old: T,
  fields: readonly (keyof T & string)[],
  causes: Causes,
): void {
  if (old.immutable !== true) return;
  const why = 'field is immutable when `immutable` is set';
  if (object.immutable !== true) causes.forbidden('immutable', why);
  for (const field of fields) if (!semanticEqual(object[field], old[field])) causes.forbidden(field, why);
}
