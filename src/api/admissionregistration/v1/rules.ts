// What the kinds of this group share: which requests they are about, and where webhooks are called.
import {
  checkDns1035Label,
  checkDns1123Subdomain,
  checkPathSegment,
  checkPortNumber,
  checkQualifiedName,
  conditionFault,
  type FieldAt,
  validateLabelSelector,
} from '../../../machinery/index.ts';
import type {
  MatchCondition,
  MatchResources,
  MutatingWebhook,
  NamedRuleWithOperations,
  ParamKind,
  ParamRef,
  RuleWithOperations,
  ValidatingWebhook,
  WebhookClientConfig,
} from '../../generated/admissionregistration-v1.ts';
import { type GoUrl, GoUrlError, parseGoUrl } from './go-url.ts';

type Webhook = ValidatingWebhook & Partial<Pick<MutatingWebhook, 'reinvocationPolicy'>>;

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const reviewVersions = ['v1', 'v1beta1'];
export const failurePolicies = ['Fail', 'Ignore'];
const matchPolicies = ['Equivalent', 'Exact'];
const maxMatchConditions = 64;

/** Mutates; idempotent. */
export function defaultWebhook(webhook: Webhook): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  defaultRules(webhook.rules);
  const service = webhook.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
}

function defaultRules(rules: readonly RuleWithOperations[] | undefined): void {
  for (const rule of rules ?? []) rule.scope ??= '*';
}

export function defaultMatchResources(match: MatchResources | undefined): void {
  if (match === undefined) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  defaultRules(match.resourceRules);
  defaultRules(match.excludeResourceRules);
}

/** Faults that the older object has as well are not held against the new one. */
export function validateWebhooks(
  webhooks: readonly Webhook[],
  old: readonly Webhook[] | undefined,
  field: FieldAt,
): void {
  const strictVersions = old === undefined || old.every(hasKnownVersion);
  const strictEffects =
    old === undefined || old.every(({ sideEffects }) => noEffects.includes(sideEffects ?? ''));
  const strictNames = old === undefined || new Set(old.map((webhook) => webhook.name)).size === old.length;
  const known = new Set(
    old?.flatMap(({ matchConditions }) => (matchConditions ?? []).map(({ expression }) => expression)),
  );
  const names = new Set<string>();
  for (const [i, webhook] of webhooks.entries()) {
    const here = field.index(i);
    validateWebhook(webhook, strictEffects ? noEffects : anyEffects, here);
    for (const [j, { expression }] of (webhook.matchConditions ?? []).entries()) {
      const fault =
        known.has(expression) || expression.trim() === '' ? undefined : conditionFault(expression);
      if (fault !== undefined)
        here.child('matchConditions').index(j).child('expression').invalid(expression, fault);
    }
    validateReviewVersions(
      webhook.admissionReviewVersions ?? [],
      strictVersions,
      here.child('admissionReviewVersions'),
    );
    if (strictNames && webhook.name !== '' && names.has(webhook.name))
      here.child('name').duplicate(webhook.name);
    names.add(webhook.name);
  }
}

const noEffects: readonly string[] = ['None', 'NoneOnDryRun'];
const anyEffects: readonly string[] = ['None', 'NoneOnDryRun', 'Some', 'Unknown'];

const hasKnownVersion = ({ admissionReviewVersions: versions }: Webhook): boolean =>
  (versions ?? []).length === 0 || versions.some((version) => reviewVersions.includes(version));

function validateReviewVersions(versions: readonly string[], strict: boolean, field: FieldAt): void {
  if (versions.length === 0) {
    field.required('must specify one of v1, v1beta1');
    return;
  }
  for (const [i, version] of versions.entries())
    if (versions.indexOf(version) < i) field.index(i).invalid(version, 'duplicate version');
    else field.index(i).refuse(version, checkDns1035Label(version));
  if (strict && !versions.some((version) => reviewVersions.includes(version)))
    field.invalid(versions, 'must include at least one of v1, v1beta1');
}

