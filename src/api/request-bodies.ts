// Shapes that are only bodies of requests or answers: they have an apiVersion and a kind, but nothing of them is stored.
import type { ObjectSchema } from '../machinery/index.ts';
import { shape } from './shape.ts';

export type { Scale } from './generated/autoscaling-v1.ts';
export type { Eviction } from './generated/policy-v1.ts';

export interface RequestBody {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: ObjectSchema;
}

export const bindingBody: RequestBody = {
  group: '',
  version: 'v1',
  kind: 'Binding',
  schema: shape('core.v1.Binding'),
};
export const evictionBody: RequestBody = {
  group: 'policy',
  version: 'v1',
  kind: 'Eviction',
  schema: shape('policy.v1.Eviction'),
};
export const scaleBody: RequestBody = {
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  schema: shape('autoscaling.v1.Scale'),
};
