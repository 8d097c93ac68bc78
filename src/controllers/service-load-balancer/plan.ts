// Which addresses a service of type LoadBalancer gets: pure, from the service, the others, the nodes and where its endpoints run. With a
// pool each service has addresses of its own; without one it has those of the nodes, on which each port can be given out once.
import { type EndpointSlice, type Node, type Service, servesIngressAnnotation } from '../../api/index.ts';
import { keyOf } from '../../machinery/index.ts';
import type { AddressPool } from './address-pool.ts';

export interface LoadBalancerView {
  readonly service: Service;
  /** All services, with what this controller wrote last. */
  readonly services: readonly Service[];
  readonly nodes: readonly Node[];
  readonly slices: readonly EndpointSlice[];
  readonly pool: AddressPool;
  /** Addresses and ports at which servers answer: `10.0.0.1 6443`. */
  readonly serverAddresses: ReadonlySet<string>;
}

export type LoadBalancerPlan =
  | { readonly action: 'none' }
  /** `problem` says why there is no address. */
  | { readonly action: 'set'; readonly ips: readonly string[]; readonly problem?: string };

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers';
const autoscalerTaint = 'ToBeDeletedByClusterAutoscaler';
/** Of the service proxy's health. */
const proxyHealthPort = 10256;

/** On nodes that answer for ingresses. */
const ingressPorts: ReadonlySet<number> = new Set([80, 443]);

/** More would make every change of a node a change of a large object, and of rules on all nodes. */
const maxNodeAddresses = 32;

export const ingressIps = (service: Service): string[] =>
  (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));

/** Whether its address is this controller's to give. */
export const isOurs = ({ spec }: Service): boolean =>
  spec.type === 'LoadBalancer' && spec.loadBalancerClass === undefined;

export function planLoadBalancer(view: LoadBalancerView): LoadBalancerPlan {
  const { service, pool } = view;
  const { spec, status } = service;
  if (!isOurs(service)) {
    // What it had as a load balancer goes with its type.
    const had = (status?.loadBalancer?.ingress?.length ?? 0) > 0;
    return spec.type !== 'LoadBalancer' && had ? { action: 'set', ips: [] } : { action: 'none' };
  }
  const { ips, problem } = pool.isEmpty ? nodeAddresses(view) : poolAddresses(view);
  const now = status?.loadBalancer?.ingress ?? [];
  const isSet = now.length === ips.length && now.every(({ ip, hostname }, i) => ip === ips[i] && !hostname);
  if (isSet && problem === undefined) return { action: 'none' };
  return { action: 'set', ips, ...(problem !== undefined && { problem }) };
}

interface Found {
  readonly ips: readonly string[];
  readonly problem?: string;
}

const families = ({ spec }: Service): readonly ('IPv4' | 'IPv6')[] =>
  (spec.ipFamilies?.length ? spec.ipFamilies : ['IPv4']) as ('IPv4' | 'IPv6')[];

const familyOf = (ip: string): 'IPv4' | 'IPv6' => (ip.includes(':') ? 'IPv6' : 'IPv4');

function poolAddresses({ service, services, nodes, pool }: LoadBalancerView): Found {
  const key = keyOf(service);
  const taken = new Set(
    services.filter((other) => keyOf(other) !== key && isOurs(other)).flatMap(ingressIps),
  );
  const ofNodes = new Set(
    nodes.flatMap(({ status }) => (status?.addresses ?? []).map(({ address }) => address)),
  );
  const wanted = service.spec.loadBalancerIP ?? '';
  const isFree = (ip: string): boolean => !taken.has(ip) && !ofNodes.has(ip);
  const had = ingressIps(service).filter((ip) => pool.has(ip) && isFree(ip));
  const ips: string[] = [];
  for (const family of families(service)) {
    if (wanted !== '' && familyOf(wanted) === family) {
      if (!pool.has(wanted)) return { ips: [], problem: `the address ${wanted} is not in the pool` };
      if (taken.has(wanted)) return { ips: [], problem: `the address ${wanted} is another service's` };
      if (ofNodes.has(wanted)) return { ips: [], problem: `the address ${wanted} is a node's` };
      ips.push(wanted);
      continue;
    }
    const ip = had.find((one) => familyOf(one) === family) ?? pool.firstFree(family, isFree);
    if (ip === undefined) return { ips: [], problem: `no ${family} address is left in the pool` };
    ips.push(ip);
  }
  return { ips };
}

