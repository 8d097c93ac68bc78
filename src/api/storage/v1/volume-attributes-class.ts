// VolumeAttributesClass: attributes of volumes that may change while they are used.
import { defineKind, FieldAt, semanticEqual } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import { validateDriverName } from '../../core/v1/pod.ts';
import type { VolumeAttributesClass as VolumeAttributesClassObject } from '../../generated/storage-v1.ts';
import { shape } from '../../shape.ts';
import { validateParameters } from './storage-class.ts';

export type VolumeAttributesClass = VolumeAttributesClassObject;

export const VolumeAttributesClass = defineKind<VolumeAttributesClassObject>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  shortNames: ['vac'],
  scope: 'Cluster',
  schema: shape('storage.v1.VolumeAttributesClass'),
  returnsDeleted: true,
  columns: [
    nameColumn,
    textColumn('DriverName', 'The driver that knows them.', (vac) => vac.driverName ?? ''),
    ageColumn,
  ],
  validate(vac, old, causes) {
    const field = new FieldAt('', causes);
    validateDriverName(vac.driverName ?? '', field.child('driverName'));
    const parameters = field.child('parameters');
    if (Object.keys(vac.parameters ?? {}).length === 0)
      parameters.required('must contain at least one key/value pair');
    validateParameters(vac.parameters, parameters);
    if (old === undefined) return;
    if (vac.driverName !== old.driverName)
      field.child('driverName').forbidden('updates to driverName are forbidden.');
    if (!semanticEqual(vac.parameters, old.parameters))
      parameters.forbidden('updates to parameters are forbidden.');
  },
});
