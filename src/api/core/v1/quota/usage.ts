// What an object uses of the quotas of its namespace, under the names that quotas limit. Pure. Admission charges by it and the
// controller recounts by it, so both come to the same number. The rules are those of Kubernetes' quota evaluators.
import {
  addQuantity,
  compareQuantity,
  type KindDef,
  type KubeObject,
  parseTime,
  type Quantity,
  quantityOf,
} from '../../../../machinery/index.ts';
import type { Container, PersistentVolumeClaim, Pod, Service } from '../../../generated/core-v1.ts';
import type { DeviceSubRequest, ResourceClaim } from '../../../generated/resource-v1.ts';
import { isTerminal } from '../pod/conditions.ts';
import { type Amounts, quantityOrZero } from '../pod/quantities.ts';
import { isExtendedResource, isHugePages } from '../pod/resource-names.ts';
import { podLimitAmounts, podRequestAmounts } from '../pod/resources.ts';
import { needsNodePorts, usesNodePorts } from '../service-needs.ts';
import { storageClassOf } from '../volume-binding.ts';

type Named = Pick<KindDef, 'group' | 'plural'>;

/** How objects of one kind are counted; kinds that are not here are counted as objects alone. */
interface Evaluator {
  /** Whether a change of an existing object may use more. */
  readonly countsUpdates: boolean;
  /** May the kind use something of this name, besides counting as an object? */
  readonly uses: (resource: string) => boolean;
  readonly usage: (object: never, nowMs: number, add: (resource: string, amount: Amount) => void) => void;
}
type Amount = number | Quantity;

