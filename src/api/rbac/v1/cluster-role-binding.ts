// ClusterRoleBinding: who may do everywhere what a role says.
import { defineKind, FieldAt, nameIsPathSegment } from '../../../machinery/index.ts';
import type { ClusterRoleBinding as ClusterRoleBindingObject } from '../../generated/rbac-v1.ts';
import { shape } from '../../shape.ts';
import { bindingColumns, defaultBinding, rbacGroup, validateBinding } from './rbac-rules.ts';

export type ClusterRoleBinding = ClusterRoleBindingObject;

export const ClusterRoleBinding = defineKind<ClusterRoleBindingObject>({
  group: rbacGroup,
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  scope: 'Cluster',
  schema: shape('rbac.v1.ClusterRoleBinding'),
  nameRule: nameIsPathSegment,
  createOnUpdate: true,
  columns: bindingColumns,
  defaults: defaultBinding,
  validate: (binding, old, causes) =>
    validateBinding(binding, old, {
      roleKinds: ['ClusterRole'],
      namespaced: false,
      field: new FieldAt('', causes),
    }),
});
