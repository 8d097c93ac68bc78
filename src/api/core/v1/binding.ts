// Binding: a pod is given to a node. As a kind of its own it is the old way in; schedulers use pods/binding.
import { defineKind } from '../../../machinery/index.ts';
import type { Binding as BindingObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';

export type Binding = BindingObject;

export const Binding = defineKind<BindingObject>({
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  scope: 'Namespaced',
  schema: shape('core.v1.Binding'),
  verbs: ['create'],
});
