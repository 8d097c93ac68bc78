// Rules of requests and limits, of a container and of a whole pod.
import { checkDns1123Label, checkQualifiedName, type FieldAt } from '../../../../../machinery/index.ts';
import type {
  ContainerResizePolicy,
  PodSpec,
  ResourceClaim,
  ResourceRequirements,
} from '../../../../generated/core-v1.ts';
import { aggregateContainerRequests } from '../aggregate.ts';
import { compareQuantities, isMultipleOf, isWhole } from '../quantities.ts';
import {
  hugePageSize,
  isExtendedResource,
  isHugePages,
  isNativeResource,
  isOvercommitAllowed,
  isPodLevelResource,
} from '../resource-names.ts';

/** Of one container. `claimNames` are the names in spec.resourceClaims. */
export function validateResources(
  resources: ResourceRequirements,
  claimNames: ReadonlySet<string>,
  field: FieldAt,
): void {
  validateRequirements(resources, field, checkContainerResourceName);
  validateClaims(resources.claims ?? [], claimNames, field.child('claims'));
}

function validateRequirements(
  { limits = {}, requests = {} }: ResourceRequirements,
  field: FieldAt,
  validateName: (name: string, field: FieldAt) => void,
): void {
  const limitsAt = field.child('limits');
  const requestsAt = field.child('requests');
  for (const name of Object.keys(limits).sort()) {
    const here = limitsAt.key(name);
    validateName(name, here);
    validateAmount(name, limits[name]!, here);
    if (isHugePages(name)) validateHugePages(name, limits[name]!, here);
  }
  for (const name of Object.keys(requests).sort()) {
    const here = requestsAt.key(name);
    const amount = requests[name]!;
    validateName(name, here);
    validateAmount(name, amount, here);
    const limit = limits[name];
    if (limit === undefined) {
      if (!isOvercommitAllowed(name)) limitsAt.required('Limit must be set for non overcommitable resources');
    } else if (compareQuantities(amount, limit) !== 0 && !isOvercommitAllowed(name))
      requestsAt.invalid(amount, `must be equal to ${name} limit of ${limit}`);
    else if (compareQuantities(amount, limit) > 0)
      requestsAt.invalid(amount, `must be less than or equal to ${name} limit of ${limit}`);
    if (isHugePages(name)) validateHugePages(name, amount, field);
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory'))
    field.forbidden('HugePages require cpu or memory');
}

export function checkContainerResourceName(name: string, field: FieldAt): void {
  if (!validateResourceName(name, field)) return;
  if (!name.includes('/')) {
    if (!isContainerResource(name)) field.invalid(name, 'must be a standard resource for containers');
  } else if (!isNativeResource(name) && !isExtendedResource(name))
    field.invalid(name, "doesn't follow extended resource name standard");
}

function checkPodResourceName(name: string, field: FieldAt): void {
  if (validateResourceName(name, field) && !isPodLevelResource(name))
    field.notSupported(name, ['cpu', 'hugepages-', 'memory']);
}

const standardResources = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'storage',
  'requests.storage',
  'services.nodeports',
  'services.loadbalancers',
]);

const isContainerResource = (name: string): boolean =>
  name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || isHugePages(name);

/** False when the name has no form that further rules could judge. */
export function validateResourceName(name: string, field: FieldAt): boolean {
  const found = checkQualifiedName(name);
  field.refuse(name, found);
  if (found.length > 0) return false;
  if (
    !name.includes('/') &&
    !standardResources.has(name) &&
    !isHugePages(name) &&
    !name.startsWith('requests.hugepages-')
  )
    field.invalid(name, 'must be a standard resource type or fully qualified');
  return true;
}

/** Negative amounts are refused, and halves of what cannot be halved. */
function validateAmount(name: string, amount: string, field: FieldAt): void {
  if (compareQuantities(amount, '0') < 0) field.invalid(amount, 'must be greater than or equal to 0');
  if (isExtendedResource(name) && !isWhole(amount)) field.invalid(amount, 'must be an integer');
}

function validateHugePages(name: string, amount: string, field: FieldAt): void {
  const size = hugePageSize(name);
  if (size === undefined || !isMultipleOf(amount, size))
    field.invalid(amount, `${amount} is not positive integer multiple of ${name}`);
}

function validateClaims(claims: readonly ResourceClaim[], known: ReadonlySet<string>, field: FieldAt): void {
  const seen = new Set<string>();
  for (const [i, { name, request = '' }] of claims.entries()) {
    const here = field.index(i);
    if (name === '') {
      here.required();
      continue;
    }
    const key = request === '' ? name : `${name}/${request}`;
    if (seen.has(name)) here.duplicate(name);
    else {
      if (request !== '') here.child('request').refuse(request, checkDns1123Label(request));
      if (seen.has(key)) here.duplicate(key);
      else if (request === '')
        for (const other of seen) if (other.startsWith(`${name}/`)) here.duplicate(name);
      seen.add(key);
    }
    if (!known.has(name)) {
      const names = known.size === 0 ? ' which is empty' : `: ${[...known].sort().join(', ')}`;
      field.causes.list.push({
        reason: 'FieldValueNotFound',
        message: `Not found: ${JSON.stringify(name)}: must be one of the names in pod.spec.resourceClaims${names}`,
        field: here.path,
      });
    }
  }
}

/** spec.resources: what all containers share. It must have room for what they ask for one by one. */
export function validatePodLevelResources(spec: PodSpec, field: FieldAt): void {
  const { resources } = spec;
  if (resources === undefined) return;
  if (resources.claims !== undefined)
    field.child('claims').forbidden('claims cannot be set for Resources at pod-level');
  validateRequirements(resources, field, checkPodResourceName);

  const { requests = {}, limits = {} } = resources;
  const needed = aggregateContainerRequests(spec);
  for (const name of Object.keys(needed).sort()) {
    // What is not given for the pod is counted from its containers.
    const given = requests[name];
    if (given === undefined) continue;
    if (compareQuantities(needed[name]!, given) > 0)
      field
        .child('requests')
        .key(name)
        .invalid(given, `must be greater than or equal to aggregate container requests of ${needed[name]!}`);
  }
  for (const [i, container] of (spec.containers ?? []).entries())
    for (const [name, limit] of Object.entries(container.resources?.limits ?? {})) {
      const whole = limits[name];
      if (whole !== undefined && compareQuantities(limit, whole) > 0)
        field
          .child('containers')
          .index(i)
          .key(name)
          .child('limits')
          .invalid(limit, `must be less than or equal to pod limits of ${whole}`);
    }
}

/** What the node sets aside for running the pod, from its runtime class. */
export function validateOverhead(overhead: Record<string, string>, field: FieldAt): void {
  validateRequirements({ limits: overhead }, field, checkContainerResourceName);
}

const resizable = ['cpu', 'memory'];
const resizePolicies = ['NotRequired', 'RestartContainer'];

export function validateResizePolicy(
  policies: readonly ContainerResizePolicy[],
  restartPolicy: string | undefined,
  field: FieldAt,
): void {
  const seen = new Set<string>();
  for (const [i, policy] of policies.entries()) {
    if (seen.has(policy.resourceName)) field.index(i).duplicate(policy.resourceName);
    seen.add(policy.resourceName);
    field.requiredOneOf(policy.resourceName, resizable);
    field.requiredOneOf(policy.restartPolicy, resizePolicies);
    if (restartPolicy === 'Never' && policy.restartPolicy !== 'NotRequired')
      field.invalid(policy.restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'");
  }
}
