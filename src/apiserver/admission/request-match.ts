// Which requests a webhook or a policy is about: rules, then the labels of the namespace and of the object. Pure.
import type { admissionregistrationV1 } from '../../api/index.ts';
import {
  compileLabelSelector,
  type LabelMatcher,
  type Labels,
  labelRequirements,
} from '../../machinery/index.ts';
import type { AdmissionRequest } from './admission.ts';

type Rule = admissionregistrationV1.NamedRuleWithOperations;
type Selector = Parameters<typeof labelRequirements>[0];

export interface Match {
  readonly rules: readonly Rule[];
  readonly excluded?: readonly Rule[] | undefined;
  readonly namespaceSelector?: Selector | undefined;
  readonly objectSelector?: Selector | undefined;
  /** 'Equivalent' = a rule for one version of a resource is for all of them. */
  readonly matchPolicy?: string | undefined;
}

/** `namespaceLabels` are asked for once they matter; undefined = there is no such namespace. */
export function matches(
  match: Match,
  request: AdmissionRequest,
  namespaceLabels: (name: string) => Labels | undefined,
): boolean {
  const anyVersion = match.matchPolicy !== 'Exact';
  if (!match.rules.some((rule) => isFor(rule, request, anyVersion))) return false;
  if (match.excluded?.some((rule) => isFor(rule, request, anyVersion)) === true) return false;
  return (
    inNamespace(match.namespaceSelector, request, namespaceLabels) && ofObject(match.objectSelector, request)
  );
}

const holds = (given: readonly string[] | undefined, wanted: string): boolean =>
  given?.some((one) => one === '*' || one === wanted) ?? false;

function isFor(
  rule: Rule,
  { kind, operation, subresource, name, namespace }: AdmissionRequest,
  anyVersion: boolean,
): boolean {
  const names = rule.resourceNames ?? [];
  return (
    holds(rule.operations, operation.toUpperCase()) &&
    holds(rule.apiGroups, kind.group) &&
    (anyVersion ? (rule.apiVersions?.length ?? 0) > 0 : holds(rule.apiVersions, kind.version)) &&
    (rule.resources ?? []).some((resource) => namesResource(resource, kind.plural, subresource)) &&
    (names.length === 0 || names.includes(name)) &&
    inScope(rule.scope, kind.scope === 'Namespaced' && namespace !== undefined)
  );
}

// `pods`, `pods/status`, all below pods, everything, the scale of everything
function namesResource(given: string, resource: string, subresource: string): boolean {
  const [main = '', below = ''] = given.split('/') as [string, string?];
  return (main === '*' || main === resource) && (below === '*' || below === subresource);
}

const inScope = (scope: string | undefined, namespaced: boolean): boolean =>
  scope === undefined || scope === '*' || (scope === 'Namespaced') === namespaced;

const compiled = new WeakMap<object, LabelMatcher>();

function matcherOf(selector: Selector | undefined): LabelMatcher | undefined {
  if (selector === undefined) return undefined;
  let found = compiled.get(selector);
  if (found === undefined)
    compiled.set(selector, (found = compileLabelSelector(labelRequirements(selector))));
  return found;
}

/** What is in no namespace is not excluded by where it is; a namespace is in itself. */
function inNamespace(
  selector: Selector | undefined,
  { kind, namespace, object, old }: AdmissionRequest,
  labelsOf: (name: string) => Labels | undefined,
): boolean {
  const matcher = matcherOf(selector);
  if (matcher === undefined) return true;
  if (kind.group === '' && kind.kind === 'Namespace') return matcher((object ?? old)?.metadata.labels);
  if (namespace === undefined) return true;
  return matcher(labelsOf(namespace));
}

/** What has no labels, as the options of a connection, is only of a selector that asks for none. */
function ofObject(selector: Selector | undefined, { connect, object, old }: AdmissionRequest): boolean {
  const matcher = matcherOf(selector);
  if (selector === undefined || matcher === undefined) return true;
  if (connect !== undefined) return labelRequirements(selector).length === 0;
  return [object, old].some((one) => one !== null && matcher(one.metadata.labels));
}
