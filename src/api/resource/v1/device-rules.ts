// The rules of devices that drivers offer, and of those that claims got.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelKey,
  checkLabelValue,
  type FieldAt,
} from '../../../machinery/index.ts';
import { compareQuantities, validateDriverName, validateNodeSelector } from '../../core/v1/pod.ts';
import type {
  CapacityRequestPolicy,
  Counter,
  CounterSet,
  Device,
  DeviceAttribute,
  DeviceRequestAllocationResult,
  DeviceTaint,
} from '../../generated/resource-v1.ts';
import { validateItems, validateQualifiedName } from './claim-rules.ts';

const maxPoolNameBytes = 253;
const maxAttributesAndCapacities = 32;
const maxValueBytes = 64;
const maxTaints = 16;
const maxCounters = 32;
const maxConsumptions = 2;
const maxBindingConditions = 4;
const maxPolicyOptions = 10;

const number = '(0|[1-9]\\d*)';
const preRelease = '(0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)';
const build = '[0-9a-zA-Z-]+';
const semanticVersion = new RegExp(
  `^${number}\\.${number}\\.${number}(-${preRelease}(\\.${preRelease})*)?(\\+${build}(\\.${build})*)?$`,
);

/** Subdomains, separated by slashes. */
export function validatePoolName(name: string, field: FieldAt): void {
  if (name === '') {
    field.required();
    return;
  }
  if (Buffer.byteLength(name) > maxPoolNameBytes) field.tooLong(maxPoolNameBytes);
  for (const part of name.split('/')) field.refuse(part, checkDns1123Subdomain(part));
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function validateResult(result: DeviceRequestAllocationResult, field: FieldAt): void {
  validateDriverName(result.driver, field.child('driver'));
  validatePoolName(result.pool, field.child('pool'));
  field.child('device').refuse(result.device, checkDns1123Label(result.device));
  validateBindingConditions(result, field);
  if (result.shareID !== undefined && !uuid.test(result.shareID))
    field
      .child('shareID')
      .invalid(
        result.shareID,
        'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters',
      );
}

function validateBindingConditions(
  holder: Pick<Device, 'bindingConditions' | 'bindingFailureConditions'>,
  field: FieldAt,
): void {
  const conditions = holder.bindingConditions ?? [];
  const failures = holder.bindingFailureConditions ?? [];
  for (const [name, list] of [
    ['bindingConditions', conditions],
    ['bindingFailureConditions', failures],
  ] as const)
    validateItems(
      list,
      {
        most: maxBindingConditions,
        key: (condition) => condition,
        validate: (condition, here) => here.refuse(condition, checkLabelKey(condition)),
      },
      field.child(name),
    );
  if (conditions.length > 0 && failures.length === 0)
    field
      .child('bindingFailureConditions')
      .invalid(failures, 'bindingFailureConditions are required to use bindingConditions');
  if (failures.length > 0 && conditions.length === 0)
    field
      .child('bindingConditions')
      .invalid(conditions, 'bindingConditions are required to use bindingFailureConditions');
}

export function validateCounterSet({ name, counters }: CounterSet, field: FieldAt): void {
  field.child('name').requiredText(name, checkDns1123Label);
  validateCounters(counters, field.child('counters'));
}

function validateCounters(counters: Record<string, Counter> | null | undefined, field: FieldAt): void {
  const names = Object.keys(counters ?? {}).sort();
  if (names.length === 0) field.required();
  if (names.length > maxCounters) field.tooMany(names.length, maxCounters);
  else for (const name of names) field.key(name).refuse(name, checkDns1123Label(name));
}

/** `perDevice`: each device says on which nodes it is, not the slice. */
export function validateDevice(device: Device, perDevice: boolean, field: FieldAt): void {
  field.child('name').refuse(device.name, checkDns1123Label(device.name));
  const { attributes = {}, capacity = {} } = device;
  const total = Object.keys(attributes).length + Object.keys(capacity).length;
  if (total > maxAttributesAndCapacities)
    field.invalid(
      total,
      `the total number of attributes and capacities must not exceed ${maxAttributesAndCapacities}`,
    );
  for (const name of Object.keys(attributes).sort()) {
    const here = field.child('attributes').key(name);
    validateQualifiedName(name, here);
    validateAttribute(attributes[name]!, here);
  }
  for (const name of Object.keys(capacity).sort()) {
    const here = field.child('capacity').key(name);
    validateQualifiedName(name, here);
    const { value, requestPolicy } = capacity[name]!;
    if (requestPolicy === undefined) continue;
    if (device.allowMultipleAllocations === true)
      validatePolicy(requestPolicy, value, here.child('requestPolicy'));
    else here.child('requestPolicy').forbidden('allowMultipleAllocations must be true');
  }
  validateItems(device.taints ?? [], { most: maxTaints, validate: validateTaint }, field.child('taints'));
  validateItems(
    device.consumesCounters ?? [],
    {
      most: maxConsumptions,
      key: (consumption) => consumption.counterSet,
      validate(consumption, here) {
        here.child('counterSet').requiredText(consumption.counterSet, checkDns1123Label);
        validateCounters(consumption.counters, here.child('counters'));
      },
    },
    field.child('consumesCounters'),
  );
  validatePlace(device, perDevice, field);
  validateBindingConditions(device, field);
}

function validatePlace(device: Device, perDevice: boolean, field: FieldAt): void {
  const { nodeName, nodeSelector, allNodes } = device;
  if (!perDevice) {
    if (nodeName !== undefined || nodeSelector !== undefined || allNodes !== undefined)
      field.invalid(
        null,
        '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
      );
    return;
  }
  const given: string[] = [];
  if (nodeName === '') field.child('nodeName').invalid(nodeName, 'must not be empty');
  else if (nodeName !== undefined) {
    given.push('`nodeName`');
    field.child('nodeName').refuse(nodeName, checkDns1123Subdomain(nodeName));
  }
  if (nodeSelector !== undefined) {
    given.push('`nodeSelector`');
    validateNodeSelector(nodeSelector, field.child('nodeSelector'));
  }
  if (allNodes === true) given.push('`allNodes`');
  else if (allNodes !== undefined)
    field.child('allNodes').invalid(allNodes, 'must be either unset or set to true');
  const one =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (given.length === 0) field.required(one);
  else if (given.length > 1) field.invalid(`{${given.join(', ')}}`, one);
}

function validateAttribute(attribute: DeviceAttribute, field: FieldAt): void {
  const { string, version } = attribute;
  const tooLong = (value: string): boolean => Buffer.byteLength(value) > maxValueBytes;
  if (string !== undefined && tooLong(string)) field.child('string').tooLong(maxValueBytes);
  if (version !== undefined) {
    const here = field.child('version');
    if (!semanticVersion.test(version))
      here.invalid(version, 'must be a string compatible with semver.org spec 2.0.0');
    if (tooLong(version)) here.tooLong(maxValueBytes);
  }
  const given = Object.values(attribute).filter((value) => value !== undefined).length;
  if (given !== 1) field.invalid(given === 0 ? '' : attribute, 'exactly one value must be specified');
}

function validateTaint({ key, value = '', effect }: DeviceTaint, field: FieldAt): void {
  field.child('key').refuse(key, checkLabelKey(key));
  if (value !== '') field.child('value').refuse(value, checkLabelValue(value));
  field.child('effect').requiredOneOf(effect, ['NoExecute', 'NoSchedule', 'None']);
}

function validatePolicy(policy: CapacityRequestPolicy, most: string, field: FieldAt): void {
  const { default: usual, validValues = [], validRange: range } = policy;
  if (validValues.length > 0 && range !== undefined) {
    field.forbidden(
      'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time',
    );
    return;
  }
  if (validValues.length > 0) {
    if (usual === undefined) field.child('default').required('required when validValues is defined');
    else validateOptions(validValues, { usual, most }, field.child('validValues'));
  } else if (range !== undefined) {
    const here = field.child('validRange');
    if (usual === undefined) {
      field.child('default').required('required when validRange is defined');
      return;
    }
    const { min, max } = range;
    if (compareQuantities(min, most) > 0)
      here.child('min').invalid(min, `min is larger than capacity value: ${most}`);
    if (compareQuantities(usual, min) < 0)
      here.child('default').invalid(usual, `default is less than min: ${min}`);
    if (max === undefined) return;
    if (compareQuantities(min, max) > 0) here.child('max').invalid(min, `min is larger than max: ${max}`);
    if (compareQuantities(max, most) > 0)
      here.child('max').invalid(max, `max is larger than capacity value: ${most}`);
    if (compareQuantities(usual, max) > 0)
      here.child('default').invalid(usual, `default is more than max: ${max}`);
  }
}

function validateOptions(
  options: readonly string[],
  { usual, most }: { usual: string; most: string },
  field: FieldAt,
): void {
  for (let i = 1; i < options.length; i++)
    if (compareQuantities(options[i - 1]!, options[i]!) > 0)
      field.index(i).invalid(options[i], 'values must be sorted in ascending order');
  validateItems(
    options,
    {
      most: maxPolicyOptions,
      key: (option) => option,
      validate(option, here) {
        if (compareQuantities(option, most) > 0)
          here.invalid(option, `option is larger than capacity value: ${most}`);
      },
    },
    field,
  );
  if (!options.some((option) => compareQuantities(option, usual) === 0))
    field.invalid(usual, 'default value is not valid according to the requestPolicy');
}
