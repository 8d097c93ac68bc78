// The words in which the roles of every cluster are written down: a line a rule, lists as words with blanks between them.
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding, rbacV1 } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';

export type PolicyRule = rbacV1.PolicyRule;
export type ClusterRoleDraft = Draft<ClusterRole>;
export type RoleDraft = Draft<Role>;
export type ClusterRoleBindingDraft = Draft<ClusterRoleBinding>;
export type RoleBindingDraft = Draft<RoleBinding>;

export const read = 'get list watch';
export const write = 'create update patch delete deletecollection';
export const readWrite = `${read} ${write}`;
export const readUpdate = 'get list watch update patch';

/** Groups; `core` has no name of its own. */
export const core = '';
export const rbac = 'rbac.authorization.k8s.io';
export const certificates = 'certificates.k8s.io';
export const networking = 'networking.k8s.io';
export const resource = 'resource.k8s.io';
export const storage = 'storage.k8s.io';

const sorted = (words: string): string[] => words.split(/\s+/).filter(Boolean).sort();

/** Several groups with commas between them, since the core group is no word. */
export const rule = (verbs: string, groups: string, resources: string, names = ''): PolicyRule => ({
  verbs: sorted(verbs),
  apiGroups: groups.split(',').sort(),
  resources: sorted(resources),
  ...(names !== '' && { resourceNames: sorted(names) }),
});

export const paths = (list: string): PolicyRule => ({ verbs: ['get'], nonResourceURLs: sorted(list) });

export const events = rule('create update patch', `${core},events.k8s.io`, 'events');

/** What tells these objects from those of users, and lets the next start bring them up to date. */
const metadata = (name: string, labels: Record<string, string> = {}) => ({
  name,
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
});

export const clusterRole = (
  name: string,
  rules: PolicyRule[],
  labels?: Record<string, string>,
): ClusterRoleDraft => ({ metadata: metadata(name, labels), rules });

/** Of which role `aggregate-to-NAME` makes a part. */
export const partOf = (name: string): Record<string, string> => ({
  [`rbac.authorization.k8s.io/aggregate-to-${name}`]: 'true',
});

export const gatheringRole = (name: string, labels?: Record<string, string>): ClusterRoleDraft => ({
  metadata: metadata(name, labels),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: partOf(name) }] },
});

export const role = (namespace: string, name: string, rules: PolicyRule[]): RoleDraft => ({
  metadata: { ...metadata(name), namespace },
  rules,
});

export const group = (name: string): rbacV1.Subject => ({ apiGroup: rbac, kind: 'Group', name });
export const user = (name: string): rbacV1.Subject => ({ apiGroup: rbac, kind: 'User', name });
export const account = (name: string): rbacV1.Subject => ({
  kind: 'ServiceAccount',
  name,
  namespace: 'kube-system',
});

/** To the role of the same name. */
export const clusterBinding = (name: string, ...subjects: rbacV1.Subject[]): ClusterRoleBindingDraft => ({
  metadata: metadata(name),
  roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
  ...(subjects.length > 0 && { subjects }),
});

export const binding = (
  namespace: string,
  [name, roleName]: readonly [string, string],
  ...subjects: rbacV1.Subject[]
): RoleBindingDraft => ({
  metadata: { ...metadata(name), namespace },
  roleRef: { apiGroup: rbac, kind: 'Role', name: roleName },
  subjects,
});
