// Builders for the proxy's tests: services, slices, and rules over the model of nft.
import type { EndpointSlice, Service } from '../api/index.ts';
import type { Draft } from '../machinery/index.ts';
import { type Fate, NftModel, type Packet, type TraceOptions } from './nft-model.ts';
import type { NodeFacts } from './plan-service.ts';
import { type LocalAddress, Rules } from './rules.ts';

export interface EndpointParts {
  readonly address: string;
  /** Default n2: not this node. */
  readonly node?: string;
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
  readonly zones?: readonly string[];
  readonly nodes?: readonly string[];
}

export const thisNode: NodeFacts = {
  place: { nodeName: 'n1', zone: 'z1' },
  nodeIps: ['192.0.2.1', 'fd00:9::1'],
  podCidrs: ['10.244.0.0/16', 'fd01::/48'],
  families: ['ip', 'ip6'],
  protocols: ['tcp', 'udp', 'sctp'],
  dropInvalid: true,
};

export function buildService(
  name: string,
  spec: Partial<Service['spec']>,
  more: {
    readonly ips?: readonly string[];
    readonly modes?: readonly string[];
    readonly labels?: object;
  } = {},
): Service {
  const clusterIPs = spec.clusterIPs ?? [spec.clusterIP ?? '10.96.0.1'];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'ns', labels: more.labels ?? {} },
    spec: {
      type: 'ClusterIP',
      ports: [{ port: 80, protocol: 'TCP' }],
      clusterIP: clusterIPs[0],
      clusterIPs,
      ...spec,
    },
    status: {
      loadBalancer: {
        ingress: (more.ips ?? []).map((ip, i) => ({ ip, ipMode: more.modes?.[i] ?? 'VIP' })),
      },
    },
  } as Draft<Service> as Service;
}

export function buildSlice(
  service: string,
  endpoints: readonly (string | EndpointParts)[],
  ports: EndpointSlice['ports'] = [{ name: '', port: 8080, protocol: 'TCP' }],
): EndpointSlice {
  const parts = endpoints.map((one) => (typeof one === 'string' ? { address: one } : one));
  const isV6 = parts[0]?.address.includes(':') ?? false;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${service}-${isV6 ? 6 : 4}`,
      namespace: 'ns',
      labels: { 'kubernetes.io/service-name': service },
    },
    addressType: isV6 ? 'IPv6' : 'IPv4',
    ports,
    endpoints: parts.map((part) => ({
      addresses: [part.address],
      nodeName: part.node ?? 'n2',
      conditions: {
        ready: part.ready ?? true,
        serving: part.serving ?? part.ready ?? true,
        terminating: part.terminating ?? false,
      },
      hints: {
        ...(part.zones && { forZones: part.zones.map((zone) => ({ name: zone })) }),
        ...(part.nodes && { forNodes: part.nodes.map((node) => ({ name: node })) }),
      },
    })),
  } as Draft<EndpointSlice> as EndpointSlice;
}

export interface FixtureOptions {
  readonly localAddresses?: readonly LocalAddress[];
  readonly nodePortAddresses?: readonly string[] | undefined;
  readonly node?: Partial<NodeFacts>;
}

/** Rules and a kernel that has them. */
export class RulesFixture {
  readonly rules: Rules;
  readonly kernel = new NftModel();

  constructor(options: FixtureOptions = {}) {
    const node = { ...thisNode, ...options.node };
    this.rules = new Rules({
      node,
      localAddresses: options.localAddresses ?? [],
      nodePortAddresses: 'nodePortAddresses' in options ? options.nodePortAddresses : node.nodeIps,
    });
    this.kernel.apply(this.rules.takeReplacement());
  }

  /** Puts the service and brings the change to the kernel; returns the commands. */
  put(service: Service, ...slices: EndpointSlice[]): string {
    this.rules.put(`ns/${service.metadata.name}`, service, slices);
    const text = this.rules.takeChanges();
    this.kernel.apply(text);
    return text;
  }

  trace(packet: Partial<Packet>, options: Partial<TraceOptions> = {}): Fate {
    return this.kernel.trace(
      { source: '10.244.1.9', destination: '10.96.0.1', protocol: 'tcp', port: 80, ...packet },
      { nodeIps: thisNode.nodeIps, ...options },
    );
  }

  /** Where connections like this go, over all that chance may choose: `10.244.1.1:8080`, `… masqueraded`, `drop` or `reject`. */
  targets(packet: Partial<Packet>): string[] {
    const found = new Set<string>();
    let count = 1;
    for (let pick = 0; pick < count; pick++) {
      const fate = this.trace(packet, {
        pick: (modulus) => {
          count = Math.max(count, modulus);
          return pick % modulus;
        },
      });
      const host = fate.destination.includes(':') ? `[${fate.destination}]` : fate.destination;
      const masquerade = fate.masqueraded ? ' masqueraded' : '';
      found.add(fate.verdict === 'accept' ? `${host}:${fate.port}${masquerade}` : fate.verdict);
    }
    return [...found].sort();
  }
}
