import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Node } from '../api/index.ts';
import { buildNode } from '../testkit/index.ts';
import { planRouteChanges, planRoutes } from './network.ts';
import {
  type Peer,
  peerOf,
  planAnnotations,
  planDevice,
  planTables,
  type TunnelTables,
  tunnelMac,
} from './network-vxlan.ts';

const nodeOf = (name: string, number: number, more: Partial<Node['metadata']> = {}): Node => {
  const nodeIp = `192.0.2.${number}`;
  const annotations = planAnnotations({ nodeName: name, nodeIp }) as Record<string, string>;
  const node = buildNode(name, { meta: { annotations, ...more } });
  return {
    ...node,
    spec: { ...node.spec, podCIDRs: [`10.244.${number}.0/24`, `fd00:${number}::/64`] },
    status: { ...node.status, addresses: [{ type: 'InternalIP', address: nodeIp }] },
  };
};

test('a MAC follows from the name, is local and of one machine', () => {
  expect(tunnelMac('a')).toBe(tunnelMac('a'));
  expect(tunnelMac('a')).not.toBe(tunnelMac('b'));
  fc.assert(
    fc.property(fc.string(), (name) => {
      expect(tunnelMac(name)).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
    }),
  );
});

describe('the end of a node', () => {
  test.each<[string, Node, Peer | undefined]>([
    [
      'that tells of it',
      nodeOf('b', 2),
      {
        ranges: [
          { podCidr: '10.244.2.0/24', inside: '10.244.2.0' },
          { podCidr: 'fd00:2::/64', inside: 'fd00:2::' },
        ],
        mac: tunnelMac('b'),
        outside: '192.0.2.2',
      },
    ],
    ['that has none', nodeOf('b', 2, { annotations: {} }), undefined],
    ['without a range yet', { ...nodeOf('b', 2), spec: {} }, undefined],
    ['on its way out', nodeOf('b', 2, { deletionTimestamp: '2026-01-01T00:00:00Z' }), undefined],
    [
      'that tells nonsense',
      nodeOf('b', 2, {
        annotations: {
          'network.jotasu.dev/vtep-address': '192.0.2.2 dev eth0',
          'network.jotasu.dev/vtep-mac': tunnelMac('b'),
        },
      }),
      undefined,
    ],
  ])('%s', (_, node, wanted) => expect(peerOf(node)).toEqual(wanted));

  test('where there is none, its annotations are taken away', () =>
    expect(Object.values(planAnnotations(undefined))).toEqual([null, null]));
});

describe('routes', () => {
  const nodes = [nodeOf('a', 1), nodeOf('b', 2), nodeOf('c', 3, { annotations: {} })];
  const through = { destination: '10.244.2.0/24', gateway: '10.244.2.0', device: 'jts-vxlan' };
  const direct = { destination: '10.244.3.0/24', gateway: '192.0.2.3' };
  test('through the tunnel where both ends have one', () => {
    expect(planRoutes(nodes, 'a', { backend: 'vxlan', versions: [4] })).toEqual([through, direct]);
    // What goes through is of either family, and the third node has no IPv6 address to go by.
    expect(planRoutes(nodes, 'a', { backend: 'vxlan' })).toEqual([
      through,
      direct,
      { destination: 'fd00:2::/64', gateway: 'fd00:2::', device: 'jts-vxlan' },
    ]);
    expect(planRoutes(nodes, 'a')).toEqual([{ destination: '10.244.2.0/24', gateway: '192.0.2.2' }, direct]);
  });
  test('are changed from one way to the other', () => {
    const have = [{ destination: '10.244.2.0/24', gateway: '192.0.2.2', device: 'eth0' }];
    const cidr = '10.244.0.0/16';
    expect(planRouteChanges([through], have, cidr)).toEqual([
      'route replace 10.244.2.0/24 via 10.244.2.0 dev jts-vxlan onlink',
    ]);
    expect(planRouteChanges([through], [through], cidr)).toEqual([]);
    expect(
      planRouteChanges([{ destination: '10.244.2.0/24', gateway: '192.0.2.2' }], [through], cidr),
    ).toEqual(['route replace 10.244.2.0/24 via 192.0.2.2']);
    expect(planRouteChanges([], [through], cidr)).toEqual(['route del 10.244.2.0/24 via 10.244.2.0']);
    const six = { destination: 'fd00:2::/64', gateway: 'fd00:2::', device: 'jts-vxlan' };
    expect(planRouteChanges([six], [{ ...six, gateway: 'fd00:9::2', device: 'eth0' }], 'fd00::/16')).toEqual([
      'route del fd00:2::/64 via fd00:9::2',
      'route replace fd00:2::/64 via fd00:2:: dev jts-vxlan onlink',
    ]);
  });
});

