// ResourceQuota: how much a namespace may have of what.
import { defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type { ResourceQuota as ResourceQuotaObject, ResourceQuotaSpec } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { compareQuantities, isWhole, roundUpToMilli } from './pod/quantities.ts';
import { isExtendedResource, isHugePages } from './pod/resource-names.ts';
import { validateResourceName } from './pod/validation/resources.ts';

export type ResourceQuota = ResourceQuotaObject;

const computeResources = new Set([
  'cpu',
  'memory',
  'limits.cpu',
  'limits.memory',
  'requests.cpu',
  'requests.memory',
]);
const countedResources = new Set([
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);
const quotaResources = new Set([
  ...computeResources,
  ...countedResources,
  'ephemeral-storage',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.ephemeral-storage',
]);
const isQuotaResource = (name: string): boolean =>
  quotaResources.has(name) || isHugePages(name) || name.startsWith('requests.hugepages-');

const isPods = (name: string): boolean => name === 'pods';
const isOfPods = (name: string): boolean => isPods(name) || computeResources.has(name);
const isOfClaims = (name: string): boolean =>
  name === 'persistentvolumeclaims' || name === 'requests.storage';

/** Each scope, and which resources it can narrow. */
const scopes: ReadonlyMap<string, (resource: string) => boolean> = new Map([
  ['BestEffort', isPods],
  ['CrossNamespacePodAffinity', isOfPods],
  ['NotBestEffort', isOfPods],
  ['NotTerminating', isOfPods],
  ['PriorityClass', isOfPods],
  ['Terminating', isOfPods],
  ['VolumeAttributesClass', isOfClaims],
]);
const opposites = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;
/** Scopes that say everything by themselves. */
const valueless = new Set([
  'BestEffort',
  'NotBestEffort',
  'Terminating',
  'NotTerminating',
  'CrossNamespacePodAffinity',
]);

/** `pods: 1/10, …` of the resources whose names do, or do not, start with `limits.`. */
const usage = (quota: ResourceQuotaObject, ofLimits: boolean): string =>
  Object.keys(quota.status?.hard ?? {})
    .filter((name) => name.startsWith('limits.') === ofLimits)
    .sort()
    .map((name) => `${name}: ${quota.status?.used?.[name] ?? '0'}/${quota.status?.hard?.[name]}`)
    .join(', ');

export const ResourceQuota = defineKind<ResourceQuotaObject>({
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  shortNames: ['quota'],
  scope: 'Namespaced',
  schema: shape('core.v1.ResourceQuota'),
  subresources: { status: true },
  returnsDeleted: true,
  columns: [
    nameColumn,
    textColumn('Request', 'What is used, of what may be, except limits.', (quota) => usage(quota, false)),
    textColumn('Limit', 'The sums of limits, of what they may be.', (quota) => usage(quota, true)),
    ageColumn,
  ],

  defaults({ spec, status }) {
    for (const list of [spec.hard, status?.hard, status?.used])
      for (const [name, amount] of Object.entries(list ?? {})) list![name] = roundUpToMilli(amount);
  },

  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    validateAmounts(spec.hard, field.child('hard'));
    validateScopes(spec, field.child('scopes'));
    if (spec.scopeSelector !== undefined)
      validateSelector(spec, field.child('scopeSelector', 'matchExpressions'));
    if (old === undefined) return;
    const [before, after] = [new Set(old.spec.scopes), new Set(spec.scopes)];
    if (before.size !== after.size || [...before].some((scope) => !after.has(scope)))
      field.child('scopes').invalid(spec.scopes ?? null, 'field is immutable');
  },

  validateStatus({ status }, _old, causes) {
    const field = new FieldAt('status', causes);
    validateAmounts(status?.hard, field.child('hard'));
    validateAmounts(status?.used, field.child('used'));
  },
});

function validateAmounts(list: Record<string, string> | undefined, field: FieldAt): void {
  for (const name of Object.keys(list ?? {}).sort()) {
    const here = field.key(name);
    const amount = list![name]!;
    validateResourceName(name, here);
    if (!name.includes('/') && !isQuotaResource(name))
      here.invalid(name, 'must be a standard resource for quota');
    if (compareQuantities(amount, '0') < 0) here.invalid(amount, 'must be greater than or equal to 0');
    if ((countedResources.has(name) || isExtendedResource(name)) && !isWhole(amount))
      here.invalid(amount, 'must be an integer');
  }
}

/** Complains of a resource in `hard` that the scope says nothing about. */
function validateReach(spec: ResourceQuotaSpec, scope: string, complain: () => void): void {
  const reaches = scopes.get(scope);
  if (reaches === undefined) return;
  for (const name of Object.keys(spec.hard ?? {})) if (isQuotaResource(name) && !reaches(name)) complain();
}

const clash = (given: ReadonlySet<string>): number =>
  opposites.filter(([a, b]) => given.has(a) && given.has(b)).length;

function validateScopes(spec: ResourceQuotaSpec, field: FieldAt): void {
  const given = spec.scopes ?? [];
  for (const scope of given) {
    if (!scopes.has(scope)) field.invalid(given, 'unsupported scope');
    validateReach(spec, scope, () => field.invalid(given, 'unsupported scope applied to resource'));
  }
  for (let i = clash(new Set(given)); i > 0; i--) field.invalid(given, 'conflicting scopes');
}

function validateSelector(spec: ResourceQuotaSpec, field: FieldAt): void {
  const requirements = spec.scopeSelector?.matchExpressions ?? [];
  for (const { scopeName, operator, values = [] } of requirements) {
    if (!scopes.has(scopeName)) field.child('scopeName').invalid(scopeName, 'unsupported scope');
    validateReach(spec, scopeName, () =>
      field.invalid(spec.scopeSelector, 'unsupported scope applied to resource'),
    );
    const operatorAt = field.child('operator');
    if (valueless.has(scopeName) && operator !== 'Exists')
      operatorAt.invalid(
        operator,
        "must be 'Exist' only operator when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
      );
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0)
        field
          .child('values')
          .required("must be at least one value when `operator` is 'In' or 'NotIn' for scope selector");
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        field
          .child('values')
          .invalid(
            values,
            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
          );
    } else operatorAt.invalid(operator, 'not a valid selector operator');
  }
  const given = new Set(requirements.map((requirement) => requirement.scopeName));
  for (let i = clash(given); i > 0; i--) field.invalid(spec.scopes ?? null, 'conflicting scopes');
}
