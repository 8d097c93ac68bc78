// Who was given what: the bindings by subject, each with the rules of its role, kept in step with the store. HOT (bench/authorize.ts): a
// question looks at the bindings of its user and of his groups only, and allocates nothing. The choice: followed from the store itself,
// as node-relations.ts does, so that a binding and the right it gives are seen in the same instant, and another server's as soon as its
// write is seen at all. Nothing is kept until the first question.
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding, type rbacV1 } from '../../../api/index.ts';
import type { KindDef } from '../../../machinery/index.ts';
import type { Store, StoreEvent } from '../../../storage/index.ts';
import { objectOf } from '../../registry/objects.ts';
import type { RequestAttributes, UserInfo } from '../attributes.ts';
import type { Verdict } from '../authorize.ts';
import { PreparedRules } from './prepared-rules.ts';

type PolicyRule = rbacV1.PolicyRule;
type Binding = RoleBinding | ClusterRoleBinding;
type AnyRole = Role | ClusterRole;

/** A role as its bindings see it, also while there is none of its name. */
class NamedRole {
  /** Key in the store. */
  readonly key: string;
  /** For whom is told that there is none, as listers of Kubernetes tell it. */
  readonly missing: string;
  /** Of the role and of its bindings; with none it is forgotten. */
  uses = 0;
  rules: readonly PolicyRule[] | null = null;
  prepared: PreparedRules | null = null;

  constructor(key: string, missing: string) {
    this.key = key;
    this.missing = missing;
  }
}

/** One subject of one binding. */
interface Grant {
  readonly binding: string;
  readonly role: NamedRole;
  /** What is answered when it allows. */
  readonly verdict: Verdict;
}

/** What one user or one group was given. */
class Given {
  /** By bindings of the cluster. */
  readonly everywhere: Grant[] = [];
  readonly inNamespace = new Map<string, Grant[]>();

  get isEmpty(): boolean {
    return this.everywhere.length === 0 && this.inNamespace.size === 0;
  }
}

interface Place {
  readonly given: Map<string, Given>;
  readonly subject: string;
}

interface KnownBinding {
  readonly namespace: string;
  readonly role: NamedRole;
  readonly places: readonly Place[];
}

const quote = JSON.stringify;
const roleKinds = { Role: 'role', ClusterRole: 'clusterrole' } as const;

