import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Node, Service } from '../../api/index.ts';
import { AddressPool } from './address-pool.ts';
import { ingressIps, planLoadBalancer, shared } from './plan.ts';

function balancer(name: string, spec: Partial<Service['spec']> = {}, ips: readonly string[] = []): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'ns', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { type: 'LoadBalancer', ipFamilies: ['IPv4'], ports: [{ port: 80, protocol: 'TCP' }], ...spec },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip, ipMode: 'VIP' })) } },
  } as unknown as Service;
}

interface NodeParts {
  readonly ready?: boolean;
  readonly labels?: Record<string, string>;
  readonly taints?: readonly string[];
  readonly external?: string;
}

function node(name: string, address: string, parts: NodeParts = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: parts.labels ?? {} },
    spec: { taints: (parts.taints ?? []).map((key) => ({ key, effect: 'NoSchedule' })) },
    status: {
      addresses: [
        { type: 'InternalIP', address },
        ...(parts.external === undefined ? [] : [{ type: 'ExternalIP', address: parts.external }]),
      ],
      conditions: [{ type: 'Ready', status: parts.ready === false ? 'Unknown' : 'True' }],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    },
  } as unknown as Node;
}

const nodes = [node('n1', '10.0.0.1'), node('n2', '10.0.0.2')];
const slice = (...at: string[]): EndpointSlice =>
  ({ endpoints: at.map((nodeName) => ({ addresses: ['x'], nodeName })) }) as unknown as EndpointSlice;
const ending = (nodeName: string, serving: boolean): EndpointSlice =>
  ({
    endpoints: [{ addresses: ['x'], nodeName, conditions: { ready: false, serving, terminating: true } }],
  }) as unknown as EndpointSlice;

interface ViewParts {
  readonly others?: readonly Service[];
  readonly nodes?: readonly Node[];
  readonly slices?: readonly EndpointSlice[];
  readonly pool?: readonly string[];
}

const plan = (service: Service, parts: ViewParts = {}) =>
  planLoadBalancer({
    service,
    services: [service, ...(parts.others ?? [])],
    nodes: parts.nodes ?? nodes,
    slices: parts.slices ?? [],
    pool: new AddressPool(parts.pool ?? []),
    serverAddresses: new Set(['10.0.0.1 6443']),
  });
const set = (...ips: string[]) => ({ action: 'set', ips });
const problem = (text: string) => ({ action: 'set', ips: [], problem: text });
const nothing = { action: 'none' };

const serving = (one: Node): Node => ({
  ...one,
  metadata: { ...one.metadata, annotations: { 'ingress.jotasu.dev/serves': 'true' } },
});

describe('addresses of the nodes', () => {
  const other = balancer('a');
  const later = (spec: Partial<Service['spec']> = {}) => balancer('b', spec);
  test.each<[string, Service, ViewParts, object]>([
    ['each', balancer('a'), {}, set('10.0.0.1', '10.0.0.2')],
    ['as it is', balancer('a', {}, ['10.0.0.1', '10.0.0.2']), {}, nothing],
    ['a node went', balancer('a', {}, ['10.0.0.1', '10.0.0.2']), { nodes: [nodes[0]!] }, set('10.0.0.1')],
    ['another class', balancer('a', { loadBalancerClass: 'x/y' }), {}, nothing],
    ['no longer a load balancer', balancer('a', { type: 'NodePort' }, ['10.0.0.1']), {}, set()],
    ['never one', balancer('a', { type: 'NodePort' }), {}, nothing],
    [
      'those for the outside',
      balancer('a'),
      { nodes: [node('n', '10.0.0.1', { external: '192.0.2.1' })] },
      set('192.0.2.1'),
    ],
    [
      'not silent ones',
      balancer('a'),
      { nodes: [nodes[0]!, node('n2', '10.0.0.2', { ready: false })] },
      set('10.0.0.1'),
    ],
    [
      'not excluded ones',
      balancer('a'),
      {
        nodes: [
          node('n', '10.0.0.9', {
            labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' },
          }),
          nodes[0]!,
        ],
      },
      set('10.0.0.1'),
    ],
    [
      'not those about to go',
      balancer('a'),
      { nodes: [node('n', '10.0.0.9', { taints: ['ToBeDeletedByClusterAutoscaler'] })] },
      problem('There are no available nodes for LoadBalancer'),
    ],
    [
      'Local: those with endpoints',
      balancer('a', { externalTrafficPolicy: 'Local' }),
      { slices: [slice('n2')] },
      set('10.0.0.2'),
    ],
    [
      'Local: an address stays while what is behind it ends, beside that of its successor',
      balancer('a', { externalTrafficPolicy: 'Local' }, ['10.0.0.1']),
      { slices: [ending('n1', true), slice('n2')] },
      set('10.0.0.1', '10.0.0.2'),
    ],
    [
      'Local: an address goes with what no longer serves',
      balancer('a', { externalTrafficPolicy: 'Local' }, ['10.0.0.1']),
      { slices: [ending('n1', false), slice('n2')] },
      set('10.0.0.2'),
    ],
    [
      'Local: what ends is no reason for a new address',
      balancer('a', { externalTrafficPolicy: 'Local' }),
      { slices: [ending('n1', true)] },
      problem('There are no available nodes for LoadBalancer'),
    ],
    [
      'Local: a slice that tells of no list of endpoints',
      balancer('a', { externalTrafficPolicy: 'Local' }),
      { slices: [{ ...slice('n2'), endpoints: null as unknown as EndpointSlice['endpoints'] }] },
      problem('There are no available nodes for LoadBalancer'),
    ],
    [
      'the other family',
      balancer('a', { ipFamilies: ['IPv6'] }),
      {},
      problem('There are no available nodes for LoadBalancer'),
    ],
    [
      'a port that an older one has',
      later(),
      { others: [other] },
      problem('port 80/TCP of the nodes is given to service ns/a'),
    ],
    ['the older one keeps it', other, { others: [later()] }, set('10.0.0.1', '10.0.0.2')],
    [
      'the same port of UDP',
      later({ ports: [{ port: 80, protocol: 'UDP' }] }),
      { others: [other] },
      set('10.0.0.1', '10.0.0.2'),
    ],
    [
      'a port of the node agent',
      balancer('a', { ports: [{ port: 10250, protocol: 'TCP' }] }),
      {},
      problem('port 10250/TCP is used by node n1 itself'),
    ],
    [
      'a port of ingresses',
      balancer('a'),
      { nodes: [serving(nodes[0]!)] },
      problem('port 80/TCP is used by node n1 itself'),
    ],
    ['which it had before them', balancer('a', {}, ['10.0.0.1']), { nodes: [serving(nodes[0]!)] }, nothing],
    [
      'a port of the server',
      balancer('a', { ports: [{ port: 6443, protocol: 'TCP' }] }),
      {},
      problem('port 6443/TCP is used by node n1 itself'),
    ],
    [
      'a node port',
      balancer('a', { ports: [{ port: 30001, protocol: 'TCP' }] }),
      {
        others: [
          balancer('b', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001, protocol: 'TCP' }] }),
        ],
      },
      problem('port 30001/TCP is a node port of service ns/b'),
    ],
  ])('%s', (_, service, parts, expected) => expect(plan(service, parts)).toEqual(expected));
});

