// Nobody gives by a role or a binding what he does not have himself: refused as kube-apiserver refuses it (pkg/registry/rbac), unless he may
// `escalate` the role or `bind` it. Runs as the last step that may change a write, so before its rules are checked, as there.
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding, type rbacV1 } from '../../../api/index.ts';
import { forbidden, type KindDef, type KubeObject, notFound } from '../../../machinery/index.ts';
import type { Store } from '../../../storage/index.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../../admission/admission.ts';
import { refOf } from '../../registry/core.ts';
import { keyFor, objectOf, sameJson } from '../../registry/objects.ts';
import { type UserInfo, wellKnown } from '../attributes.ts';
import type { Authorize } from '../authorize.ts';
import { describeRules, missingRules, quoted } from './covers.ts';

type PolicyRule = rbacV1.PolicyRule;

export interface EscalationOptions {
  readonly store: Store;
  readonly authorize: Authorize;
}

const roles: readonly unknown[] = [Role, ClusterRole];
const bindings: readonly unknown[] = [RoleBinding, ClusterRoleBinding];

const everything: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

export function rbacEscalation({ store, authorize }: EscalationOptions): AdmissionPlugin {
  const may = (
    { context, namespace = '', kind }: AdmissionRequest,
    asked: { readonly verb: string; readonly resource: string; readonly name: string },
  ): boolean => {
    const { user } = context;
    const attributes = {
      user,
      group: kind.group,
      version: '*',
      subresource: '',
      namespace,
      path: '',
      ...asked,
    };
    return authorize.decide(attributes).decision === 'allow';
  };

  /** Why the user may not give these rules; undefined = he has them. */
  const lack = (user: UserInfo, namespace: string, rules: readonly PolicyRule[]): string | undefined => {
    const { resources, paths, error } = authorize.rulesFor(user, namespace);
    const missing = missingRules([...resources, ...paths], rules);
    if (missing.length === 0) return undefined;
    const resolution = error === '' ? '' : `; resolution errors: [${error}]`;
    const who = `user ${JSON.stringify(user.name)} (groups=${quoted(user.groups)})`;
    return `${who} is attempting to grant RBAC permissions not currently held:\n${describeRules(missing).join('\n')}${resolution}`;
  };

  const rulesOf = ({ kind, name }: rbacV1.RoleRef, namespace: string): readonly PolicyRule[] => {
    const of = (kind === 'Role' ? Role : ClusterRole) as unknown as KindDef;
    const entry = store.get(keyFor(of, kind === 'Role' ? namespace : undefined, name));
    if (entry === undefined) throw notFound(refOf(of), name);
    return objectOf<Role | ClusterRole>(entry).rules ?? [];
  };

  const checkRole = (request: AdmissionRequest): void => {
    const { kind, name, namespace = '', context, operation } = request;
    // A create names nothing in its path, so that a right to escalate one name is none to make it.
    const named = operation === 'create' && context.authorizeCreate === undefined ? '' : name;
    if (may(request, { verb: 'escalate', resource: kind.plural, name: named })) return;
    const object = request.object as Role & ClusterRole;
    const refusal = lack(context.user, namespace, object.rules ?? []);
    if (refusal !== undefined) throw forbidden(refOf(kind), object.metadata.name, refusal);
    if (!isAggregated(object) && !isAggregated(request.old as ClusterRole | null)) return;
    if (lack(context.user, namespace, everything) !== undefined)
      throw forbidden(
        refOf(kind),
        object.metadata.name,
        'must have cluster-admin privileges to use the aggregationRule',
      );
  };

  const checkBinding = (request: AdmissionRequest): void => {
    const { kind, namespace = '', context } = request;
    const { roleRef, metadata } = request.object as RoleBinding | ClusterRoleBinding;
    // What is no reference to a role is refused by the rules of the kind.
    const isLocal = roleRef?.kind === 'Role';
    if (!isLocal && roleRef?.kind !== 'ClusterRole') return;
    if (isLocal && kind.scope === 'Cluster') return;
    const { plural } = isLocal ? Role : ClusterRole;
    if (may(request, { verb: 'bind', resource: plural, name: roleRef.name })) return;
    const refusal = lack(context.user, namespace, rulesOf(roleRef, namespace));
    if (refusal !== undefined) throw forbidden(refOf(kind), metadata.name, refusal);
  };

  return {
    name: 'RBACEscalation',
    mutate(request) {
      const { kind, operation, object, old, context } = request;
      if (kind.group !== ClusterRole.group || object === null || request.subresource !== '') return;
      if (context.user.groups.includes(wellKnown.masters)) return;
      if (operation === 'update' && changesOnlyUpkeep(object, old)) return;
      if (roles.includes(kind)) checkRole(request);
      else if (bindings.includes(kind)) checkBinding(request);
    },
  };
}

const isAggregated = (role: ClusterRole | null): boolean =>
  (role?.aggregationRule?.clusterRoleSelectors?.length ?? 0) > 0;

/** Owners and finalizers are what the garbage collector takes away from objects of any author. */
function changesOnlyUpkeep(object: KubeObject, old: KubeObject | null): boolean {
  if (old === null) return false;
  const { ownerReferences, finalizers, managedFields } = old.metadata;
  const metadata = { ...object.metadata, ownerReferences, finalizers, managedFields };
  return sameJson({ ...object, metadata }, old);
}
