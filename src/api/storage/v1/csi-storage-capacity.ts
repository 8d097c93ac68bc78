// CSIStorageCapacity: how much room a class has for volumes in one part of the cluster.
import {
  checkDns1123Subdomain,
  defineKind,
  FieldAt,
  validateLabelSelector,
} from '../../../machinery/index.ts';
import { nameColumn, textColumn } from '../../columns.ts';
import { compareQuantities } from '../../core/v1/pod.ts';
import type { CSIStorageCapacity as CSIStorageCapacityObject } from '../../generated/storage-v1.ts';
import { shape } from '../../shape.ts';

export type CSIStorageCapacity = CSIStorageCapacityObject;

export const CSIStorageCapacity = defineKind<CSIStorageCapacityObject>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  scope: 'Namespaced',
  unconditionalUpdate: false,
  schema: shape('storage.v1.CSIStorageCapacity'),
  columns: [
    nameColumn,
    textColumn('StorageClassName', 'The class.', (capacity) => capacity.storageClassName ?? ''),
    textColumn('Capacity', 'How much room there is.', (capacity) => capacity.capacity ?? '<unset>'),
  ],
  validate(capacity, old, causes) {
    const field = new FieldAt('', causes);
    validateLabelSelector(capacity.nodeTopology, 'nodeTopology', causes);
    const { storageClassName = '' } = capacity;
    field.child('storageClassName').refuse(storageClassName, checkDns1123Subdomain(storageClassName));
    for (const name of ['capacity', 'maximumVolumeSize'] as const) {
      const amount = capacity[name];
      if (amount !== undefined && compareQuantities(amount, '0') < 0)
        field.child(name).invalid(amount, 'must be greater than or equal to 0');
    }
    if (old === undefined) return;
    field.child('nodeTopology').immutable(capacity.nodeTopology, old.nodeTopology);
    field.child('storageClassName').immutable(capacity.storageClassName, old.storageClassName);
  },
});
