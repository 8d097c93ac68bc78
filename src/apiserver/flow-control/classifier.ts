// Which flow schema a request belongs to: the first, by precedence and then by name, with a rule about its user and about what it asks.
// The choice: authenticators give the same object for the same user, so the rules about a user are picked once, and a request looks
// at those only. Pure. HOT: bench/flow-control.ts.
import type { FlowSchema } from '../../api/index.ts';
import type { RequestAttributes, UserInfo } from '../auth/attributes.ts';
import { matchesSubject, PathMatcher, ResourceMatcher } from './matching.ts';

/** A schema, and what its requests become. */
export interface Classified<F> {
  readonly schema: FlowSchema;
  readonly flow: F;
}

interface CompiledRule {
  readonly subjects: NonNullable<FlowSchema['spec']['rules']>[number]['subjects'];
  readonly resources: readonly ResourceMatcher[];
  readonly paths: readonly PathMatcher[];
}

/** What one schema says about one user. */
interface Candidate<F> {
  readonly flow: F;
  readonly resources: readonly ResourceMatcher[];
  readonly paths: readonly PathMatcher[];
}

/** The order of matching: smaller precedence first, then the name. */
export const bySchemaOrder = (a: FlowSchema, b: FlowSchema): number =>
  (a.spec.matchingPrecedence ?? 0) - (b.spec.matchingPrecedence ?? 0) ||
  (a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0);

export class Classifier<F> {
  readonly #schemas: readonly { readonly flow: F; readonly rules: readonly CompiledRule[] }[];
  readonly #fallback: F;
  readonly #ofUser = new WeakMap<UserInfo, readonly Candidate<F>[]>();

  /** `fallback` is for what no schema is about, which cannot be while there is catch-all. */
  constructor(schemas: readonly Classified<F>[], fallback: F) {
    this.#fallback = fallback;
    this.#schemas = [...schemas]
      .sort((a, b) => bySchemaOrder(a.schema, b.schema))
      .map(({ schema, flow }) => ({
        flow,
        rules: (schema.spec.rules ?? []).map((rule) => ({
          subjects: rule.subjects ?? [],
          resources: (rule.resourceRules ?? []).map((one) => new ResourceMatcher(one)),
          paths: (rule.nonResourceRules ?? []).map((one) => new PathMatcher(one)),
        })),
      }));
  }

  find(a: RequestAttributes): F {
    let candidates = this.#ofUser.get(a.user);
    if (candidates === undefined) this.#ofUser.set(a.user, (candidates = this.#pick(a.user)));
    const isPath = a.resource === '';
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i]!;
      const matchers = isPath ? candidate.paths : candidate.resources;
      for (let k = 0; k < matchers.length; k++) if (matchers[k]!.matches(a)) return candidate.flow;
    }
    return this.#fallback;
  }

  #pick(user: UserInfo): Candidate<F>[] {
    const candidates: Candidate<F>[] = [];
    for (const { flow, rules } of this.#schemas) {
      const own = rules.filter(({ subjects }) => subjects.some((subject) => matchesSubject(user, subject)));
      if (own.length === 0) continue;
      candidates.push({
        flow,
        resources: own.flatMap(({ resources }) => resources),
        paths: own.flatMap(({ paths }) => paths),
      });
    }
    return candidates;
  }
}
