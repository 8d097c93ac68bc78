// For tests of network policies: worlds of pods, namespaces and policies, made by hand or by chance; and the reference, an evaluator
// written from the words of the API alone, which shares no code with the plan.
import { BlockList, isIPv6 } from 'node:net';
import fc from 'fast-check';
import type { NetworkPolicy, Pod } from '../api/index.ts';
import type { Draft, Labels } from '../machinery/index.ts';

export interface PolicyPodParts {
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Labels;
  readonly ips: readonly string[];
  readonly node?: string;
  readonly hostNetwork?: boolean;
  readonly phase?: string;
  /** By name: number and protocol. */
  readonly ports?: readonly { readonly name: string; readonly port: number; readonly protocol?: string }[];
}

export interface PolicyWorld {
  readonly namespaces: Readonly<Record<string, Labels>>;
  readonly pods: readonly PolicyPodParts[];
  readonly policies: readonly NetworkPolicy[];
}

export interface ConnectionAttempt {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
}

/** Of every world's nodes. */
export const policyNodeAddresses: Readonly<Record<string, string>> = { n1: '192.0.2.1', n2: '192.0.2.2' };

export function buildPolicyPod(parts: PolicyPodParts): Pod {
  const {
    name,
    namespace,
    labels = {},
    ips,
    node = 'n1',
    hostNetwork,
    phase = 'Running',
    ports = [],
  } = parts;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: {
      nodeName: node,
      ...(hostNetwork === true && { hostNetwork }),
      containers: [
        {
          name: 'c',
          image: 'i',
          ports: ports.map((one) => ({
            name: one.name,
            containerPort: one.port,
            protocol: one.protocol ?? 'TCP',
          })),
        },
      ],
    },
    status: { phase, podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) },
  } as Draft<Pod> as Pod;
}

export const buildPolicy = (
  name: string,
  spec: Draft<NetworkPolicy>['spec'],
  namespace = 'ns',
): NetworkPolicy =>
  ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec,
  }) as NetworkPolicy;

type Spec = NetworkPolicy['spec'];
type Rule = NonNullable<Spec['egress']>[number];
type Selector = NonNullable<Spec['podSelector']>;

const selectorMatches = ({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    if (operator === 'In') return value !== undefined && values.includes(value);
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    return operator === 'Exists' ? value !== undefined : value === undefined;
  });

function blockHas(cidr: string, ip: string): boolean {
  const [network = '', length] = cidr.split('/');
  if (isIPv6(network) !== isIPv6(ip)) return false;
  const list = new BlockList();
  const family = isIPv6(ip) ? 'ipv6' : 'ipv4';
  list.addSubnet(network, Number(length), family);
  return list.check(ip, family);
}

