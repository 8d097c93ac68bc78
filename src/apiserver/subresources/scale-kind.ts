// The kind of a scale body. It is never stored, so it is not in the list of kinds; patches need its shape.
import { shape } from '../../api/index.ts';
import { defineKind, type KubeObject } from '../../machinery/index.ts';

export const scaleKind = defineKind<KubeObject>({
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  plural: 'scales',
  scope: 'Namespaced',
  schema: shape('autoscaling.v1.Scale'),
});