function validateWebhook(webhook: Webhook, effects: readonly string[], field: FieldAt): void {
  const { name, sideEffects, timeoutSeconds: timeout } = webhook;
  validateFullName(name, field.child('name'));
  for (const [i, rule] of (webhook.rules ?? []).entries()) validateRule(rule, field.child('rules').index(i));
  field.child('failurePolicy').oneOf(webhook.failurePolicy, failurePolicies);
  field.child('matchPolicy').oneOf(webhook.matchPolicy, matchPolicies);
  if (sideEffects === undefined)
    field.child('sideEffects').required(`must specify one of ${effects.join(', ')}`);
  else field.child('sideEffects').oneOf(sideEffects, effects);
  if (timeout !== undefined && (timeout > 30 || timeout < 1))
    field.child('timeoutSeconds').invalid(timeout, 'the timeout value must be between 1 and 30 seconds');
  for (const selector of ['namespaceSelector', 'objectSelector'] as const)
    validateLabelSelector(webhook[selector], field.child(selector).path, field.causes);
  field.child('reinvocationPolicy').oneOf(webhook.reinvocationPolicy, ['IfNeeded', 'Never']);
  validateClientConfig(webhook.clientConfig ?? {}, field.child('clientConfig'));
  validateMatchConditions(webhook.matchConditions ?? [], field.child('matchConditions'));
}

function validateFullName(name: string, field: FieldAt): void {
  const found = checkDns1123Subdomain(name);
  if (name === '') field.required();
  else if (found.length > 0) field.invalid(name, found.join(','));
  else if (name.split('.').length < 3)
    field.invalid(name, 'should be a domain with at least three segments separated by dots');
}

function validateClientConfig({ url, service }: WebhookClientConfig, field: FieldAt): void {
  if ((url === undefined) === (service === undefined)) {
    field.required('exactly one of url or service is required');
    return;
  }
  if (url !== undefined) validateUrl(url, field.child('url'));
  if (service === undefined) return;
  const here = field.child('service');
  if (service.name === '') here.child('name').required('service name is required');
  if (service.namespace === '') here.child('namespace').required('service namespace is required');
  const port = service.port ?? 0;
  const found = checkPortNumber(port);
  if (found.length > 0) here.child('port').invalid(port, `port is not valid: ${found.join(', ')}`);
  validateUrlPath(service.path ?? '', here.child('path'));
}

const form = '; desired format: https://host[/path]';

function validateUrl(text: string, field: FieldAt): void {
  let url: GoUrl;
  try {
    url = parseGoUrl(text);
  } catch (error) {
    if (!(error instanceof GoUrlError)) throw error;
    field.required(`url must be a valid URL: parse ${quote(text)}: ${error.message}${form}`);
    return;
  }
  if (url.scheme !== 'https') field.invalid(url.scheme, `'https' is the only allowed URL scheme${form}`);
  if (url.host === '') field.invalid('', `host must be provided${form}`);
  if (url.user !== undefined) field.invalid(url.user, 'user information is not permitted in the URL');
  if (url.fragment !== '') field.invalid(url.fragment, 'fragments are not permitted in the URL');
  if (url.query !== '') field.invalid(url.query, 'query parameters are not permitted in the URL');
}

/** As Go quotes what cannot be printed. */
const quote = (text: string): string =>
  JSON.stringify(text).replace(/\\u00([0-9a-f]{2})/g, (_, hex: string) => `\\x${hex}`);

function validateUrlPath(path: string, field: FieldAt): void {
  if (path === '' || path === '/') return;
  if (path === '//') {
    field.invalid(path, 'segment[0] may not be empty');
    return;
  }
  if (!path.startsWith('/')) field.invalid(path, "must start with a '/'");
  for (const [i, step] of path.slice(1).replace(/\/$/, '').split('/').entries())
    if (step === '') field.invalid(path, `segment[${i}] may not be empty`);
    else for (const message of checkDns1123Subdomain(step)) field.invalid(path, `segment[${i}]: ${message}`);
}

const alone = (list: readonly string[]): boolean => list.length <= 1 || !list.includes('*');

