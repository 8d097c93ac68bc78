// The kind of a scale body. It is never stored, so it is not in the list of kinds; patches need its shape, `kubectl get
// --subresource=scale` its columns.
import { type Scale, scaleBody } from '../../api/index.ts';
import { defineKind, type KubeObject, translateTimestampSince } from '../../machinery/index.ts';

type ScaleObject = KubeObject & Pick<Scale, 'spec' | 'status'>;

export const scaleKind = defineKind<ScaleObject>({
  ...scaleBody,
  plural: 'scales',
  scope: 'Namespaced',
  columns: [
    { name: 'Name', type: 'string', format: 'name', cell: (scale) => scale.metadata.name },
    { name: 'Desired', type: 'integer', cell: (scale) => scale.spec?.replicas ?? 0 },
    { name: 'Available', type: 'integer', cell: (scale) => scale.status?.replicas ?? 0 },
    {
      name: 'Age',
      type: 'string',
      cell: (scale, { nowMs }) => translateTimestampSince(scale.metadata.creationTimestamp, nowMs),
    },
  ],
});
