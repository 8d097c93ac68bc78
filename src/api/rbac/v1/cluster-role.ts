// ClusterRole: what may be done everywhere, or wherever it is bound.
import { defineKind, FieldAt, nameIsPathSegment, validateLabelSelector } from '../../../machinery/index.ts';
import { isSoundSelector } from '../../apps/v1/workload-rules.ts';
import { createdColumn, nameColumn } from '../../columns.ts';
import type { ClusterRole as ClusterRoleObject } from '../../generated/rbac-v1.ts';
import { shape } from '../../shape.ts';
import { rbacGroup, validatePolicyRules } from './rbac-rules.ts';

export type ClusterRole = ClusterRoleObject;

export const ClusterRole = defineKind<ClusterRoleObject>({
  group: rbacGroup,
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  scope: 'Cluster',
  schema: shape('rbac.v1.ClusterRole'),
  nameRule: nameIsPathSegment,
  createOnUpdate: true,
  columns: [nameColumn, createdColumn],
  validate({ rules, aggregationRule }, _old, causes) {
    validatePolicyRules(rules, 'Cluster', new FieldAt('rules', causes));
    if (aggregationRule === undefined) return;
    const field = new FieldAt('aggregationRule', causes).child('clusterRoleSelectors');
    const selectors = aggregationRule.clusterRoleSelectors ?? [];
    if (selectors.length === 0)
      field.required('at least one clusterRoleSelector required if aggregationRule is non-nil');
    for (const [i, selector] of selectors.entries()) {
      const here = field.index(i);
      validateLabelSelector(selector, here.path, causes);
      // Kubernetes names what it made of the selector, which is nothing.
      if (!isSoundSelector(selector)) here.invalid('null', 'invalid label selector.');
    }
  },
});