describe('a pool', () => {
  const pool = ['192.0.2.10-192.0.2.11', '2001:db8::/127'];
  const first = balancer('a', {}, ['192.0.2.10']);
  test.each<[string, Service, ViewParts, object]>([
    ['the first free address', balancer('b'), { others: [first] }, set('192.0.2.11')],
    ['the same port needs no other', first, { others: [balancer('b')] }, nothing],
    [
      'one of each family',
      balancer('b', { ipFamilies: ['IPv6', 'IPv4'] }),
      {},
      set('2001:db8::', '192.0.2.10'),
    ],
    [
      'none left',
      balancer('c'),
      { others: [first, balancer('b', {}, ['192.0.2.11'])] },
      problem('no IPv4 address is left in the pool'),
    ],
    ['the one asked for', balancer('b', { loadBalancerIP: '192.0.2.11' }), {}, set('192.0.2.11')],
    [
      'asked for and taken',
      balancer('b', { loadBalancerIP: '192.0.2.10' }),
      { others: [first] },
      problem("the address 192.0.2.10 is another service's"),
    ],
    [
      'asked for and not in the pool',
      balancer('b', { loadBalancerIP: '8.8.8.8' }),
      {},
      problem('the address 8.8.8.8 is not in the pool'),
    ],
    ['what it had is kept', balancer('b', {}, ['192.0.2.11']), {}, nothing],
    [
      'addresses of nodes are left out',
      balancer('b'),
      { nodes: [node('n1', '192.0.2.10')] },
      set('192.0.2.11'),
    ],
    [
      'one of a node, asked for',
      balancer('b', { loadBalancerIP: '192.0.2.10' }),
      { nodes: [node('n1', '192.0.2.10')] },
      problem("the address 192.0.2.10 is a node's"),
    ],
    ['unless it left the pool', balancer('b', {}, ['10.0.0.1']), {}, set('192.0.2.10')],
    [
      'another class’s addresses are not counted',
      balancer('b'),
      { others: [balancer('x', { loadBalancerClass: 'c' }, ['192.0.2.10'])] },
      set('192.0.2.10'),
    ],
  ])('%s', (_, service, parts, expected) => expect(plan(service, { ...parts, pool })).toEqual(expected));

  test('no two services get one address, in whatever order they come and go', () => {
    const change = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), gone: fc.boolean() });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const services = new Map<string, Service>();
        for (const { name, gone } of changes) {
          if (gone) services.delete(name);
          else if (!services.has(name)) services.set(name, balancer(name));
          for (const [key, service] of services) {
            const others = [...services.values()].filter((one) => one !== service);
            const result = plan(service, { others, pool: ['192.0.2.10-192.0.2.12'] });
            if (result.action === 'set') services.set(key, balancer(key, {}, result.ips));
          }
          const given = [...services.values()].flatMap(ingressIps);
          expect(new Set(given).size).toBe(given.length);
          expect(given.length).toBe(Math.min(3, services.size));
        }
      }),
    );
  });

  test.each(['x', '10.0.0.1-', '10.0.0.1-10.0.0.2-10.0.0.3', '10.0.0.2-10.0.0.1', '10.0.0.1-fd00::1'])(
    '%s is no range',
    (text) => expect(() => new AddressPool([text])).toThrow(text),
  );
});

test.each<[string, readonly (readonly string[])[], string[]]>([
  ['one family has all of it', [['b', 'a', 'c', 'd', 'e']], ['a', 'b', 'c', 'd']],
  [
    'two have half of it each',
    [
      ['3', '1', '2'],
      ['z', 'x', 'y'],
    ],
    ['1', '2', 'x', 'y'],
  ],
  ['one without addresses takes nothing', [['3', '1', '2'], []], ['1', '2', '3']],
  ['nothing of nothing', [[], []], []],
])('addresses of which there are too many: %s', (_, lists, want) => expect(shared(lists, 4)).toEqual(want));
