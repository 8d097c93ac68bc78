// What is wrong with the expressions of a policy when the kinds that it is about are known: pkg/controller/validatingadmissionpolicystatus
// and the type checker of its plugin. Only kinds that are named in full are looked at, at most ten of a rule; a kind that is not served
// says nothing.
import type { admissionregistrationV1, ValidatingAdmissionPolicy } from '../../api/index.ts';
import { type Declare, policyTypeFaults } from '../../machinery/index.ts';

export interface KnownKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly declare: Declare;
}

export interface KnownKinds {
  byResource(group: string, version: string, resource: string): KnownKind | undefined;
  byKind(apiVersion: string, kind: string): KnownKind | undefined;
}

type Warning = admissionregistrationV1.ExpressionWarning;
type Rule = admissionregistrationV1.NamedRuleWithOperations;

const mostKinds = 10;

const isWild = (text: string): boolean => text.includes('*');

/** The kinds of a policy's rules, in the order of their groups, versions and names. */
export function kindsOf(policy: ValidatingAdmissionPolicy, known: KnownKinds): readonly KnownKind[] {
  const found = new Map<string, KnownKind>();
  for (const rule of policy.spec?.matchConstraints?.resourceRules ?? [])
    for (const kind of kindsOfRule(rule, known)) {
      found.set(nameOf(kind), kind);
      if (found.size >= mostKinds) return sorted(found);
    }
  return sorted(found);
}

function kindsOfRule(
  { apiGroups = [], apiVersions = [], resources = [] }: Rule,
  known: KnownKinds,
): KnownKind[] {
  if (apiGroups.some(isWild) || apiVersions.some(isWild)) return [];
  const whole = resources.filter((resource) => !/[*/]/.test(resource)).sort();
  return [...apiGroups].sort().flatMap((group) =>
    [...apiVersions].sort().flatMap((version) =>
      whole.flatMap((resource) => {
        const kind = known.byResource(group, version, resource);
        return kind === undefined ? [] : [kind];
      }),
    ),
  );
}

const nameOf = ({ group, version, kind }: KnownKind): string => `${group}/${version}, Kind=${kind}`;
const keys = ['group', 'version', 'kind'] as const;
const sorted = (found: ReadonlyMap<string, KnownKind>): readonly KnownKind[] =>
  [...found.values()].sort((a, b) => {
    const key = keys.find((one) => a[one] !== b[one]);
    return key === undefined ? 0 : a[key] < b[key] ? -1 : 1;
  });

/** In the order of the validations; an expression is named once, with what is wrong for each kind. Pure. */
export function planWarnings(policy: ValidatingAdmissionPolicy, known: KnownKinds): readonly Warning[] {
  const { spec = {} } = policy;
  const { paramKind } = spec;
  const params = paramKind && known.byKind(paramKind.apiVersion ?? '', paramKind.kind ?? '')?.declare;
  const faults = new Map<string, string[]>();
  for (const kind of kindsOf(policy, known))
    for (const [fieldRef, fault] of policyTypeFaults(spec, { object: kind.declare, params })) {
      const text = `${nameOf(kind)}: ${fault}\n`;
      const others = faults.get(fieldRef);
      if (others === undefined) faults.set(fieldRef, [text]);
      else others.push(text);
    }
  const places = (spec.validations ?? []).flatMap((_, i) =>
    ['expression', 'messageExpression'].map((field) => `spec.validations[${i}].${field}`),
  );
  return places.flatMap((fieldRef) => {
    const found = faults.get(fieldRef);
    return found === undefined ? [] : [{ fieldRef, warning: found.join('\n') }];
  });
}
