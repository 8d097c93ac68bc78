// The rules of what a claim asks for, in claims and in templates of claims.
import {
  checkCIdentifier,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelKey,
  checkLabelValue,
  deviceSelectorFault,
  type FieldAt,
} from '../../../machinery/index.ts';
import { validateDriverName } from '../../core/v1/pod.ts';
import type {
  DeviceClaim,
  DeviceClaimConfiguration,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
  DeviceToleration,
  ExactDeviceRequest,
  OpaqueDeviceConfiguration,
  ResourceClaimSpec,
} from '../../generated/resource-v1.ts';

export const maxRequests = 32;
const maxSubRequests = 8;
export const maxSelectors = 32;
const maxConstraints = 32;
export const maxConfigs = 32;
const maxExpressionBytes = 10 * 1024;
const maxParametersBytes = 10 * 1024;
const maxIdentifierBytes = 32;

/** Mutates; idempotent. */
export function defaultClaimSpec(spec: ResourceClaimSpec | undefined): void {
  for (const request of spec?.devices?.requests ?? []) {
    if (request.exactly !== undefined) defaultRequest(request.exactly);
    for (const sub of request.firstAvailable ?? []) defaultRequest(sub);
  }
}

function defaultRequest(request: ExactDeviceRequest | DeviceSubRequest): void {
  request.allocationMode ||= 'ExactCount';
  // a count of nothing is no count
  if (request.count === 0) delete request.count;
  if (request.allocationMode === 'ExactCount') request.count ??= 1;
  for (const toleration of request.tolerations ?? []) toleration.operator ||= 'Equal';
}

/** The items, and once more for those that were there before: too many are not looked at. */
export function validateItems<T>(
  items: readonly T[],
  rule: { most: number; key?: (item: T) => string; validate: (item: T, field: FieldAt) => void },
  field: FieldAt,
): void {
  if (items.length > rule.most) {
    field.tooMany(items.length, rule.most);
    return;
  }
  for (const [i, item] of items.entries()) rule.validate(item, field.index(i));
  if (rule.key === undefined) return;
  const seen = new Set<string>();
  for (const [i, item] of items.entries()) {
    const key = rule.key(item);
    if (seen.has(key)) field.index(i).duplicate(key);
    seen.add(key);
  }
}

/** Names of requests, and `request/alternative`. */
export function requestNames(claim: DeviceClaim | undefined): ReadonlySet<string> {
  return new Set(
    (claim?.requests ?? []).flatMap((request) => [
      request.name,
      ...(request.firstAvailable ?? []).map((sub) => `${request.name}/${sub.name}`),
    ]),
  );
}

export function validateClaimSpec(spec: ResourceClaimSpec | undefined, field: FieldAt): void {
  const claim = spec?.devices ?? {};
  const devices = field.child('devices');
  const names = requestNames(claim);
  validateItems<DeviceRequest>(
    claim.requests ?? [],
    { most: maxRequests, key: (request) => request.name, validate: validateRequest },
    devices.child('requests'),
  );
  validateItems<DeviceConstraint>(
    claim.constraints ?? [],
    { most: maxConstraints, validate: (item, here) => validateConstraint(item, names, here) },
    devices.child('constraints'),
  );
  validateItems<DeviceClaimConfiguration>(
    claim.config ?? [],
    {
      most: maxConfigs,
      validate(item, here) {
        validateReferences(item.requests ?? [], names, here.child('requests'));
        validateOpaque(item.opaque, here.child('opaque'));
      },
    },
    devices.child('config'),
  );
}

function validateRequest(request: DeviceRequest, field: FieldAt): void {
  field.child('name').refuse(request.name, checkDns1123Label(request.name));
  const { exactly, firstAvailable = [] } = request;
  if (exactly === undefined && firstAvailable.length === 0)
    field.required('exactly one of `exactly` or `firstAvailable` is required');
  else if (exactly !== undefined && firstAvailable.length > 0)
    field.invalid(
      null,
      'exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set',
    );
  else if (exactly !== undefined) validateDevices(exactly, field.child('exactly'));
  else
    validateItems<DeviceSubRequest>(
      firstAvailable,
      {
        most: maxSubRequests,
        key: (sub) => sub.name,
        validate(sub, here) {
          here.child('name').refuse(sub.name, checkDns1123Label(sub.name));
          validateDevices(sub, here);
        },
      },
      field.child('firstAvailable'),
    );
}