/** Whether the policies of a world let a new connection pass. */
export function referenceAllows(world: PolicyWorld, attempt: ConnectionAttempt): boolean {
  const podAt = (ip: string): PolicyPodParts | undefined =>
    world.pods.find(
      ({ ips, hostNetwork, phase = 'Running' }) =>
        hostNetwork !== true && phase !== 'Succeeded' && phase !== 'Failed' && ips.includes(ip),
    );
  const { source, destination } = attempt;
  if (source === destination) return true;
  const target = podAt(destination);
  // A pod and the node it runs on.
  if (nodeOf(podAt(source)) === destination || nodeOf(target) === source) return true;

  const ruleAllows = (
    ports: Rule['ports'],
    peers: Rule['to'],
    policy: NetworkPolicy,
    other: string,
  ): boolean => {
    const portMatches = (ports ?? []).some(({ protocol = 'TCP', port, endPort }) => {
      if (protocol.toLowerCase() !== attempt.protocol) return false;
      if (port === undefined) return true;
      if (typeof port === 'number') return attempt.port >= port && attempt.port <= (endPort ?? port);
      return (target?.ports ?? []).some(
        (named) =>
          named.name === port && named.port === attempt.port && (named.protocol ?? 'TCP') === protocol,
      );
    });
    if ((ports ?? []).length > 0 && !portMatches) return false;
    if ((peers ?? []).length === 0) return true;
    const pod = podAt(other);
    return (peers ?? []).some(({ ipBlock, podSelector, namespaceSelector }) => {
      if (ipBlock !== undefined)
        return blockHas(ipBlock.cidr, other) && !(ipBlock.except ?? []).some((cidr) => blockHas(cidr, other));
      if (pod === undefined) return false;
      const inNamespace =
        namespaceSelector === undefined
          ? pod.namespace === policy.metadata.namespace
          : selectorMatches(namespaceSelector, world.namespaces[pod.namespace] ?? {});
      return inNamespace && selectorMatches(podSelector ?? {}, pod.labels ?? {});
    });
  };

  const passes = (pod: PolicyPodParts | undefined, type: 'Ingress' | 'Egress', other: string): boolean => {
    if (pod === undefined) return true;
    const isolating = world.policies.filter(({ metadata, spec }) => {
      const types =
        (spec.policyTypes ?? []).length > 0
          ? spec.policyTypes!
          : ['Ingress', ...((spec.egress ?? []).length > 0 ? ['Egress'] : [])];
      return (
        types.includes(type) &&
        metadata.namespace === pod.namespace &&
        selectorMatches(spec.podSelector ?? {}, pod.labels ?? {})
      );
    });
    if (isolating.length === 0) return true;
    return isolating.some((policy) =>
      type === 'Ingress'
        ? (policy.spec.ingress ?? []).some(({ from, ports }) => ruleAllows(ports, from, policy, other))
        : (policy.spec.egress ?? []).some(({ to, ports }) => ruleAllows(ports, to, policy, other)),
    );
  };
  return passes(podAt(source), 'Egress', destination) && passes(target, 'Ingress', source);
}

const nodeOf = (pod: PolicyPodParts | undefined): string | undefined =>
  pod === undefined ? undefined : policyNodeAddresses[pod.node ?? 'n1'];

/** Namespaces of generated worlds. */
export const policyNamespaces = ['red', 'green', 'blue'] as const;
/** Outside of the cluster: the second is what blocks with an exception leave out. */
export const policyStrangers = ['203.0.113.9', '203.0.113.200', 'fd00:9::9'] as const;

const arbitraryLabels = fc.record(
  { app: fc.constantFrom('web', 'db'), tier: fc.constantFrom('front', 'back') },
  { requiredKeys: [] },
) as fc.Arbitrary<Labels>;

const arbitraryNamespaceLabels = fc.record(
  { team: fc.constantFrom('a', 'b'), open: fc.constant('yes') },
  { requiredKeys: [] },
) as fc.Arbitrary<Labels>;

const arbitrarySelector = (values: Readonly<Record<string, readonly string[]>>): fc.Arbitrary<Selector> => {
  const keys = Object.keys(values);
  const ofKey = <T>(make: (key: string, own: readonly string[]) => fc.Arbitrary<T>): fc.Arbitrary<T> =>
    fc.constantFrom(...keys).chain((key) => make(key, values[key]!));
  return fc.oneof(
    fc.constant({}),
    ofKey((key, own) => fc.constantFrom(...own).map((value) => ({ matchLabels: { [key]: value } }))),
    ofKey((key, own) =>
      fc.record({
        matchExpressions: fc
          .constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist')
          .map((operator) => [{ key, operator, ...(operator.endsWith('In') && { values: [own[0]!] }) }]),
      }),
    ),
  );
};

const podSelector = arbitrarySelector({ app: ['web', 'db'], tier: ['front', 'back'] });
const namespaceSelector = arbitrarySelector({ team: ['a', 'b'], open: ['yes'] });

const arbitraryPeer = fc.oneof(
  podSelector.map((pods) => ({ podSelector: pods })),
  namespaceSelector.map((namespaces) => ({ namespaceSelector: namespaces })),
  fc.record({ podSelector, namespaceSelector }),
  fc
    .constantFrom(
      { cidr: '0.0.0.0/0' },
      { cidr: '203.0.113.0/24', except: ['203.0.113.128/25'] },
      { cidr: '10.244.0.0/16', except: ['10.244.1.0/25', '10.244.2.2/32'] },
      { cidr: '10.244.2.0/24' },
      { cidr: 'fd01::/16', except: ['fd01:0:0:1::/64'] },
      { cidr: '::/0' },
    )
    .map((ipBlock) => ({ ipBlock })),
);

