// What services and the pods behind them have in common for the controllers that keep Endpoints and EndpointSlices. Pure, apart from
// TriggerTimes, which remembers what it has seen.
import {
  type coreV1,
  getCondition,
  isReady,
  isSidecar,
  isTerminal,
  type Pod,
  Service,
} from '../api/index.ts';
import { keyOf, parseTime, semanticEqual } from '../machinery/index.ts';
import type { ControllerContext } from './framework/index.ts';

export type Family = 'IPv4' | 'IPv6';

export const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';
export const headlessLabel = 'service.kubernetes.io/headless';

/** A service without a selector has endpoints that somebody else keeps, or none. */
export const selectorOf = ({ spec }: Service): Readonly<Record<string, string>> | undefined =>
  spec.type === 'ExternalName' || Object.keys(spec.selector ?? {}).length === 0 ? undefined : spec.selector;

/** Keys of the services that select the pod. */
export function servicesOf(pod: Pod, lister: ControllerContext['lister']): string[] {
  const labels = pod.metadata.labels ?? {};
  const out: string[] = [];
  for (const service of lister(Service).list(pod.metadata.namespace)) {
    const selector = selectorOf(service);
    if (selector !== undefined && Object.entries(selector).every(([key, value]) => labels[key] === value))
      out.push(keyOf(service));
  }
  return out;
}

/** Whether everything that endpoints are made from is as it was. */
export const sameEndpoint = (a: Pod, b: Pod): boolean =>
  a.status?.podIP === b.status?.podIP &&
  a.status?.phase === b.status?.phase &&
  isReady(a) === isReady(b) &&
  a.spec.nodeName === b.spec.nodeName &&
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
  semanticEqual(a.status?.podIPs, b.status?.podIPs) &&
  semanticEqual(a.metadata.labels, b.metadata.labels);

export const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');

export const isHeadless = ({ spec }: Service): boolean => !spec.clusterIP || spec.clusterIP === 'None';

/** The families a service is served in, the main one first. The server names them; without it the addresses tell. */
export function familiesOf({ spec }: Service, pods: readonly Pod[]): readonly Family[] {
  const named = (spec.ipFamilies ?? []).filter((f): f is Family => f === 'IPv4' || f === 'IPv6');
  if (named.length > 0) return named;
  if (spec.clusterIP && spec.clusterIP !== 'None') return [familyOf(spec.clusterIP)];
  const address = pods.find(({ status }) => status?.podIP)?.status?.podIP;
  return [address === undefined ? 'IPv4' : familyOf(address)];
}

export function addressOf({ status }: Pod, family: Family): string | undefined {
  const all = [...(status?.podIPs ?? []).map(({ ip }) => ip), status?.podIP];
  return all.find((ip) => ip !== undefined && ip !== '' && familyOf(ip) === family);
}

/** Pods that have ended have no endpoint; those on their way out only where they are asked for. */
export const hasEndpoint = (pod: Pod, terminating: 'with' | 'without'): boolean =>
  !isTerminal(pod) && (terminating === 'with' || pod.metadata.deletionTimestamp === undefined);

export const hostnameOf = ({ metadata, spec }: Pod, service: Service): string | undefined =>
  spec.hostname &&
  spec.subdomain === service.metadata.name &&
  metadata.namespace === service.metadata.namespace
    ? spec.hostname
    : undefined;

/** The number a service's port has in this pod; undefined = the pod has no port of that name. */
export function portNumber(
  pod: Pod,
  { port, targetPort, protocol = 'TCP' }: coreV1.ServicePort,
): number | undefined {
  if (typeof targetPort !== 'string') return targetPort || port;
  const containers: readonly coreV1.Container[] = [
    ...pod.spec.containers,
    ...(pod.spec.initContainers ?? []).filter(isSidecar),
  ];
  for (const { ports } of containers)
    for (const one of ports ?? [])
      if (one.name === targetPort && (one.protocol ?? 'TCP') === protocol) return one.containerPort;
  return undefined;
}

/**
 * When what led to a change of endpoints happened: the earliest of the pods' changes of readiness since the last look. For a service
 * seen for the first time, its own beginning.
 */
export class TriggerTimes {
  readonly #pods = new Map<string, ReadonlyMap<string, number>>();

  /** Called once a reconcile. undefined = nothing happened that has a time. */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const before = this.#pods.get(key);
    const now = new Map<string, number>();
    let earliest: number | undefined;
    for (const pod of pods) {
      const at = parseTime(getCondition(pod, 'Ready')?.lastTransitionTime);
      if (at === undefined) continue;
      now.set(pod.metadata.name, at);
      if (at > (before?.get(pod.metadata.name) ?? 0) && (earliest === undefined || at < earliest))
        earliest = at;
    }
    this.#pods.set(key, now);
    if (before === undefined) return service.metadata.creationTimestamp;
    return earliest === undefined ? undefined : new Date(earliest).toISOString().replace('.000Z', 'Z');
  }

  forget(key: string): void {
    this.#pods.delete(key);
  }
}