function validateDevices(request: ExactDeviceRequest | DeviceSubRequest, field: FieldAt): void {
  const { allocationMode = '', count = 0 } = request;
  field.child('deviceClassName').requiredText(request.deviceClassName, checkDns1123Subdomain);
  validateSelectors(request.selectors ?? [], field.child('selectors'));
  if (allocationMode === 'All') {
    if (count !== 0)
      field.child('count').invalid(count, "must not be specified when allocationMode is 'All'");
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) field.child('count').invalid(count, 'must be greater than zero');
  } else field.child('allocationMode').notSupported(allocationMode, ['All', 'ExactCount']);
  for (const [i, toleration] of (request.tolerations ?? []).entries())
    validateToleration(toleration, field.child('tolerations').index(i));
}

export function validateSelectors(selectors: readonly DeviceSelector[], field: FieldAt): void {
  validateItems(
    selectors,
    {
      most: maxSelectors,
      validate({ cel }, here) {
        if (cel === undefined) here.child('cel').required();
        else validateExpression(cel.expression, here.child('cel', 'expression'));
      },
    },
    field,
  );
}

/** What is too long is not compiled. */
function validateExpression(expression: string, field: FieldAt): void {
  if (Buffer.byteLength(expression) > maxExpressionBytes) {
    field.tooLong(maxExpressionBytes);
    return;
  }
  const fault = deviceSelectorFault(expression);
  if (fault?.type === 'invalid') field.invalid(expression, fault.detail);
  else if (fault !== undefined) field.forbidden(fault.detail);
}

export function validateToleration(toleration: DeviceToleration, field: FieldAt): void {
  const { key = '', operator = '', value = '', effect } = toleration;
  if (key !== '') field.child('key').refuse(key, checkLabelKey(key));
  switch (operator) {
    case 'Exists':
      if (value !== '') field.child('value').invalid(value, 'must be empty for operator `Exists`');
      break;
    case 'Equal':
      if (key === '') field.child('key').required('must not be empty for operator `Equal`');
      field.child('value').refuse(value, checkLabelValue(value));
      break;
    case '':
      field.child('operator').required();
      break;
    default:
      field.child('operator').notSupported(operator, ['Equal', 'Exists']);
  }
  if (effect) field.child('effect').oneOf(effect, ['NoExecute', 'NoSchedule']);
}

function validateConstraint(constraint: DeviceConstraint, names: ReadonlySet<string>, field: FieldAt): void {
  validateReferences(constraint.requests ?? [], names, field.child('requests'));
  const { matchAttribute: match, distinctAttribute: distinct } = constraint;
  if (match !== undefined) validateFullName(match, field.child('matchAttribute'));
  else if (distinct !== undefined) validateFullName(distinct, field.child('distinctAttribute'));
  else field.child('matchAttribute').required();
}

export function validateReferences(
  requests: readonly string[],
  names: ReadonlySet<string>,
  field: FieldAt,
): void {
  validateItems(
    requests,
    {
      most: maxRequests,
      key: (name) => name,
      validate: (name, here) => validateReference(name, names, here),
    },
    field,
  );
}

export function validateReference(name: string, names: ReadonlySet<string>, field: FieldAt): void {
  const unknown =
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
  const parts = name.split('/');
  if (parts.length > 2) {
    field.invalid(name, unknown);
    return;
  }
  for (const part of parts) field.refuse(part, checkDns1123Label(part));
  if (!names.has(name)) field.invalid(name, unknown);
}

export function validateOpaque(opaque: OpaqueDeviceConfiguration | undefined, field: FieldAt): void {
  if (opaque === undefined) {
    field.required();
    return;
  }
  validateDriverName(opaque.driver, field.child('driver'));
  const here = field.child('parameters');
  const { parameters } = opaque;
  if (parameters === undefined || parameters === null) here.required();
  else if (typeof parameters !== 'object' || Array.isArray(parameters))
    here.invalid('<value omitted>', 'error parsing data as JSON: must be a JSON object');
  else if (Buffer.byteLength(JSON.stringify(parameters)) > maxParametersBytes)
    here.tooLong(maxParametersBytes);
}

/** `name` or `domain/name`, the name of an attribute or a capacity. */
export function validateQualifiedName(name: string, field: FieldAt): void {
  const [first = '', second, ...more] = name.split('/');
  if (more.length > 0) field.invalid(name, 'must not contain more than one slash');
  else if (second === undefined) validateIdentifier(first, field);
  else {
    if (first === '') field.invalid('', 'the domain must not be empty');
    else validateDriverName(first, field);
    if (second === '') field.invalid('', 'the name must not be empty');
    else validateIdentifier(second, field);
  }
}

function validateIdentifier(name: string, field: FieldAt): void {
  if (Buffer.byteLength(name) > maxIdentifierBytes) field.tooLong(maxIdentifierBytes);
  field.refuse(name, checkCIdentifier(name));
}

function validateFullName(name: string, field: FieldAt): void {
  validateQualifiedName(name, field);
  if (!name.includes('/'))
    field.invalid(name, 'a fully qualified name must be a domain and a name separated by a slash');
}
