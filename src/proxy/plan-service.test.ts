import { describe, expect, test } from 'vitest';
import type { Service } from '../api/index.ts';
import { keepOrder } from './plan-service.ts';
import { buildService, buildSlice, type EndpointParts, RulesFixture } from './proxy-fixture.ts';

const outside = '203.0.113.7';
const node = '192.0.2.1';
const two = ['10.244.1.1', '10.244.2.2'];
const here = { address: '10.244.1.1', node: 'n1' };
const there = { address: '10.244.2.2', node: 'n2' };

function targets(
  spec: Partial<Service['spec']>,
  endpoints: readonly (string | EndpointParts)[],
  packet: Parameters<RulesFixture['targets']>[0] = {},
  more: Parameters<typeof buildService>[2] = {},
): string[] {
  const fixture = new RulesFixture();
  fixture.put(buildService('a', spec, more), buildSlice('a', endpoints));
  return fixture.targets(packet);
}

describe('a cluster address', () => {
  const both = ['10.244.1.1:8080', '10.244.2.2:8080'];
  const masked = both.map((target) => `${target} masqueraded`);
  test.each([
    ['from a pod', {}, both],
    ['from the node', { source: node, own: true }, masked],
    ['from outside', { source: outside }, masked],
    ['another port', { port: 81 }, ['reject']],
    ['another protocol', { protocol: 'udp' as const }, ['reject']],
    ['another address', { destination: '10.96.0.2' }, ['10.96.0.2:80']],
  ])('%s', (_, packet, expected) => expect(targets({}, two, packet)).toEqual(expected));

  test('nobody serves', () => expect(targets({}, [])).toEqual(['reject']));
  test('a pod reaches itself through it under the address of its node', () =>
    expect(targets({}, [here], { source: here.address })).toEqual(['10.244.1.1:8080 masqueraded']));
  test('an endpoint on the node’s own network needs no such thing', () =>
    expect(targets({}, [{ address: node, node: 'n1' }], { source: '10.244.1.9' })).toEqual([`${node}:8080`]));

  test.each([
    ['own endpoints only', [here, there], ['10.244.1.1:8080']],
    ['nobody here: dropped', [there], ['drop']],
    ['nobody anywhere: refused', [], ['reject']],
  ])('internal policy Local: %s', (_, endpoints, expected) =>
    expect(targets({ internalTrafficPolicy: 'Local' }, endpoints)).toEqual(expected),
  );
});

describe('which endpoints', () => {
  const ending = { ready: false, serving: true, terminating: true };
  test.each<[string, EndpointParts[], string[]]>([
    ['ready ones', [here, { ...there, ready: false }], ['10.244.1.1:8080']],
    ['no ready one: those that still serve', [{ ...here, ...ending }], ['10.244.1.1:8080']],
    ['a ready one: not those that end', [{ ...here, ...ending }, there], ['10.244.2.2:8080']],
    ['ending and no longer serving', [{ ...here, ...ending, serving: false }], ['reject']],
    [
      'of the zone',
      [
        { ...here, zones: ['z1'] },
        { ...there, zones: ['z2'] },
      ],
      ['10.244.1.1:8080'],
    ],
    ['one without a hint: all', [{ ...here, zones: ['z1'] }, there], ['10.244.1.1:8080', '10.244.2.2:8080']],
    ['no hint for this zone: all', [{ ...there, zones: ['z2'] }], ['10.244.2.2:8080']],
    [
      'of the node, before those of the zone',
      [
        { ...here, zones: ['z1'], nodes: ['n1'] },
        { ...there, zones: ['z1'], nodes: ['n2'] },
      ],
      ['10.244.1.1:8080'],
    ],
    [
      'none for this node: of the zone',
      [
        { ...here, zones: ['z2'], nodes: ['n3'] },
        { ...there, zones: ['z1'], nodes: ['n2'] },
      ],
      ['10.244.2.2:8080'],
    ],
  ])('%s', (_, endpoints, expected) => expect(targets({}, endpoints)).toEqual(expected));

  test('by the name of the port, each slice with its own number; once, though in two slices', () => {
    const fixture = new RulesFixture();
    const ports = [
      { name: 'web', port: 80, protocol: 'TCP' },
      { name: 'admin', port: 9000, protocol: 'TCP' },
    ];
    fixture.put(
      buildService('a', { ports }),
      buildSlice('a', ['10.244.1.1'], [{ name: 'web', port: 8080, protocol: 'TCP' }]),
      buildSlice(
        'a',
        ['10.244.1.1', '10.244.2.2'],
        [
          { name: 'web', port: 8081, protocol: 'TCP' },
          { name: 'admin', port: 1, protocol: 'TCP' },
        ],
      ),
      buildSlice('a', ['10.244.2.2'], [{ name: 'admin', port: 1, protocol: 'TCP' }]),
    );
    expect(fixture.targets({})).toEqual(['10.244.1.1:8080', '10.244.1.1:8081', '10.244.2.2:8081']);
    expect(fixture.targets({ port: 9000 })).toEqual(['10.244.1.1:1', '10.244.2.2:1']);
  });
});

