// Whether what somebody wants to give is within what he has: rules are broken down until each says one thing, and each must be within
// one rule of his. After Kubernetes' component-helpers/auth/rbac/validation and pkg/registry/rbac/validation.
import type { rbacV1 } from '../../../api/index.ts';

type PolicyRule = rbacV1.PolicyRule;

/** One verb on one resource of one group, of at most one name; or on one path. */
interface Atom {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  /** undefined = all names */
  readonly name: string | undefined;
  /** undefined = it is about a resource */
  readonly path: string | undefined;
}

function* atomsOf(rule: PolicyRule): Generator<Atom> {
  const names = rule.resourceNames?.length ? rule.resourceNames : [undefined];
  const verbs = rule.verbs ?? [];
  for (const group of rule.apiGroups ?? [])
    for (const resource of rule.resources ?? [])
      for (const verb of verbs)
        for (const name of names) yield { verb, group, resource, name, path: undefined };
  for (const path of rule.nonResourceURLs ?? [])
    for (const verb of verbs) yield { verb, group: '', resource: '', name: undefined, path };
}

const has = (list: readonly string[] | undefined, word: string): boolean =>
  list !== undefined && (list.includes('*') || list.includes(word));

function within(rule: PolicyRule, { verb, group, resource, name, path }: Atom): boolean {
  if (!has(rule.verbs, verb)) return false;
  if (path !== undefined)
    return (rule.nonResourceURLs ?? []).some(
      (own) => own === path || (own.endsWith('*') && path.startsWith(own.replace(/\*+$/, ''))),
    );
  if (!has(rule.apiGroups, group)) return false;
  if (!has(rule.resources, resource)) {
    const slash = resource.indexOf('/');
    if (slash < 0 || !rule.resources?.includes(`*${resource.slice(slash)}`)) return false;
  }
  const { resourceNames = [] } = rule;
  return resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name));
}

/** What of the wanted rules is not within the rules that somebody has, in pieces as small as can be. Empty = he has them all. Pure. */
export function missingRules(
  held: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): readonly PolicyRule[] {
  const missing: PolicyRule[] = [];
  for (const rule of wanted)
    for (const atom of atomsOf(rule)) if (!held.some((own) => within(own, atom))) missing.push(asRule(atom));
  return missing;
}

const asRule = ({ verb, group, resource, name, path }: Atom): PolicyRule =>
  path !== undefined
    ? { nonResourceURLs: [path], verbs: [verb] }
    : {
        apiGroups: [group],
        resources: [resource],
        ...(name !== undefined && { resourceNames: [name] }),
        verbs: [verb],
      };

/** Pieces about the same resource as one text with all their verbs; paths one by one. Sorted, each once. Pure. */
export function describeRules(pieces: readonly PolicyRule[]): readonly string[] {
  const ofResource = new Map<string, PolicyRule>();
  const texts = new Set<string>();
  for (const piece of pieces) {
    if (piece.nonResourceURLs !== undefined) {
      texts.add(describeRule(piece));
      continue;
    }
    const key = JSON.stringify([piece.apiGroups, piece.resources, piece.resourceNames]);
    const known = ofResource.get(key);
    if (known === undefined) ofResource.set(key, { ...piece, verbs: [...piece.verbs] });
    else known.verbs.push(...piece.verbs);
  }
  for (const rule of ofResource.values()) texts.add(describeRule(rule));
  return [...texts].sort(byBytes);
}

const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** As Go prints a list of strings. */
export const quoted = (list: readonly string[]): string =>
  `[${list.map((s) => JSON.stringify(s)).join(' ')}]`;

const fields = [
  ['APIGroups', 'apiGroups'],
  ['Resources', 'resources'],
  ['NonResourceURLs', 'nonResourceURLs'],
  ['ResourceNames', 'resourceNames'],
  ['Verbs', 'verbs'],
] as const;

const describeRule = (rule: PolicyRule): string =>
  `{${fields
    .flatMap(([label, field]) => (rule[field]?.length ? [`${label}:${quoted(rule[field])}`] : []))
    .join(', ')}}`;
