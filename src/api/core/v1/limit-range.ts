// LimitRange: how much one container, pod or claim of a namespace may have, and gets when it says nothing.
import { checkQualifiedName, defineKind, FieldAt, parseQuantity, toFloat } from '../../../machinery/index.ts';
import { createdColumn, nameColumn } from '../../columns.ts';
import type { LimitRangeItem, LimitRange as LimitRangeObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { compareQuantities, roundUpToMilli } from './pod/quantities.ts';
import { isOvercommitAllowed } from './pod/resource-names.ts';
import { checkContainerResourceName, validateResourceName } from './pod/validation/resources.ts';

export type LimitRange = LimitRangeObject;

const types = new Set(['Pod', 'Container', 'PersistentVolumeClaim']);
const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

export const LimitRange = defineKind<LimitRangeObject>({
  group: '',
  version: 'v1',
  kind: 'LimitRange',
  plural: 'limitranges',
  shortNames: ['limits'],
  scope: 'Namespaced',
  createOnUpdate: true,
  schema: shape('core.v1.LimitRange'),
  columns: [nameColumn, createdColumn],
  defaults({ spec }) {
    for (const limit of spec.limits ?? []) defaultLimit(limit);
  },
  // Who gives it no name gets one.
  prepareCreate({ metadata }) {
    if (!metadata.name) metadata.name = metadata.uid;
  },
  validate({ spec }, _old, causes) {
    const field = new FieldAt('spec', causes).child('limits');
    const seen = new Set<string>();
    for (const [i, limit] of (spec.limits ?? []).entries()) {
      const here = field.index(i);
      validateType(limit.type, here.child('type'));
      if (seen.has(limit.type)) here.child('type').duplicate(limit.type);
      seen.add(limit.type);
      validateLimit(limit, here);
    }
  },
});

/** A container's limit is at most the maximum unless it says so, and what it requests is its limit, or the minimum. */
function defaultLimit(limit: LimitRangeItem): void {
  for (const name of lists)
    for (const [resource, amount] of Object.entries(limit[name] ?? {}))
      limit[name]![resource] = roundUpToMilli(amount);
  if (limit.type !== 'Container') return;
  const limits = { ...limit.max, ...limit.default };
  const requests = { ...limit.min, ...limits, ...limit.defaultRequest };
  if (Object.keys(limits).length > 0) limit.default = limits;
  if (Object.keys(requests).length > 0) limit.defaultRequest = requests;
}

function validateType(type: string, field: FieldAt): void {
  const found = checkQualifiedName(type);
  field.refuse(type, found);
  if (found.length === 0 && !type.includes('/') && !types.has(type))
    field.invalid(type, 'must be a standard limit type or fully qualified');
}

function validateLimit(limit: LimitRangeItem, field: FieldAt): void {
  const resources = new Set<string>();
  const checkName =
    limit.type === 'Pod' || limit.type === 'Container' ? checkContainerResourceName : validateResourceName;
  for (const name of lists) {
    const list = limit[name] ?? {};
    if (limit.type === 'Pod' && (name === 'default' || name === 'defaultRequest')) {
      if (Object.keys(list).length > 0)
        field.child(name).forbidden("may not be specified when `type` is 'Pod'");
      continue;
    }
    if (name === 'maxLimitRequestRatio' && limit.type === 'PersistentVolumeClaim')
      if (limit.min?.['storage'] === undefined && limit.max?.['storage'] === undefined)
        field
          .child('limits')
          .required('either minimum or maximum storage value is required, but neither was provided');
    for (const resource of Object.keys(list).sort()) {
      checkName(resource, field.child(name).key(resource));
      resources.add(resource);
    }
  }
  for (const resource of [...resources].sort()) validateOrder(limit, resource, field);
}

/** min ≤ request ≤ limit ≤ max, and the ratio of what they leave room for. */
function validateOrder(limit: LimitRangeItem, resource: string, field: FieldAt): void {
  const pod = limit.type === 'Pod';
  const min = limit.min?.[resource];
  const max = limit.max?.[resource];
  const usual = pod ? undefined : limit.default?.[resource];
  const request = pod ? undefined : limit.defaultRequest?.[resource];
  const ratio = limit.maxLimitRequestRatio?.[resource];
  const above = (a: string | undefined, b: string | undefined): boolean =>
    a !== undefined && b !== undefined && compareQuantities(a, b) > 0;
  const at = (name: keyof LimitRangeItem): FieldAt => field.child(name).key(resource);
  if (above(min, max)) at('min').invalid(min, `min value ${min} is greater than max value ${max}`);
  if (above(min, request))
    at('defaultRequest').invalid(
      request,
      `min value ${min} is greater than default request value ${request}`,
    );
  if (above(request, max))
    at('defaultRequest').invalid(
      request,
      `default request value ${request} is greater than max value ${max}`,
    );
  if (above(request, usual))
    at('defaultRequest').invalid(
      request,
      `default request value ${request} is greater than default limit value ${usual}`,
    );
  if (above(min, usual))
    at('default').invalid(min, `min value ${min} is greater than default value ${usual}`);
  if (above(usual, max))
    at('default').invalid(max, `default value ${usual} is greater than max value ${max}`);
  if (ratio !== undefined) {
    if (compareQuantities(ratio, '1') < 0)
      at('maxLimitRequestRatio').invalid(ratio, `ratio ${ratio} is less than 1`);
    if (min !== undefined && max !== undefined) {
      const most = number(max) / number(min);
      if (number(ratio) > most)
        at('maxLimitRequestRatio').invalid(
          ratio,
          `ratio ${ratio} is greater than max/min = ${most.toFixed(6)}`,
        );
    }
  }
  if (
    !isOvercommitAllowed(resource) &&
    usual !== undefined &&
    request !== undefined &&
    compareQuantities(usual, request) !== 0
  )
    at('defaultRequest').invalid(
      request,
      `default value ${usual} must equal to defaultRequest value ${request} in ${resource}`,
    );
}

const number = (text: string): number => {
  const quantity = parseQuantity(text);
  return quantity === undefined ? 0 : toFloat(quantity);
};