function validateRule(rule: RuleWithOperations, field: FieldAt): void {
  const { operations: verbs = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const verbsAt = field.child('operations');
  if (verbs.length === 0) verbsAt.required();
  if (!alone(verbs)) verbsAt.invalid(verbs, "if '*' is present, must not specify other operations");
  for (const [i, verb] of verbs.entries()) verbsAt.index(i).oneOf(verb, operations);
  if (apiGroups.length === 0) field.child('apiGroups').required();
  if (!alone(apiGroups))
    field.child('apiGroups').invalid(apiGroups, "if '*' is present, must not specify other API groups");
  const versionsAt = field.child('apiVersions');
  if (apiVersions.length === 0) versionsAt.required();
  if (!alone(apiVersions))
    versionsAt.invalid(apiVersions, "if '*' is present, must not specify other API versions");
  for (const [i, version] of apiVersions.entries()) if (version === '') versionsAt.index(i).required();
  validateRuleResources(resources, field.child('resources'));
  field.child('scope').oneOf(scope, ['*', 'Cluster', 'Namespaced']);
}

function validateRuleResources(resources: readonly string[], field: FieldAt): void {
  if (resources.length === 0) field.required();
  const wholeResources = new Set<string>();
  const wholeSubresources = new Set<string>();
  let withoutSubresource = false;
  for (const [i, item] of resources.entries()) {
    const here = field.index(i);
    if (item === '') {
      here.required();
      continue;
    }
    const slash = item.indexOf('/');
    if (slash < 0) {
      // the last one decides, as in Kubernetes
      withoutSubresource = item !== '*';
      continue;
    }
    const [resource, subresource] = [item.slice(0, slash), item.slice(slash + 1)];
    if (wholeResources.has(resource))
      here.invalid(item, `if '${resource}/*' is present, must not specify ${item}`);
    if (wholeSubresources.has(subresource))
      here.invalid(item, `if '*/${subresource}' is present, must not specify ${item}`);
    if (subresource === '*') wholeResources.add(resource);
    if (resource === '*') wholeSubresources.add(subresource);
  }
  if (resources.length > 1 && resources.includes('*/*'))
    field.invalid(resources, "if '*/*' is present, must not specify other resources");
  if (resources.includes('*') && withoutSubresource)
    field.invalid(resources, "if '*' is present, must not specify other resources without subresources");
}

export function validateMatchConditions(conditions: readonly MatchCondition[], field: FieldAt): void {
  if (conditions.length > maxMatchConditions) field.tooMany(conditions.length, maxMatchConditions);
  const names = new Set<string>();
  for (const [i, { name, expression }] of conditions.entries()) {
    const here = field.index(i);
    if (expression.trim() === '') here.child('expression').required();
    here.child('name').requiredText(name, checkQualifiedName);
    if (name !== '' && names.has(name)) here.child('name').duplicate(name);
    names.add(name);
  }
}

export function validateMatchResources(match: MatchResources, field: FieldAt): void {
  if (match.matchPolicy === undefined) field.child('matchPolicy').required();
  else field.child('matchPolicy').oneOf(match.matchPolicy, matchPolicies);
  for (const selector of ['namespaceSelector', 'objectSelector'] as const)
    if (match[selector] === undefined) field.child(selector).required();
    else validateLabelSelector(match[selector], field.child(selector).path, field.causes);
  for (const list of ['resourceRules', 'excludeResourceRules'] as const)
    for (const [i, rule] of (match[list] ?? []).entries())
      validateNamedRule(rule, field.child(list).index(i));
}

function validateNamedRule(rule: NamedRuleWithOperations, field: FieldAt): void {
  const names = new Set<string>();
  for (const [i, name] of (rule.resourceNames ?? []).entries()) {
    const here = field.child('resourceNames').index(i);
    here.refuse(name, checkPathSegment(name));
    if (names.has(name)) here.duplicate(name);
    names.add(name);
  }
  validateRule(rule, field);
}

export function validateParamKind({ apiVersion = '', kind = '' }: ParamKind, field: FieldAt): void {
  const here = field.child('apiVersion');
  const parts = apiVersion === '/' ? [''] : apiVersion.split('/');
  if (apiVersion === '') here.required();
  else if (parts.length > 2) here.invalid(apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  else {
    const [group, version] = parts.length === 2 ? [parts[0]!, parts[1]!] : ['', parts[0]!];
    const badGroup = group === '' ? [] : checkDns1123Subdomain(group);
    if (badGroup.length > 0) here.invalid(group, badGroup.join(','));
    const badVersion = checkDns1035Label(version);
    if (version === '') here.invalid(apiVersion, 'version must be specified');
    else if (badVersion.length > 0) here.invalid(version, badVersion.join(','));
  }
  const badKind = checkDns1035Label(kind.toLowerCase());
  if (kind === '') field.child('kind').required();
  else if (badKind.length > 0)
    field
      .child('kind')
      .invalid(kind, `may have mixed case, but should otherwise match: ${badKind.join(',')}`);
}

export function validateParamRef(reference: ParamRef, field: FieldAt): void {
  const { name = '', selector, parameterNotFoundAction: action = '' } = reference;
  const both = 'name and selector are mutually exclusive';
  if (name !== '') {
    field.child('name').refuse(name, checkPathSegment(name));
    if (selector !== undefined) field.child('name').forbidden(both);
  }
  validateLabelSelector(selector, field.child('selector').path, field.causes);
  if (selector !== undefined && name !== '') field.child('selector').forbidden(both);
  if (selector === undefined && name === '') field.required('one of name or selector must be specified');
  field.child('parameterNotFoundAction').requiredOneOf(action, ['Deny', 'Allow']);
}
