// What roles and bindings share, whether of a namespace or of the cluster.
import {
  type Column,
  checkDns1123Subdomain,
  checkPathSegment,
  type FieldAt,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn, wide } from '../../columns.ts';
import type {
  ClusterRoleBinding,
  PolicyRule,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../generated/rbac-v1.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

type Binding = RoleBinding | ClusterRoleBinding;

export function validatePolicyRules(
  rules: readonly PolicyRule[] | undefined,
  scope: 'Namespaced' | 'Cluster',
  field: FieldAt,
): void {
  for (const [i, rule] of (rules ?? []).entries()) {
    const here = field.index(i);
    const { nonResourceURLs = [], apiGroups = [], resources = [], resourceNames = [] } = rule;
    if ((rule.verbs ?? []).length === 0)
      here.child('verbs').required('verbs must contain at least one value');
    if (nonResourceURLs.length > 0) {
      const urls = here.child('nonResourceURLs');
      if (scope === 'Namespaced')
        urls.invalid(nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs');
      if (apiGroups.length + resources.length + resourceNames.length > 0)
        urls.invalid(nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs');
      continue;
    }
    if (apiGroups.length === 0)
      here.child('apiGroups').required('resource rules must supply at least one api group');
    if (resources.length === 0)
      here.child('resources').required('resource rules must supply at least one resource');
  }
}

/** Mutates; idempotent. */
export function defaultBinding({ roleRef, subjects }: Binding): void {
  if (roleRef !== undefined) roleRef.apiGroup ||= rbacGroup;
  for (const subject of subjects ?? [])
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= rbacGroup;
}

export function validateBinding(
  binding: Binding,
  old: Binding | undefined,
  rules: { roleKinds: readonly string[]; namespaced: boolean; field: FieldAt },
): void {
  const { field } = rules;
  validateRoleRef(binding.roleRef, rules.roleKinds, field.child('roleRef'));
  for (const [i, subject] of (binding.subjects ?? []).entries())
    validateSubject(subject, rules.namespaced, field.child('subjects').index(i));
  if (old === undefined) return;
  const [before, after] = [old.roleRef, binding.roleRef];
  if (before.kind !== after.kind || before.name !== after.name || before.apiGroup !== after.apiGroup)
    field.child('roleRef').invalid(after, 'cannot change roleRef');
}

function validateRoleRef(ref: RoleRef, kinds: readonly string[], field: FieldAt): void {
  const { apiGroup = '', kind = '', name = '' } = ref ?? {};
  field.child('apiGroup').oneOf(apiGroup, [rbacGroup]);
  field.child('kind').oneOf(kind, kinds);
  field.child('name').requiredText(name, checkPathSegment);
}

function validateSubject(subject: Subject, namespaced: boolean, field: FieldAt): void {
  const { kind = '', name = '', apiGroup = '', namespace = '' } = subject;
  if (name === '') field.child('name').required();
  const group = field.child('apiGroup');
  if (kind === 'ServiceAccount') {
    if (name !== '') field.child('name').refuse(name, checkDns1123Subdomain(name));
    group.oneOf(apiGroup, ['']);
    if (!namespaced && namespace === '') field.child('namespace').required();
  } else if (kind === 'User' || kind === 'Group') group.oneOf(apiGroup, [rbacGroup]);
  else field.child('kind').notSupported(kind, ['ServiceAccount', 'User', 'Group']);
}

const names = ({ subjects }: Binding, kind: string): string =>
  (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(({ name, namespace = '' }) =>
      kind === 'ServiceAccount' ? `${namespace === '' ? '' : `${namespace}/`}${name}` : name,
    )
    .join(', ');

export const bindingColumns: readonly Column<Binding>[] = [
  nameColumn,
  textColumn('Role', 'The role it gives.', ({ roleRef }) => `${roleRef?.kind ?? ''}/${roleRef?.name ?? ''}`),
  ageColumn,
  wide(textColumn('Users', 'The users that have it.', (binding) => names(binding, 'User'))),
  wide(textColumn('Groups', 'The groups that have it.', (binding) => names(binding, 'Group'))),
  wide(
    textColumn('ServiceAccounts', 'The service accounts that have it.', (binding) =>
      names(binding, 'ServiceAccount'),
    ),
  ),
];
