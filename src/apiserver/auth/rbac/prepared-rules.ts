// The rules of a role, made ready to be asked. HOT (bench/authorize.ts): a question allocates nothing. The choice: rules are found by
// their verb, since most of a large role is about other verbs, and resources with a part are kept by the part, so that nobody has to
// join `pods` and `log` to look for `pods/log`.
import type { rbacV1 } from '../../../api/index.ts';
import type { RequestAttributes } from '../attributes.ts';

type PolicyRule = rbacV1.PolicyRule;

const all = '*';
const nothing: ReadonlySet<string> = new Set();

/** The words that a rule names; null = whatever they are. */
type Words = ReadonlySet<string> | null;

const words = (list: readonly string[] | undefined): Words =>
  list?.includes(all) ? null : list === undefined || list.length === 0 ? nothing : new Set(list);

class PreparedRule {
  readonly #groups: Words;
  readonly #resources: Words;
  /** By a part such as `scale`: the resources whose part it is, `*` for those of all. null = the rule names no parts. */
  readonly #parts: ReadonlyMap<string, ReadonlySet<string>> | null;
  /** null = any name, also none. */
  readonly #names: ReadonlySet<string> | null;
  readonly #paths: Words;
  readonly #pathPrefixes: readonly string[];

  constructor(rule: PolicyRule) {
    this.#groups = words(rule.apiGroups);
    this.#resources = words(rule.resources);
    this.#parts = this.#resources === null ? null : partsOf(rule.resources ?? []);
    this.#names = rule.resourceNames?.length ? new Set(rule.resourceNames) : null;
    this.#paths = words(rule.nonResourceURLs);
    this.#pathPrefixes = (rule.nonResourceURLs ?? [])
      .filter((path) => path.endsWith(all))
      .map((path) => path.replace(/\*+$/, ''));
  }

  allows(a: RequestAttributes): boolean {
    return a.resource === '' ? this.#allowsPath(a.path) : this.#allowsResource(a);
  }

  #allowsResource(a: RequestAttributes): boolean {
    if (this.#groups !== null && !this.#groups.has(a.group)) return false;
    if (this.#resources !== null) {
      if (a.subresource === '') {
        if (!this.#resources.has(a.resource)) return false;
      } else {
        const having = this.#parts?.get(a.subresource);
        if (having === undefined || !(having.has(a.resource) || having.has(all))) return false;
      }
    }
    return this.#names === null || this.#names.has(a.name);
  }

  #allowsPath(path: string): boolean {
    if (this.#paths === null || this.#paths.has(path)) return true;
    for (const prefix of this.#pathPrefixes) if (path.startsWith(prefix)) return true;
    return false;
  }
}

/** At each slash: what is behind it may be the part, what is before it the resource. */
function partsOf(resources: readonly string[]): Map<string, Set<string>> | null {
  const parts = new Map<string, Set<string>>();
  for (const resource of resources)
    for (let at = resource.indexOf('/'); at >= 0; at = resource.indexOf('/', at + 1)) {
      const part = resource.slice(at + 1);
      let having = parts.get(part);
      if (having === undefined) parts.set(part, (having = new Set()));
      having.add(resource.slice(0, at));
    }
  return parts.size === 0 ? null : parts;
}

const none: readonly PreparedRule[] = [];

/** All rules of one role. Rules only add: whoever is allowed by one is allowed. */
export class PreparedRules {
  readonly #ofVerb = new Map<string, PreparedRule[]>();
  /** Those for every verb. */
  readonly #ofAll: readonly PreparedRule[];

  constructor(rules: readonly PolicyRule[]) {
    const ofAll: PreparedRule[] = [];
    for (const rule of rules) {
      const prepared = new PreparedRule(rule);
      const verbs = rule.verbs ?? [];
      if (verbs.includes(all)) {
        ofAll.push(prepared);
        continue;
      }
      for (const verb of new Set(verbs)) {
        const known = this.#ofVerb.get(verb);
        if (known === undefined) this.#ofVerb.set(verb, [prepared]);
        else known.push(prepared);
      }
    }
    this.#ofAll = ofAll.length === 0 ? none : ofAll;
  }

  allows(a: RequestAttributes): boolean {
    for (const rule of this.#ofAll) if (rule.allows(a)) return true;
    const ofVerb = this.#ofVerb.get(a.verb);
    if (ofVerb !== undefined) for (const rule of ofVerb) if (rule.allows(a)) return true;
    return false;
  }
}