export class Grants {
  readonly #store: Store;
  #users = new Map<string, Given>();
  #groups = new Map<string, Given>();
  #roles = new Map<string, NamedRole>();
  #bindings = new Map<string, KnownBinding>();
  #stops: (() => void)[] = [];
  #following = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The verdict of the first binding that allows it; null = none does. */
  find(a: RequestAttributes): Verdict | null {
    if (!this.#following) this.#follow();
    const { user, namespace } = a;
    const { groups } = user;
    const ofUser = this.#users.get(user.name);
    if (ofUser !== undefined) {
      const found = firstOf(ofUser.everywhere, a);
      if (found !== null) return found;
    }
    for (let i = 0; i < groups.length; i++) {
      const given = this.#groups.get(groups[i]!);
      if (given === undefined) continue;
      const found = firstOf(given.everywhere, a);
      if (found !== null) return found;
    }
    if (namespace === '') return null;
    const local = ofUser?.inNamespace.get(namespace);
    if (local !== undefined) {
      const found = firstOf(local, a);
      if (found !== null) return found;
    }
    for (let i = 0; i < groups.length; i++) {
      const list = this.#groups.get(groups[i]!)?.inNamespace.get(namespace);
      if (list === undefined) continue;
      const found = firstOf(list, a);
      if (found !== null) return found;
    }
    return null;
  }

  /** All rules of a user in a namespace ('' = of the cluster), each binding's once. Rules only add, so what is found is true. */
  rulesOf(user: UserInfo, namespace: string): readonly PolicyRule[] {
    const rules: PolicyRule[] = [];
    const seen = new Set<string>();
    this.#each(user, namespace, ({ binding, role }) => {
      if (seen.has(binding)) return;
      seen.add(binding);
      if (role.rules !== null) rules.push(...role.rules);
    });
    return rules;
  }

  /** Which roles are bound to a user although there are none: texts of errors, each once. */
  missingOf(user: UserInfo, namespace: string): readonly string[] {
    const missing = new Set<string>();
    this.#each(user, namespace, ({ role }) => {
      if (role.rules === null) missing.add(role.missing);
    });
    return [...missing];
  }

  #each(user: UserInfo, namespace: string, visit: (grant: Grant) => void): void {
    if (!this.#following) this.#follow();
    const all = [this.#users.get(user.name), ...user.groups.map((group) => this.#groups.get(group))];
    for (const given of all) given?.everywhere.forEach(visit);
    if (namespace !== '') for (const given of all) given?.inNamespace.get(namespace)?.forEach(visit);
  }

  #follow(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#users = new Map();
    this.#groups = new Map();
    this.#roles = new Map();
    this.#bindings = new Map();
    const store = this.#store;
    const { revision } = store;
    // Set first: a watch that is lost at once must not be taken for one that stands.
    this.#following = true;
    for (const kind of [Role, ClusterRole])
      this.#followOne(kind as unknown as KindDef, revision, (key, role) =>
        this.#putRole(key, role as AnyRole),
      );
    for (const kind of [RoleBinding, ClusterRoleBinding])
      this.#followOne(kind as unknown as KindDef, revision, (key, binding) =>
        this.#putBinding(key, binding as Binding),
      );
  }

  #followOne(kind: KindDef, revision: number, put: (key: string, object: unknown) => void): void {
    const { storagePrefix } = kind;
    for (const entry of this.#store.list(storagePrefix)) put(entry.key, objectOf(entry));
    const isRole = kind.plural.endsWith('roles');
    this.#stops.push(
      this.#store.watch(storagePrefix, revision, {
        onEvents: (events: readonly StoreEvent[]) => {
          for (const { type, entry } of events)
            if (type === 'put') put(entry.key, objectOf(entry));
            else if (isRole) this.#dropRole(entry.key);
            else this.#dropBinding(entry.key);
        },
        // The next question starts anew.
        onLost: () => {
          this.#following = false;
        },
      }),
    );
  }

  #roleAt(key: string, missing: string): NamedRole {
    let role = this.#roles.get(key);
    if (role === undefined) this.#roles.set(key, (role = new NamedRole(key, missing)));
    return role;
  }

  #release(role: NamedRole): void {
    if (--role.uses === 0) this.#roles.delete(role.key);
  }

  #putRole(key: string, object: AnyRole): void {
    const { kind, metadata } = object;
    const role = this.#roleAt(key, notFoundText(kind as keyof typeof roleKinds, metadata.name));
    if (role.rules === null) role.uses++;
    role.rules = object.rules ?? [];
    role.prepared = new PreparedRules(role.rules);
  }

  #dropRole(key: string): void {
    const role = this.#roles.get(key);
    if (role === undefined || role.rules === null) return;
    role.rules = null;
    role.prepared = null;
    this.#release(role);
  }

  #putBinding(key: string, binding: Binding): void {
    this.#dropBinding(key);
    const { kind, metadata, roleRef } = binding;
    const namespace = kind === 'RoleBinding' ? (metadata.namespace ?? '') : '';
    const isLocal = roleRef.kind === 'Role';
    const role = this.#roleAt(
      roleKey(roleRef.kind, roleRef.name, namespace),
      notFoundText(isLocal ? 'Role' : 'ClusterRole', roleRef.name),
    );
    role.uses++;
    const full = namespace === '' ? metadata.name : `${metadata.name}/${namespace}`;
    const source = `${kind} ${quote(full)} of ${roleRef.kind} ${quote(roleRef.name)} to`;
    const places: Place[] = [];
    const given = new Set<string>();
    for (const subject of binding.subjects ?? []) {
      const place = this.#placeOf(subject, namespace);
      if (place === undefined) continue;
      const once = `${place.given === this.#users ? 'u' : 'g'}${place.subject}`;
      if (given.has(once)) continue;
      given.add(once);
      places.push(place);
      const reason = `RBAC: allowed by ${source} ${describe(subject, namespace)}`;
      this.#add(place, namespace, { binding: key, role, verdict: { decision: 'allow', reason } });
    }
    this.#bindings.set(key, { namespace, role, places });
  }

  /** Under which name its grants are found. undefined = it is nobody. */
  #placeOf(subject: rbacV1.Subject, bindingNamespace: string): Place | undefined {
    const { kind, name } = subject;
    if (kind === 'User') return { given: this.#users, subject: name };
    if (kind === 'Group') return { given: this.#groups, subject: name };
    if (kind !== 'ServiceAccount') return undefined;
    const namespace = subject.namespace || bindingNamespace;
    if (namespace === '') return undefined;
    return { given: this.#users, subject: `system:serviceaccount:${namespace}:${name}` };
  }

  #add({ given, subject }: Place, namespace: string, grant: Grant): void {
    let ofSubject = given.get(subject);
    if (ofSubject === undefined) given.set(subject, (ofSubject = new Given()));
    let list = namespace === '' ? ofSubject.everywhere : ofSubject.inNamespace.get(namespace);
    if (list === undefined) ofSubject.inNamespace.set(namespace, (list = []));
    list.push(grant);
  }

  #dropBinding(key: string): void {
    const known = this.#bindings.get(key);
    if (known === undefined) return;
    this.#bindings.delete(key);
    for (const { given, subject } of known.places) {
      const ofSubject = given.get(subject);
      const list =
        known.namespace === '' ? ofSubject?.everywhere : ofSubject?.inNamespace.get(known.namespace);
      if (ofSubject === undefined || list === undefined) continue;
      const at = list.findIndex(({ binding }) => binding === key);
      if (at >= 0) list.splice(at, 1);
      if (list.length === 0 && known.namespace !== '') ofSubject.inNamespace.delete(known.namespace);
      if (ofSubject.isEmpty) given.delete(subject);
    }
    this.#release(known.role);
  }
}

function firstOf(grants: readonly Grant[], a: RequestAttributes): Verdict | null {
  for (let i = 0; i < grants.length; i++) {
    const { role, verdict } = grants[i]!;
    if (role.prepared?.allows(a)) return verdict;
  }
  return null;
}

const roleKey = (kind: string, name: string, namespace: string): string =>
  kind === 'Role' ? `${Role.storagePrefix}${namespace}/${name}` : `${ClusterRole.storagePrefix}${name}`;

const notFoundText = (kind: keyof typeof roleKinds, name: string): string =>
  `${roleKinds[kind]}.rbac.authorization.k8s.io ${quote(name)} not found`;

/** A service account with its name before its namespace, as Kubernetes has it. */
const describe = ({ kind, name, namespace }: rbacV1.Subject, bindingNamespace: string): string =>
  kind === 'ServiceAccount'
    ? `${kind} ${quote(`${name}/${namespace || bindingNamespace}`)}`
    : `${kind} ${quote(name)}`;