const arbitraryPort = fc.constantFrom(
  {},
  { protocol: 'UDP' },
  { port: 8080, protocol: 'TCP' },
  { port: 8080, protocol: 'UDP' },
  { port: 8080, protocol: 'SCTP' },
  { port: 8080, endPort: 8081, protocol: 'TCP' },
  { port: 8081, endPort: 9000, protocol: 'TCP' },
  { port: 'http', protocol: 'TCP' },
  { port: 'http' },
);

const arbitraryRule = fc.record(
  { to: fc.array(arbitraryPeer, { maxLength: 3 }), ports: fc.array(arbitraryPort, { maxLength: 3 }) },
  { requiredKeys: [] },
) as fc.Arbitrary<Rule>;

const arbitrarySpec = fc.record(
  {
    podSelector,
    ingress: fc.array(
      arbitraryRule.map(({ to, ports }) => ({ ...(to && { from: to }), ...(ports && { ports }) })),
      { maxLength: 2 },
    ),
    egress: fc.array(arbitraryRule, { maxLength: 2 }),
    policyTypes: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
  },
  { requiredKeys: ['podSelector'] },
) as fc.Arbitrary<Spec>;

/** The policy of a name below `count`. */
export const arbitraryPolicy = (count: number): fc.Arbitrary<NetworkPolicy> =>
  fc
    .tuple(fc.nat(count - 1), fc.constantFrom(...policyNamespaces), arbitrarySpec)
    .map(([i, namespace, spec]) => buildPolicy(`policy-${i}`, spec, namespace));

export const arbitraryPolicyNamespaces = fc.record(
  Object.fromEntries(policyNamespaces.map((name) => [name, arbitraryNamespaceLabels])),
) as fc.Arbitrary<Readonly<Record<string, Labels>>>;

/** What may differ in the pod of a number; addresses, node and namespace follow from the number. */
export const arbitraryPolicyPod = (i: number): fc.Arbitrary<PolicyPodParts> =>
  fc
    .record({
      labels: arbitraryLabels,
      phase: fc.constantFrom('Running', 'Running', 'Running', 'Pending', 'Succeeded'),
      hostNetwork: fc.constantFrom(false, false, false, false, true),
      httpPort: fc.constantFrom(undefined, 8080, 8081),
    })
    .map(({ labels, phase, hostNetwork, httpPort }) => {
      const node = (i % 2) + 1;
      return {
        name: `pod-${i}`,
        namespace: policyNamespaces[i % policyNamespaces.length]!,
        node: `n${node}`,
        labels,
        phase,
        hostNetwork,
        ips: hostNetwork
          ? [policyNodeAddresses[`n${node}`]!]
          : [`10.244.${node}.${i * 40 + 2}`, `fd01:0:0:${node}::${i + 2}`],
        ports: httpPort === undefined ? [] : [{ name: 'http', port: httpPort }],
      };
    });

export const arbitraryPolicyWorld = (options: { readonly pods: number; readonly policies: number }) =>
  fc.record({
    namespaces: arbitraryPolicyNamespaces,
    pods: fc.tuple(...Array.from({ length: options.pods }, (_, i) => arbitraryPolicyPod(i))),
    policies: fc.uniqueArray(arbitraryPolicy(options.policies), {
      minLength: 1,
      maxLength: options.policies,
      selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}`,
    }),
  }) as fc.Arbitrary<PolicyWorld>;

/** What is tried in a world: everybody to everybody, on the ports that policies tell apart. */
export function attemptsOf({ pods }: PolicyWorld): ConnectionAttempt[] {
  const services = [
    ['tcp', 8080],
    ['tcp', 8081],
    ['udp', 8080],
    ['sctp', 8080],
  ] as const;
  const addresses = [...new Set([...pods.flatMap(({ ips }) => ips), ...policyStrangers])];
  return addresses.flatMap((source) =>
    addresses
      .filter((destination) => destination.includes(':') === source.includes(':'))
      .flatMap((destination) =>
        services.map(([protocol, port]) => ({ source, destination, protocol, port })),
      ),
  );
}
