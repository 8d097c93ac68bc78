// Role: what may be done in one namespace.
import { defineKind, FieldAt, nameIsPathSegment } from '../../../machinery/index.ts';
import { createdColumn, nameColumn } from '../../columns.ts';
import type { Role as RoleObject } from '../../generated/rbac-v1.ts';
import { shape } from '../../shape.ts';
import { rbacGroup, validatePolicyRules } from './rbac-rules.ts';

export type Role = RoleObject;

export const Role = defineKind<RoleObject>({
  group: rbacGroup,
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  scope: 'Namespaced',
  schema: shape('rbac.v1.Role'),
  nameRule: nameIsPathSegment,
  createOnUpdate: true,
  columns: [nameColumn, createdColumn],
  validate({ rules }, _old, causes) {
    validatePolicyRules(rules, 'Namespaced', new FieldAt('rules', causes));
  },
});