describe('the device', () => {
  const end = { mac: tunnelMac('a'), outside: '192.0.2.1', insides: ['10.244.1.0'], mtu: 1450 };
  test.each([
    [
      'is made',
      end,
      undefined,
      [
        `link add name jts-vxlan address ${end.mac} mtu 1450 type vxlan id 1 dstport 8472 local 192.0.2.1 nolearning`,
        'address add 10.244.1.0/32 dev jts-vxlan',
        'link set jts-vxlan up',
      ],
    ],
    ['stays', end, end, []],
    ['goes', undefined, end, ['link delete jts-vxlan']],
    ['is not there', undefined, undefined, []],
  ])('%s', (_, want, have, lines) => expect(planDevice(want, have)).toEqual(lines));
  test('has an end of each family, in whatever order the kernel lists them', () => {
    const both = { ...end, insides: ['fd00:1::', '10.244.1.0'] };
    expect(planDevice(both, undefined)).toContain('address add fd00:1::/128 dev jts-vxlan nodad');
    expect(planDevice(both, { ...both, insides: ['10.244.1.0', 'fd00:1::'] })).toEqual([]);
  });
  test('is made anew when anything of it changes', () => {
    for (const change of [
      { mtu: 1400 },
      { outside: '192.0.2.9' },
      { insides: ['10.244.9.0'] },
      { insides: ['10.244.1.0', 'fd00:1::'] },
      { mac: tunnelMac('z') },
    ])
      expect(planDevice({ ...end, ...change }, end)[0]).toBe('link delete jts-vxlan');
  });
});

/** What the kernel does with the lines. */
function applied(have: TunnelTables, plan: ReturnType<typeof planTables>): TunnelTables {
  const neighbours = new Map(have.neighbours);
  const forwarding = new Map(have.forwarding);
  for (const line of plan.neighbours) {
    const words = line.split(' ');
    if (words[1] === 'del') neighbours.delete(words[2]!);
    else neighbours.set(words[2]!, words[4]!);
  }
  for (const line of plan.forwarding) {
    const words = line.split(' ');
    if (words[1] === 'del') {
      expect(forwarding.get(words[2]!)).toBe(words[6]);
      forwarding.delete(words[2]!);
    } else forwarding.set(words[2]!, words[6]!);
  }
  return { neighbours, forwarding };
}

test('whatever the kernel holds, it holds the peers and nothing else afterwards', () => {
  const number = fc.integer({ min: 1, max: 6 });
  const macs = number.map((n) => tunnelMac(`n${n}`));
  const peers = fc
    .uniqueArray(number, { maxLength: 6 })
    .map((numbers) => numbers.map((n) => peerOf(nodeOf(`n${n}`, n))!));
  const table = (key: fc.Arbitrary<string>, value: fc.Arbitrary<string>) =>
    fc.array(fc.tuple(key, value), { maxLength: 6 }).map((pairs) => new Map(pairs));
  const tables = fc.record({
    neighbours: table(
      fc.oneof(
        number.map((n) => `10.244.${n}.0`),
        number.map((n) => `fd00:${n}::`),
      ),
      macs,
    ),
    forwarding: table(
      macs,
      number.map((n) => `192.0.2.${n}`),
    ),
  });
  fc.assert(
    fc.property(peers, tables, (want, have) => {
      const plan = planTables(want, have);
      const after = applied(have, plan);
      expect(new Map([...after.neighbours].sort())).toEqual(
        new Map(want.flatMap(({ ranges, mac }) => ranges.map(({ inside }) => [inside, mac] as const)).sort()),
      );
      expect(after.forwarding).toEqual(new Map(want.map(({ mac, outside }) => [mac, outside])));
      expect(planTables(want, after)).toEqual({ neighbours: [], forwarding: [] });
    }),
  );
});
