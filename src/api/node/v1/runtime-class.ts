// RuntimeClass: by which means of the node a pod's containers run.
import { defineKind, FieldAt, nameIsDnsLabel, validateLabels } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import { validateOverhead } from '../../core/v1/pod/validation/resources.ts';
import { roundUpToMilli, validateTolerations } from '../../core/v1/pod.ts';
import type { RuntimeClass as RuntimeClassObject } from '../../generated/node-v1.ts';
import { shape } from '../../shape.ts';

export type RuntimeClass = RuntimeClassObject;

export const RuntimeClass = defineKind<RuntimeClassObject>({
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  plural: 'runtimeclasses',
  scope: 'Cluster',
  createOnUpdate: true,
  unconditionalUpdate: false,
  schema: shape('node.v1.RuntimeClass'),
  columns: [
    nameColumn,
    textColumn('Handler', 'The name of the means.', (runtime) => runtime.handler ?? ''),
    ageColumn,
  ],
  defaults({ overhead }) {
    const fixed = overhead?.podFixed;
    for (const [name, amount] of Object.entries(fixed ?? {})) fixed![name] = roundUpToMilli(amount);
  },
  validate({ handler, overhead, scheduling }, old, causes) {
    const field = new FieldAt('', causes);
    field.child('handler').refuse(handler, nameIsDnsLabel(handler, false));
    if (overhead !== undefined) validateOverhead(overhead.podFixed ?? {}, field.child('overhead'));
    if (scheduling !== undefined) {
      const here = field.child('scheduling');
      validateLabels(scheduling.nodeSelector, here.child('nodeSelector').path, causes);
      const tolerations = scheduling.tolerations ?? [];
      // the list is named twice here, as in Kubernetes
      validateTolerations(tolerations, here.child('tolerations', 'tolerations'));
      const seen = new Set<string>();
      for (const [i, toleration] of tolerations.entries()) {
        const { key = '', operator = '', value = '', effect = '' } = toleration;
        const id = JSON.stringify([key, operator, value, effect]);
        if (seen.has(id)) here.child('tolerations').index(i).duplicate(toleration);
        seen.add(id);
      }
    }
    if (old !== undefined) field.child('handler').immutable(handler, old.handler);
  },
});
