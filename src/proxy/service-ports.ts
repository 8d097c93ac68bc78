// What a Service asks of a proxy, port by port. Pure.
import type { Service } from '../api/index.ts';
import type { Family } from './contribution.ts';
import { type Protocol, protocols } from './frame.ts';

export interface ServicePortFacts {
  readonly namespace: string;
  readonly service: string;
  /** '' when the service has one port without a name. */
  readonly portName: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** 0 = none */
  readonly nodePort: number;
  readonly clusterIps: readonly string[];
  readonly externalIps: readonly string[];
  /** Addresses of load balancers that pass packets on as they came. */
  readonly balancerIps: readonly string[];
  readonly sourceRanges: readonly string[];
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
  /** How long a client stays with its endpoint; 0 = no affinity */
  readonly affinitySeconds: number;
}

const proxyNameLabel = 'service.kubernetes.io/service-proxy-name';
const headlessLabel = 'service.kubernetes.io/headless';

/** Whether a service is this proxy's: it has addresses and nobody else is named for it. */
export function isProxied({ metadata, spec }: Service): boolean {
  const { labels } = metadata;
  if (labels?.[proxyNameLabel] !== undefined || labels?.[headlessLabel] !== undefined) return false;
  if (spec?.type === 'ExternalName') return false;
  const address = spec?.clusterIP ?? '';
  return address !== '' && address !== 'None';
}

export const familyOfAddress = (address: string): Family => (address.includes(':') ? 'ip6' : 'ip');

/** None for a service that is not this proxy's. */
export function servicePorts(service: Service): ServicePortFacts[] {
  if (!isProxied(service)) return [];
  const { metadata, spec, status } = service;
  const clusterIps = spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP!];
  const balancerIps =
    spec.type === 'LoadBalancer'
      ? (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) =>
          ip !== undefined && ip !== '' && (ipMode ?? 'VIP') === 'VIP' ? [ip] : [],
        )
      : [];
  const isOpen =
    spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.externalIPs?.length ?? 0) > 0;
  return (spec.ports ?? []).flatMap((port) => {
    const protocol = (port.protocol ?? 'TCP').toLowerCase() as Protocol;
    if (!protocols.includes(protocol)) return [];
    return {
      namespace: metadata.namespace ?? '',
      service: metadata.name,
      portName: port.name ?? '',
      protocol,
      port: port.port,
      nodePort: spec.type === 'NodePort' || spec.type === 'LoadBalancer' ? (port.nodePort ?? 0) : 0,
      clusterIps,
      externalIps: spec.externalIPs ?? [],
      balancerIps,
      sourceRanges: spec.type === 'LoadBalancer' ? sourceRangesOf(service) : [],
      internalLocal: spec.internalTrafficPolicy === 'Local',
      externalLocal: isOpen && spec.externalTrafficPolicy === 'Local',
      affinitySeconds:
        spec.sessionAffinity === 'ClientIP'
          ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800)
          : 0,
    };
  });
}

/** The field, or else the annotation that came before it. */
function sourceRangesOf({ metadata, spec }: Service): string[] {
  const annotation = metadata.annotations?.['service.beta.kubernetes.io/load-balancer-source-ranges'] ?? '';
  const ranges = spec.loadBalancerSourceRanges?.length
    ? spec.loadBalancerSourceRanges
    : annotation.split(',');
  return ranges.map((range) => range.trim()).filter((range) => range !== '');
}

/** What makes a port one: rules, chains and sets are named after it. */
export const portKey = ({ namespace, service, protocol, portName, port }: ServicePortFacts): string =>
  `${namespace}/${service}/${protocol}/${portName === '' ? port : portName}`;

export interface Frontend {
  readonly kind: 'cluster' | 'external' | 'balancer';
  readonly address: string;
}

/** The addresses of one family at which a port is reached, each once; a cluster address comes first. */
export function frontendsOf(facts: ServicePortFacts, family: Family): Frontend[] {
  const found = new Map<string, Frontend>();
  const add = (kind: Frontend['kind'], addresses: readonly string[]): void => {
    for (const address of addresses)
      if (familyOfAddress(address) === family && !found.has(address)) found.set(address, { kind, address });
  };
  add('cluster', facts.clusterIps);
  // What a load balancer lets through is limited; so it goes before the same address given by hand.
  add('balancer', facts.balancerIps);
  add('external', facts.externalIps);
  return [...found.values()];
}

/** An address and port as one word: what two services may not have both. */
export const frontendKey = (
  address: string,
  { protocol, port }: Pick<ServicePortFacts, 'protocol' | 'port'>,
): string => `${address} . ${protocol} . ${port}`;
