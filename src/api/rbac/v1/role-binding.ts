// RoleBinding: who may do in one namespace what a role says.
import { defineKind, FieldAt, nameIsPathSegment } from '../../../machinery/index.ts';
import type { RoleBinding as RoleBindingObject } from '../../generated/rbac-v1.ts';
import { shape } from '../../shape.ts';
import { bindingColumns, defaultBinding, rbacGroup, validateBinding } from './rbac-rules.ts';

export type RoleBinding = RoleBindingObject;

export const RoleBinding = defineKind<RoleBindingObject>({
  group: rbacGroup,
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  scope: 'Namespaced',
  schema: shape('rbac.v1.RoleBinding'),
  nameRule: nameIsPathSegment,
  createOnUpdate: true,
  columns: bindingColumns,
  defaults: defaultBinding,
  validate: (binding, old, causes) =>
    validateBinding(binding, old, {
      roleKinds: ['Role', 'ClusterRole'],
      namespaced: true,
      field: new FieldAt('', causes),
    }),
});