function nodeAddresses(view: LoadBalancerView): Found {
  const { service, services, nodes, slices, serverAddresses } = view;
  const reached = service.spec.externalTrafficPolicy === 'Local' ? nodesReached(slices) : undefined;
  const shown = new Set(ingressIps(service));
  const isServed = (node: Node): boolean => {
    if (reached === undefined) return true;
    const found = reached.get(node.metadata.name);
    // An address that clients know answers until what is behind it has ended: they would not learn of another in time.
    return (
      found === 'ready' ||
      (found === 'ending' && families(service).some((family) => shown.has(addressOf(node, family) ?? '')))
    );
  };
  const usable = nodes.filter((node) => isUsable(node) && isServed(node));
  const ips = shared(
    families(service).map((family) => usable.flatMap((node) => addressOf(node, family) ?? [])),
    maxNodeAddresses,
  );
  if (ips.length === 0) return { ips, problem: 'There are no available nodes for LoadBalancer' };
  for (const { port, protocol = 'TCP' } of service.spec.ports ?? []) {
    const owner = services.find((other) => isBefore(other, service) && hasPort(other, port, protocol));
    if (owner !== undefined)
      return {
        ips: [],
        problem: `port ${port}/${protocol} of the nodes is given to service ${keyOf(owner)}`,
      };
    const nodePort = services.find((other) =>
      other.spec.ports?.some((one) => one.nodePort === port && (one.protocol ?? 'TCP') === protocol),
    );
    if (nodePort !== undefined)
      return { ips: [], problem: `port ${port}/${protocol} is a node port of service ${keyOf(nodePort)}` };
    const own = usable.find(
      (node) =>
        protocol === 'TCP' &&
        (isNodesOwn(node, port, serverAddresses) ||
          // A service that was there before the first ingress keeps what it has.
          (ingressIps(service).length === 0 && ingressPorts.has(port) && servesIngress(node))),
    );
    if (own !== undefined)
      return { ips: [], problem: `port ${port}/${protocol} is used by node ${own.metadata.name} itself` };
  }
  return { ips };
}

/** At most so many in all, sorted, of each list the same share: no family goes without. */
export function shared(lists: readonly (readonly string[])[], most: number): string[] {
  const filled = lists.filter((list) => list.length > 0);
  return filled.flatMap((list) => [...list].sort().slice(0, Math.floor(most / filled.length))).sort();
}

/** Of two that want the same the older one has it. */
function isBefore(other: Service, service: Service): boolean {
  if (!isOurs(other) || keyOf(other) === keyOf(service)) return false;
  const [theirs = '', ours = ''] = [other.metadata.creationTimestamp, service.metadata.creationTimestamp];
  return theirs === ours ? keyOf(other) < keyOf(service) : theirs < ours;
}

const hasPort = ({ spec }: Service, port: number, protocol: string): boolean =>
  (spec.ports ?? []).some((one) => one.port === port && (one.protocol ?? 'TCP') === protocol);

function isNodesOwn(node: Node, port: number, serverAddresses: ReadonlySet<string>): boolean {
  if (port === proxyHealthPort || port === node.status?.daemonEndpoints?.kubeletEndpoint?.Port) return true;
  return (node.status?.addresses ?? []).some(({ address }) => serverAddresses.has(`${address} ${port}`));
}

/** Whether it says that it answers for ingresses. */
export const servesIngress = ({ metadata }: Node): boolean =>
  metadata.annotations?.[servesIngressAnnotation] === 'true';

/** As Kubernetes' service controller: ready, not excluded, not about to go. */
export function isUsable(node: Node): boolean {
  return (
    node.metadata.deletionTimestamp === undefined &&
    node.metadata.labels?.[excludeLabel] === undefined &&
    !(node.spec?.taints ?? []).some(({ key }) => key === autoscalerTaint) &&
    (node.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
  );
}

/** That for the outside, where there is one. */
export function addressOf({ status }: Node, family: 'IPv4' | 'IPv6'): string | undefined {
  const ofType = (type: string): string | undefined =>
    status?.addresses?.find((one) => one.type === type && familyOf(one.address) === family)?.address;
  return ofType('ExternalIP') ?? ofType('InternalIP');
}

/** Nodes with endpoints of a service, and whether one of them is ready or all that still serve are about to end. */
export function nodesReached(slices: readonly EndpointSlice[]): Map<string, 'ready' | 'ending'> {
  const found = new Map<string, 'ready' | 'ending'>();
  // null is how a slice without endpoints is told of.
  for (const { endpoints } of slices)
    for (const { nodeName, conditions } of endpoints ?? []) {
      if (nodeName === undefined) continue;
      if (conditions?.ready !== false) found.set(nodeName, 'ready');
      else if (conditions.serving && conditions.terminating && !found.has(nodeName))
        found.set(nodeName, 'ending');
    }
  return found;
}
