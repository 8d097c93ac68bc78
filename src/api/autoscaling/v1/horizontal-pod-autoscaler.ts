// autoscaling/v1 HorizontalPodAutoscaler: the old view of the objects that v2 stores. Hooks of this kind see the stored form, as those
// of every kind do; columns see the served one.
import { type Column, defineKind, FieldAt, type KubeObject } from '../../../machinery/index.ts';
import type { HorizontalPodAutoscaler as HorizontalPodAutoscalerObject } from '../../generated/autoscaling-v1.ts';
import type { HorizontalPodAutoscaler as StoredAutoscaler } from '../../generated/autoscaling-v2.ts';
import { shape } from '../../shape.ts';
import {
  autoscalerColumns,
  autoscalerPrefix,
  defaultAutoscaler,
  validateAutoscaler,
  validateAutoscalerStatus,
} from '../v2/horizontal-pod-autoscaler.ts';
import { servedAutoscaler, storedAutoscaler } from './conversion.ts';

export type HorizontalPodAutoscalerV1 = HorizontalPodAutoscalerObject;

const stored = (object: KubeObject): StoredAutoscaler => object as StoredAutoscaler;

const servedColumns: readonly Column<HorizontalPodAutoscalerObject>[] = autoscalerColumns.map((column) => ({
  ...column,
  cell: (object: HorizontalPodAutoscalerObject, now: { nowMs: number }) =>
    column.cell(storedAutoscaler(object), now),
}));

export const HorizontalPodAutoscalerV1 = defineKind<HorizontalPodAutoscalerObject>({
  group: 'autoscaling',
  version: 'v1',
  kind: 'HorizontalPodAutoscaler',
  plural: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  scope: 'Namespaced',
  schema: shape('autoscaling.v1.HorizontalPodAutoscaler'),
  storagePrefix: autoscalerPrefix,
  subresources: { status: true },
  conversion: { toStored: storedAutoscaler, fromStored: servedAutoscaler },
  columns: servedColumns,
  defaults: (object) => defaultAutoscaler(stored(object)),
  validate: (object, old, causes) =>
    validateAutoscaler(
      stored(object),
      old === undefined ? undefined : stored(old),
      new FieldAt('spec', causes),
    ),
  validateStatus: (object, _old, causes) =>
    validateAutoscalerStatus(stored(object), new FieldAt('status', causes)),
});