describe('from outside', () => {
  const nodePort = { type: 'NodePort', ports: [{ port: 80, protocol: 'TCP', nodePort: 30001 }] };
  const masked = ['10.244.1.1:8080 masqueraded', '10.244.2.2:8080 masqueraded'];
  const toNodePort = { source: outside, destination: node, port: 30001 };
  const external = { externalIPs: ['198.51.100.1'] };
  const toExternal = { source: outside, destination: '198.51.100.1' };
  const balanced = { ...nodePort, type: 'LoadBalancer' };
  const toBalancer = { source: outside, destination: '198.51.100.2' };
  const balancer = { ips: ['198.51.100.2'] };
  const ranges = { ...balanced, loadBalancerSourceRanges: ['203.0.113.0/24', ' 192.0.2.0/24 '] };
  const local = { externalTrafficPolicy: 'Local' };

  test.each<[string, Partial<Service['spec']>, Parameters<RulesFixture['targets']>[0], string[], object?]>([
    ['a node port', nodePort, toNodePort, masked],
    ['a node port from a pod', nodePort, { ...toNodePort, source: '10.244.9.9' }, masked],
    ['a node port from the node', nodePort, { ...toNodePort, source: node, own: true }, masked],
    [
      'a node port at another node',
      nodePort,
      { ...toNodePort, destination: '192.0.2.2' },
      ['192.0.2.2:30001'],
    ],
    [
      'a node port at loopback is not served',
      nodePort,
      { ...toNodePort, destination: '127.0.0.1' },
      ['127.0.0.1:30001'],
    ],
    ['its cluster address', nodePort, {}, ['10.244.1.1:8080', '10.244.2.2:8080']],
    ['an external address', external, toExternal, masked],
    ['a load balancer’s address', balanced, toBalancer, masked, balancer],
    [
      'one that only stands before the nodes',
      balanced,
      toBalancer,
      ['198.51.100.2:80'],
      { ...balancer, modes: ['Proxy'] },
    ],
    ['source ranges: one of them', ranges, toBalancer, masked, balancer],
    ['source ranges: none of them', ranges, { ...toBalancer, source: '8.8.8.8' }, ['drop'], balancer],
    ['source ranges: the node', ranges, { ...toBalancer, source: node, own: true }, masked, balancer],
    [
      'source ranges do not hold for node ports',
      ranges,
      { ...toNodePort, source: '8.8.8.8' },
      masked,
      balancer,
    ],
    ['Local keeps the client’s address', { ...nodePort, ...local }, toNodePort, ['10.244.1.1:8080']],
    ['Local, external address', { ...external, ...local }, toExternal, ['10.244.1.1:8080']],
    ['Local, load balancer', { ...balanced, ...local }, toBalancer, ['10.244.1.1:8080'], balancer],
    [
      'Local, from a pod: everywhere',
      { ...nodePort, ...local },
      { ...toNodePort, source: '10.244.9.9' },
      ['10.244.1.1:8080', '10.244.2.2:8080'],
    ],
    [
      'Local, from the node: everywhere',
      { ...nodePort, ...local },
      { ...toNodePort, source: node, own: true },
      masked,
    ],
  ])('%s', (_, spec, packet, expected, more) =>
    expect(targets(spec, [here, there], packet, more)).toEqual(expected),
  );

  test.each<[string, EndpointParts[], Parameters<RulesFixture['targets']>[0], string[]]>([
    ['nobody here', [there], toNodePort, ['drop']],
    [
      'nobody here, from the node',
      [there],
      { ...toNodePort, source: node, own: true },
      ['10.244.2.2:8080 masqueraded'],
    ],
    ['nobody here, from a pod', [there], { ...toNodePort, source: '10.244.9.9' }, ['10.244.2.2:8080']],
    ['nobody anywhere', [], toNodePort, ['reject']],
  ])('Local, %s', (_, endpoints, packet, expected) =>
    expect(targets({ ...nodePort, ...local }, endpoints, packet)).toEqual(expected),
  );

  test('nobody serves: refused at every way in', () => {
    const spec = { ...balanced, externalIPs: ['198.51.100.1'] };
    for (const packet of [toNodePort, toExternal, toBalancer, {}])
      expect(targets(spec, [], packet, balancer)).toEqual(['reject']);
  });

  test('node ports answer at the addresses that were chosen, or at each', () => {
    const chosen = new RulesFixture({ nodePortAddresses: ['192.0.2.99'] });
    const each = new RulesFixture({ nodePortAddresses: undefined });
    for (const fixture of [chosen, each]) fixture.put(buildService('a', nodePort), buildSlice('a', [here]));
    expect(chosen.targets(toNodePort)).toEqual([`${node}:30001`]);
    expect(chosen.targets({ ...toNodePort, destination: '192.0.2.99' })).toEqual([
      '10.244.1.1:8080 masqueraded',
    ]);
    expect(each.targets(toNodePort)).toEqual(['10.244.1.1:8080 masqueraded']);
  });
});

