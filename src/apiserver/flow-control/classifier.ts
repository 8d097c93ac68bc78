// Which flow schema a request belongs to: the first, by precedence and then by name, with a rule about its user and about what it asks.
// The choice: the rules about a user are picked when he is first seen and kept under his name, and a request looks at those only. Pure. HOT: bench/flow-control.ts.
import type { FlowSchema } from '../../api/index.ts';
import type { RequestAttributes, UserInfo } from '../auth/attributes.ts';
import { PathMatcher, ResourceMatcher, SubjectMatcher } from './matching.ts';

/** A schema, and what its requests become. */
export interface Classified<F> {
  readonly schema: FlowSchema;
  readonly flow: F;
}

/** What one rule of a schema is about, but for its subjects. */
interface Candidate<F> {
  readonly flow: F;
  readonly resources: readonly ResourceMatcher[];
  readonly paths: readonly PathMatcher[];
}

interface KnownUser<F> {
  readonly groups: readonly string[];
  readonly candidates: readonly Candidate<F>[];
}

const keptUsers = 10_000;

function sameGroups(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The order of matching: smaller precedence first, then the name. */
export const bySchemaOrder = (a: FlowSchema, b: FlowSchema): number =>
  (a.spec.matchingPrecedence ?? 0) - (b.spec.matchingPrecedence ?? 0) ||
  (a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0);

export class Classifier<F> {
  /** In the order of matching. */
  readonly #rules: readonly { readonly subjects: SubjectMatcher; readonly candidate: Candidate<F> }[];
  readonly #fallback: F;
  readonly #users = new Map<string, KnownUser<F>>();

  /** `fallback` is for what no schema is about, which cannot be while there is catch-all. */
  constructor(schemas: readonly Classified<F>[], fallback: F) {
    this.#fallback = fallback;
    this.#rules = [...schemas]
      .sort((a, b) => bySchemaOrder(a.schema, b.schema))
      .flatMap(({ schema, flow }) =>
        (schema.spec.rules ?? []).map((rule) => ({
          subjects: new SubjectMatcher(rule.subjects ?? []),
          candidate: {
            flow,
            resources: (rule.resourceRules ?? []).map((one) => new ResourceMatcher(one)),
            paths: (rule.nonResourceRules ?? []).map((one) => new PathMatcher(one)),
          },
        })),
      );
  }

  find(a: RequestAttributes): F {
    const candidates = this.#candidatesOf(a.user);
    const isPath = a.resource === '';
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      const matchers = isPath ? candidate.paths : candidate.resources;
      for (let k = 0; k < matchers.length; k++) if (matchers[k]!.matches(a)) return candidate.flow;
    }
    return this.#fallback;
  }

  #candidatesOf(user: UserInfo): readonly Candidate<F>[] {
    const known = this.#users.get(user.name);
    if (known !== undefined && sameGroups(known.groups, user.groups)) return known.candidates;
    // Names are also what clients invent that may act as others.
    if (this.#users.size >= keptUsers) this.#users.clear();
    const candidates = this.#pick(user);
    this.#users.set(user.name, { groups: user.groups, candidates });
    return candidates;
  }

  #pick(user: UserInfo): Candidate<F>[] {
    const candidates: Candidate<F>[] = [];
    for (const { subjects, candidate } of this.#rules) if (subjects.matches(user)) candidates.push(candidate);
    return candidates;
  }
}
