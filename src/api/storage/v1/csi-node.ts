// CSINode: the drivers of storage on one node, under their own names for it.
import {
  checkQualifiedName,
  defineKind,
  FieldAt,
  immutableMessage,
  semanticEqual,
} from '../../../machinery/index.ts';
import { ageColumn, integerColumn, nameColumn } from '../../columns.ts';
import { validateDriverName } from '../../core/v1/pod.ts';
import type { CSINodeDriver, CSINode as CSINodeObject } from '../../generated/storage-v1.ts';
import { shape } from '../../shape.ts';

export type CSINode = CSINodeObject;

const maxNodeIdBytes = 192;

export const CSINode = defineKind<CSINodeObject>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSINode',
  plural: 'csinodes',
  scope: 'Cluster',
  unconditionalUpdate: false,
  schema: shape('storage.v1.CSINode'),
  returnsDeleted: true,
  columns: [
    nameColumn,
    integerColumn('Drivers', 'How many drivers it has.', ({ spec }) => spec?.drivers?.length ?? 0),
    ageColumn,
  ],
  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes).child('drivers');
    const names = new Set<string>();
    for (const [i, driver] of (spec.drivers ?? []).entries()) {
      validateDriver(driver, field.index(i));
      if (names.has(driver.name)) field.index(i).child('name').duplicate(driver.name);
      names.add(driver.name);
      const before = old?.spec.drivers?.find(({ name }) => name === driver.name);
      if (before !== undefined && !semanticEqual(withoutCount(before), withoutCount(driver)))
        causes.invalid('CSINodeDriver', driver, immutableMessage);
    }
  },
});

/** How many volumes fit may be learned later. */
const withoutCount = ({ allocatable: _, ...driver }: CSINodeDriver): object => driver;

function validateDriver(driver: CSINodeDriver, field: FieldAt): void {
  const { name, nodeID, allocatable, topologyKeys } = driver;
  validateDriverName(name, field.child('name'));
  const id = field.child('nodeID');
  if (nodeID === '') id.required();
  if (Buffer.byteLength(nodeID) > maxNodeIdBytes)
    id.invalid(nodeID, `must be ${maxNodeIdBytes} characters or less`);
  field.child('allocatable', 'count').notNegative(allocatable?.count);
  const seen = new Set<string>();
  for (const key of topologyKeys ?? []) {
    if (key === '') field.required();
    if (seen.has(key)) field.duplicate(key);
    seen.add(key);
    field.refuse(topologyKeys, checkQualifiedName(key));
  }
}
