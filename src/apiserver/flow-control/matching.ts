// Whether a flow schema is about a request. Rules are compiled once per change: a star becomes null, lists become sets, and a resource
// with its subresource is found without joining the two. Pure, and nothing is allocated per question. HOT: bench/flow-control.ts.
import type { FlowSchema } from '../../api/index.ts';
import type { RequestAttributes, UserInfo } from '../auth/attributes.ts';

type Rule = NonNullable<FlowSchema['spec']['rules']>[number];
type Subject = Rule['subjects'][number];
type ResourceRule = NonNullable<Rule['resourceRules']>[number];
type PathRule = NonNullable<Rule['nonResourceRules']>[number];

const star = '*';

/** null = whatever it is. A star counts only alone, which validation sees to. */
const anyOf = (list: readonly string[] | undefined): ReadonlySet<string> | null =>
  list?.length === 1 && list[0] === star ? null : new Set(list ?? []);

export class ResourceMatcher {
  readonly #verbs: ReadonlySet<string> | null;
  readonly #groups: ReadonlySet<string> | null;
  /** Subresources by resource, '' = the resource itself. */
  readonly #resources: ReadonlyMap<string, ReadonlySet<string>> | null;
  readonly #namespaces: ReadonlySet<string> | null;
  readonly #clusterScope: boolean;

  constructor(rule: ResourceRule) {
    this.#verbs = anyOf(rule.verbs);
    this.#groups = anyOf(rule.apiGroups);
    this.#resources = bySubresource(anyOf(rule.resources));
    this.#namespaces = anyOf(rule.namespaces);
    this.#clusterScope = rule.clusterScope === true;
  }

  /** Requests without a namespace need `clusterScope`, also those for a namespaced resource in all namespaces. */
  matches(a: RequestAttributes): boolean {
    if (a.namespace === '') {
      if (!this.#clusterScope) return false;
    } else if (this.#namespaces?.has(a.namespace) === false) return false;
    return (
      this.#verbs?.has(a.verb) !== false &&
      (this.#resources === null || this.#resources.get(a.resource)?.has(a.subresource) === true) &&
      this.#groups?.has(a.group) !== false
    );
  }
}

function bySubresource(resources: ReadonlySet<string> | null): ReadonlyMap<string, Set<string>> | null {
  if (resources === null) return null;
  const out = new Map<string, Set<string>>();
  for (const name of resources) {
    const slash = name.indexOf('/');
    const resource = slash < 0 ? name : name.slice(0, slash);
    let subresources = out.get(resource);
    if (subresources === undefined) out.set(resource, (subresources = new Set()));
    subresources.add(slash < 0 ? '' : name.slice(slash + 1));
  }
  return out;
}

export class PathMatcher {
  readonly #verbs: ReadonlySet<string> | null;
  readonly #paths: ReadonlySet<string> | null;
  /** With a slash at their end. */
  readonly #prefixes: readonly string[];

  constructor(rule: PathRule) {
    this.#verbs = anyOf(rule.verbs);
    this.#paths = anyOf(rule.nonResourceURLs);
    this.#prefixes = [...(this.#paths ?? [])].map((path) => {
      const prefix = path.endsWith(star) ? path.slice(0, -1) : path;
      return prefix.endsWith('/') ? prefix : `${prefix}/`;
    });
  }

  /** A path is about everything below it too, with and without `/*`. */
  matches(a: RequestAttributes): boolean {
    if (this.#verbs?.has(a.verb) === false) return false;
    if (this.#paths === null || this.#paths.has(a.path)) return true;
    for (let i = 0; i < this.#prefixes.length; i++) if (a.path.startsWith(this.#prefixes[i]!)) return true;
    return false;
  }
}

const accountPrefix = 'system:serviceaccount:';

/** Whether a rule is about a user. */
export class SubjectMatcher {
  readonly #everybody: boolean;
  /** Also service accounts by the names that they have as users. */
  readonly #users = new Set<string>();
  readonly #groups = new Set<string>();
  /** How the names of all service accounts of a namespace begin. */
  readonly #prefixes: string[] = [];

  constructor(subjects: readonly Subject[]) {
    let everybody = false;
    for (const { user, group, serviceAccount } of subjects) {
      if (user !== undefined) this.#users.add(user.name);
      if (group !== undefined) this.#groups.add(group.name);
      everybody ||= user?.name === star || group?.name === star;
      if (serviceAccount === undefined) continue;
      const prefix = `${accountPrefix}${serviceAccount.namespace}:`;
      if (serviceAccount.name === star) this.#prefixes.push(prefix);
      else this.#users.add(prefix + serviceAccount.name);
    }
    this.#everybody = everybody;
  }

  matches({ name, groups }: UserInfo): boolean {
    if (this.#everybody || this.#users.has(name)) return true;
    for (let i = 0; i < groups.length; i++) if (this.#groups.has(groups[i]!)) return true;
    for (let i = 0; i < this.#prefixes.length; i++) if (name.startsWith(this.#prefixes[i]!)) return true;
    return false;
  }
}
