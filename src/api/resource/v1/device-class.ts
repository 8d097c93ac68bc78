// DeviceClass: devices of one sort, for claims to name.
import { defineKind, FieldAt, semanticEqual } from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import { isExtendedResource } from '../../core/v1/pod.ts';
import type { DeviceClass as DeviceClassObject } from '../../generated/resource-v1.ts';
import { shape } from '../../shape.ts';
import { maxConfigs, validateItems, validateOpaque, validateSelectors } from './claim-rules.ts';
import { dropFromClass } from './gated-fields.ts';

export type DeviceClass = DeviceClassObject;

export const DeviceClass = defineKind<DeviceClassObject>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'DeviceClass',
  plural: 'deviceclasses',
  scope: 'Cluster',
  schema: shape('resource.v1.DeviceClass'),
  generationFields: ['spec'],
  columns: [nameColumn, ageColumn],
  prepareCreate: ({ spec }) => dropFromClass(spec),
  prepareUpdate(next, old) {
    if (!semanticEqual(next.spec, old.spec)) dropFromClass(next.spec);
  },
  validate({ spec }, _old, causes) {
    const field = new FieldAt('spec', causes);
    validateSelectors(spec.selectors ?? [], field.child('selectors'));
    validateItems(
      spec.config ?? [],
      { most: maxConfigs, validate: ({ opaque }, here) => validateOpaque(opaque, here.child('opaque')) },
      field.child('config'),
    );
    const resource = spec.extendedResourceName;
    if (resource !== undefined && !isExtendedResource(resource))
      field.child('extendedResourceName').invalid(resource, 'must be a valid extended resource name');
  },
});
