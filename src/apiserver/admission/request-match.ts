// Which requests a webhook or a policy is about: rules, then the labels of the namespace and of the object. Pure.
import type { admissionregistrationV1 } from '../../api/index.ts';
import {
  compileLabelSelector,
  type KindDef,
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

type LabelsOf = (name: string) => Labels | undefined;

/** `namespaceLabels` are asked for once they matter; undefined = there is no such namespace. */
export function matches(match: Match, request: AdmissionRequest, namespaceLabels: LabelsOf): boolean {
  const version = match.matchPolicy === 'Exact' ? request.kind.version : undefined;
  const about = (rule: Rule): boolean => isFor(rule, request, { group: request.kind.group, version });
  return (
    match.rules.some(about) &&
    match.excluded?.some(about) !== true &&
    selects(match, request, namespaceLabels)
  );
}

/**
 * The kind in whose version the request is to be shown: its own when a rule is for that, else one of the `others`, which show the same
 * objects in other versions or groups. undefined = it does not match. Without `rules`, all match.
 */
export function matchedKind(
  { rules, ...match }: Omit<Match, 'rules'> & { readonly rules: readonly Rule[] | undefined },
  request: AdmissionRequest,
  {
    others,
    namespaceLabels,
  }: { readonly others: () => readonly KindDef[]; readonly namespaceLabels: LabelsOf },
): KindDef | undefined {
  const { excluded = [] } = match;
  const kinds = (list: readonly Rule[]): KindDef | undefined => {
    if (list.some((rule) => isFor(rule, request, request.kind))) return request.kind;
    if (list.length === 0 || match.matchPolicy === 'Exact') return undefined;
    return others().find((kind) => list.some((rule) => isFor(rule, request, kind)));
  };
  const found = rules === undefined || rules.length === 0 ? request.kind : kinds(rules);
  if (found === undefined || kinds(excluded) !== undefined) return undefined;
  return selects(match, request, namespaceLabels) ? found : undefined;
}

const selects = (
  { namespaceSelector, objectSelector }: Pick<Match, 'namespaceSelector' | 'objectSelector'>,
  request: AdmissionRequest,
  namespaceLabels: LabelsOf,
): boolean => inNamespace(namespaceSelector, request, namespaceLabels) && ofObject(objectSelector, request);

const holds = (given: readonly string[] | undefined, wanted: string): boolean =>
  given?.some((one) => one === '*' || one === wanted) ?? false;

/** As the request would be of a group and a version; undefined = of any version. */
function isFor(
  rule: Rule,
  { kind, operation, subresource, name, namespace }: AdmissionRequest,
  { group, version }: { readonly group: string; readonly version: string | undefined },
): boolean {
  const names = rule.resourceNames ?? [];
  return (
    holds(rule.operations, operation.toUpperCase()) &&
    holds(rule.apiGroups, group) &&
    (version === undefined ? (rule.apiVersions?.length ?? 0) > 0 : holds(rule.apiVersions, version)) &&
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