describe('session affinity', () => {
  const sticky = {
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
  };
  test('a client stays with its endpoint; others are dealt out', () => {
    const fixture = new RulesFixture();
    fixture.put(buildService('a', sticky), buildSlice('a', two));
    const first = (source: string, pick: number) =>
      fixture.trace({ source }, { pick: () => pick }).destination;
    expect([
      first('10.244.1.7', 1),
      first('10.244.1.7', 0),
      first('10.244.1.8', 0),
      first('10.244.1.8', 1),
    ]).toEqual(['10.244.2.2', '10.244.2.2', '10.244.1.1', '10.244.1.1']);
    // The endpoint goes, and with it what was remembered of it.
    fixture.put(buildService('a', sticky), buildSlice('a', ['10.244.1.1']));
    expect(first('10.244.1.7', 0)).toBe('10.244.1.1');
  });

  test('through a node port too, and the time can change', () => {
    const spec = { ...sticky, type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] };
    const fixture = new RulesFixture();
    fixture.put(buildService('a', spec), buildSlice('a', two));
    const packet = { source: outside, destination: node, port: 30001 };
    expect(fixture.trace(packet, { pick: () => 1 })).toMatchObject({
      destination: '10.244.2.2',
      masqueraded: true,
    });
    expect(fixture.trace(packet, { pick: () => 0 })).toMatchObject({ destination: '10.244.2.2' });
    const text = fixture.put(
      buildService('a', { ...spec, sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } }),
      buildSlice('a', two),
    );
    expect(text).toContain(
      'add set ip jotasu-proxy affinity-5-ns/a/tcp/80_10.244.1.1/8080 { type ipv4_addr ; flags dynamic,timeout ; timeout 5s ; }',
    );
  });
});

describe('families', () => {
  test('each has its own addresses and endpoints', () => {
    const fixture = new RulesFixture();
    fixture.put(
      buildService('a', { clusterIPs: ['10.96.0.1', 'fd02::1'] }),
      buildSlice('a', ['10.244.1.1']),
      buildSlice('a', ['fd01::5']),
    );
    expect(fixture.targets({})).toEqual(['10.244.1.1:8080']);
    expect(fixture.targets({ source: 'fd01::9', destination: 'fd02::1' })).toEqual(['[fd01::5]:8080']);
    expect(fixture.targets({ source: '2001:db8::9', destination: 'fd02::1' })).toEqual([
      '[fd01::5]:8080 masqueraded',
    ]);
  });

  test('what it lacks an address of, it has no node port of', () => {
    const fixture = new RulesFixture();
    fixture.put(buildService('a', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] }));
    expect(fixture.kernel.elements('ip6', 'no-endpoint-nodeports').size).toBe(0);
    expect(fixture.kernel.elements('ip', 'no-endpoint-nodeports').size).toBe(1);
  });
});

test.each<[string, Partial<Service['spec']>, object]>([
  ['headless', { clusterIP: 'None', clusterIPs: ['None'] }, {}],
  ['ExternalName', { type: 'ExternalName', externalName: 'x' }, {}],
  ['another proxy’s', {}, { 'service.kubernetes.io/service-proxy-name': 'other' }],
  ['said to be headless', {}, { 'service.kubernetes.io/headless': '' }],
])('no rules: %s', (_, spec, labels) => {
  const fixture = new RulesFixture();
  expect(fixture.put(buildService('a', spec, { labels }), buildSlice('a', two))).toBe('');
});

test('what the node answers itself is left alone, and what else has that address is not', () => {
  const fixture = new RulesFixture({ localAddresses: [{ address: '10.96.0.1', port: 53, protocol: 'udp' }] });
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'metrics', port: 9153, protocol: 'TCP' },
  ];
  fixture.put(
    buildService('a', { ports }),
    buildSlice('a', two, [{ name: 'metrics', port: 9153, protocol: 'TCP' }]),
  );
  expect(fixture.targets({ protocol: 'udp', port: 53 })).toEqual(['10.96.0.1:53']);
  expect(fixture.targets({ protocol: 'tcp', port: 9153 })).toEqual(['10.244.1.1:9153', '10.244.2.2:9153']);
});

test('protocols that the kernel lacks are left out', () => {
  const fixture = new RulesFixture({ node: { protocols: ['tcp', 'udp'] } });
  const ports = [{ name: 's', port: 80, protocol: 'SCTP' }];
  expect(fixture.put(buildService('a', { ports }), buildSlice('a', two, ports))).toBe('');
  const whole = new RulesFixture();
  whole.put(buildService('a', { ports }), buildSlice('a', two, ports));
  expect(whole.targets({ protocol: 'sctp' })).toEqual(['10.244.1.1:80', '10.244.2.2:80']);
});

test('one that goes moves one other; one that takes its place moves none', () => {
  expect(keepOrder(['a', 'b', 'c', 'd'], ['a', 'c', 'd'])).toEqual(['a', 'd', 'c']);
  expect(keepOrder(['a', 'b', 'c'], ['a', 'c', 'x'])).toEqual(['a', 'x', 'c']);
  expect(keepOrder(['a'], ['b', 'c', 'a', 'a'])).toEqual(['a', 'b', 'c']);
  expect(keepOrder(['a', 'b'], [])).toEqual([]);
});