const computeNames = ['cpu', 'memory', 'ephemeral-storage'] as const;
const podNames = new Set([
  'pods',
  ...computeNames.flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);
const requestsPrefix = 'requests.';
const classSuffix = '.storageclass.storage.k8s.io/';
const deviceSuffix = '.deviceclass.resource.k8s.io/devices';
/** As many devices as one claim can be given: what `All` may come to. */
const allDevices = 32;

const pods: Evaluator = {
  countsUpdates: false,
  uses: (name) =>
    podNames.has(name) ||
    isHugePages(name) ||
    (name.startsWith(requestsPrefix) &&
      (isHugePages(name.slice(requestsPrefix.length)) ||
        isExtendedResource(name.slice(requestsPrefix.length)))),
  usage(pod: Pod, nowMs, add) {
    if (hasEnded(pod, nowMs)) return;
    add('pods', 1);
    for (const [name, amount] of podRequestAmounts(pod)) {
      const isCompute = computeNames.includes(name as 'cpu');
      if (isCompute || isHugePages(name)) add(name, amount);
      if (isCompute || isHugePages(name) || isExtendedResource(name)) add(requestsPrefix + name, amount);
    }
    for (const [name, amount] of podLimitAmounts(pod))
      if (computeNames.includes(name as 'cpu')) add(`limits.${name}`, amount);
  },
};

/** Its containers have ended, or its node has long had to end them. */
function hasEnded(pod: Pod, nowMs: number): boolean {
  if (isTerminal(pod)) return true;
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  const dueMs = parseTime(deletionTimestamp);
  return (
    dueMs !== undefined &&
    deletionGracePeriodSeconds !== undefined &&
    nowMs > dueMs + deletionGracePeriodSeconds * 1000
  );
}

const services: Evaluator = {
  countsUpdates: true,
  uses: (name) => name === 'services' || name === 'services.nodeports' || name === 'services.loadbalancers',
  usage(service: Service, _nowMs, add) {
    add('services', 1);
    const { spec } = service;
    if (spec?.type === 'LoadBalancer') add('services.loadbalancers', 1);
    if (spec === undefined || !usesNodePorts(service)) return;
    const ports = spec.ports ?? [];
    const count = needsNodePorts(service) ? ports.length : ports.filter((port) => port.nodePort).length;
    add('services.nodeports', count);
  },
};

const claims: Evaluator = {
  countsUpdates: true,
  uses: (name) =>
    name === 'persistentvolumeclaims' || name === 'requests.storage' || name.includes(classSuffix),
  usage(claim: PersistentVolumeClaim, _nowMs, add) {
    const storageClass = storageClassOf(claim);
    const ofClass = storageClass === '' ? undefined : `${storageClass}${classSuffix}`;
    add('persistentvolumeclaims', 1);
    if (ofClass !== undefined) add(`${ofClass}persistentvolumeclaims`, 1);
    const wanted = claim.spec?.resources?.requests?.['storage'];
    if (wanted === undefined) return;
    // While a claim grows, or what it asked for is taken back, the larger of both is in use.
    const given = claim.status?.allocatedResources?.['storage'];
    const [a, b] = [quantityOrZero(wanted), quantityOrZero(given)];
    const amount = given !== undefined && compareQuantity(b, a) > 0 ? b : a;
    add('requests.storage', amount);
    if (ofClass !== undefined) add(`${ofClass}requests.storage`, amount);
  },
};

const deviceClaims: Evaluator = {
  countsUpdates: true,
  uses: (name) => name.endsWith(deviceSuffix),
  usage(claim: ResourceClaim, _nowMs, add) {
    for (const { exactly, firstAvailable } of claim.spec?.devices?.requests ?? []) {
      if (exactly !== undefined) add(`${exactly.deviceClassName}${deviceSuffix}`, devicesOf(exactly));
      // Of alternatives any may be taken: of each class as many as the most asking of them.
      const most = new Map<string, number>();
      for (const one of firstAvailable ?? [])
        most.set(one.deviceClassName, Math.max(most.get(one.deviceClassName) ?? 0, devicesOf(one)));
      for (const [name, count] of most) add(`${name}${deviceSuffix}`, count);
    }
  },
};

const devicesOf = ({ allocationMode, count }: Pick<DeviceSubRequest, 'allocationMode' | 'count'>): number =>
  allocationMode === 'All' ? allDevices : (count ?? 1);

const evaluators: ReadonlyMap<string, Evaluator> = new Map([
  ['pods', pods],
  ['services', services],
  ['persistentvolumeclaims', claims],
  ['resourceclaims.resource.k8s.io', deviceClaims],
]);

/** Kinds that were counted under their bare name before `count/` was. */
const oldCounts = new Set(['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']);

const qualified = ({ group, plural }: Named): string => (group === '' ? plural : `${plural}.${group}`);

/** `count/deployments.apps`: the name under which a quota limits the number of objects of a kind. */
export const objectCount = (kind: Named): string => `count/${qualified(kind)}`;

/** Which of these names say something about the kind. */
export function quotaResourcesOf(kind: Named, names: readonly string[]): readonly string[] {
  const name = qualified(kind);
  const evaluator = evaluators.get(name);
  return names.filter(
    (one) =>
      one === `count/${name}` || (oldCounts.has(name) && one === name) || evaluator?.uses(one) === true,
  );
}

/** Whether changing an object of the kind may use more of a quota, and not only making one. */
export const updatesUseQuota = (kind: Named): boolean =>
  evaluators.get(qualified(kind))?.countsUpdates ?? false;

/** What the object uses, nothing left out that is zero. */
export function quotaUsage(kind: Named, object: KubeObject, nowMs: number): Amounts {
  const name = qualified(kind);
  const total: Amounts = new Map([[`count/${name}`, quantityOf(1)]]);
  if (oldCounts.has(name)) total.set(name, quantityOf(1));
  evaluators.get(name)?.usage(object as never, nowMs, (resource, amount) => {
    const more = typeof amount === 'number' ? quantityOf(amount) : amount;
    const before = total.get(resource);
    total.set(resource, before === undefined ? more : addQuantity(before, more));
  });
  return total;
}

const mustBeSaid = new Set([
  'cpu',
  'memory',
  'requests.cpu',
  'requests.memory',
  'limits.cpu',
  'limits.memory',
]);

/**
 * What the containers of a pod must say, because a quota limits it, and do not: `limits.cpu for: a,b; memory for: a`. '' = nothing is
 * missing. What the pod says for all of them counts for each.
 */
export function unsaidResources(pod: Pod, names: readonly string[]): string {
  const said = ({ requests, limits }: NonNullable<Container['resources']> = {}): Set<string> =>
    new Set([
      ...Object.keys(requests ?? {}).flatMap((name) => [name, requestsPrefix + name]),
      ...Object.keys(limits ?? {}).map((name) => `limits.${name}`),
    ]);
  const ofPod = said(pod.spec.resources);
  const needed = names.filter((name) => mustBeSaid.has(name) && !ofPod.has(name)).sort();
  if (needed.length === 0) return '';
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(
    ({ name, resources }) => [name, said(resources)] as const,
  );
  const parts: string[] = [];
  for (const resource of needed) {
    const silent = containers.filter(([, has]) => !has.has(resource)).map(([name]) => name);
    if (silent.length > 0) parts.push(`${resource} for: ${[...new Set(silent)].sort().join(',')}`);
  }
  return parts.join('; ');
}
