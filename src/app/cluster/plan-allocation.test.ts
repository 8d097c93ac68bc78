// Which addresses a new cluster gets.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clusterOf, eth0, plainMachine, twoFamilies, wayOut } from './cluster-fixture.ts';
import {
  type Allocation,
  dnsAddressOf,
  overlap,
  parseRange,
  planAllocation,
  planNode,
  planPool,
} from './plan-allocation.ts';
import type { ClusterState } from './state.ts';

const first = planAllocation(plainMachine);
const state = clusterOf(first);

describe('addresses', () => {
  test('the first cluster gets the usual ones', () => {
    expect(first).toEqual({
      index: 0,
      bridge: 'jts0',
      mtu: 1400,
      nodeCidr: '10.89.0.0/24',
      gateway: '10.89.0.1',
      podCidr: '10.244.0.0/16',
      serviceCidr: '10.96.0.0/16',
    });
    expect(planNode(first, 1, 'a')).toEqual({
      name: 'a',
      number: 1,
      address: '10.89.0.2',
      link: 'jts0n1',
      process: null,
    });
    expect(() => planNode(first, 254, 'a')).toThrow('room for 253 nodes');
  });

  test.each([
    ['10.89.3.0/24', ['10.89.3.200-10.89.3.250']],
    ['10.89.3.0/24,fd00:10:89:3::/64', ['10.89.3.200-10.89.3.250', 'fd00:10:89:3::c8-fd00:10:89:3::fa']],
  ])('load balancers of %s', (nodeCidr, pool) => expect(planPool(nodeCidr)).toEqual(pool));

  test('the next one others', () => {
    expect(planAllocation({ links: [eth0], routes: [wayOut], clusters: [state] })).toMatchObject({
      index: 1,
      bridge: 'jts1',
      nodeCidr: '10.89.1.0/24',
      podCidr: '10.245.0.0/16',
      serviceCidr: '10.96.0.0/16',
    });
  });

  test('a bridge, a route or an address in the way is gone round', () => {
    const around = {
      links: [
        eth0,
        { ...eth0, name: 'jts0', addresses: [] },
        { ...eth0, name: 'vpn', addresses: ['10.89.2.7/32'] },
      ],
      routes: [
        { destination: '10.89.1.0/24', gateway: undefined, device: 'x' },
        { destination: '10.244.0.0/15', gateway: undefined, device: 'x' },
        { destination: '10.96.7.1', gateway: undefined, device: 'x' },
      ],
      clusters: [],
    };
    expect(planAllocation(around)).toMatchObject({
      index: 3,
      mtu: 1500,
      podCidr: '10.246.0.0/16',
      serviceCidr: '10.97.0.0/16',
    });
  });

  test('of two families, of which the services are too unless they are told', () => {
    const made = planAllocation(plainMachine, twoFamilies);
    expect(made).toMatchObject({
      nodeCidr: '10.89.0.0/24,fd00:10:89::/64',
      gateway: '10.89.0.1,fd00:10:89::1',
      podCidr: '10.244.0.0/16,fd00:10:244::/56',
      serviceCidr: '10.96.0.0/16,fd00:10:96::/112',
    });
    expect(planNode(made, 1, 'a').address).toBe('10.89.0.2,fd00:10:89::2');
    expect(planNode(made, 15, 'a').address).toBe('10.89.0.16,fd00:10:89::10');
    expect(dnsAddressOf(made.serviceCidr)).toBe('10.96.0.10,fd00:10:96::a');
  });

  test('of IPv6 alone, by the range of services', () => {
    expect(
      planAllocation({ links: [], routes: [], clusters: [state] }, { serviceCidr: 'fd00:10:97::/112' }),
    ).toMatchObject({
      nodeCidr: 'fd00:10:89:1::/64',
      podCidr: 'fd00:10:244::/56',
      serviceCidr: 'fd00:10:97::/112',
    });
  });

  test('ranges that were asked for and cannot be are refused', () => {
    const around = {
      links: [eth0],
      routes: [{ destination: 'fd00:10::/32', gateway: undefined, device: 'x' }],
      clusters: [state],
    };
    expect(() => planAllocation(around, twoFamilies)).toThrow('no range of 10.89.0.0/16,fd00:10:89::/48');
    expect(() => planAllocation(around, { clusterCidr: '10.244.0.0/17' })).toThrow(
      '--cluster-cidr 10.244.0.0/17: this machine uses 10.244.0.0/16 already',
    );
    const six = { clusterCidr: '10.1.0.0/16,fd00:20::/56', serviceCidr: '10.96.0.0/16,fd00:10:96::/112' };
    expect(() =>
      planAllocation({ ...around, routes: [{ ...around.routes[0]!, destination: 'fd00:10:96::/64' }] }, six),
    ).toThrow('--service-cidr fd00:10:96::/112: this machine uses fd00:10:96::/64 already');
    expect(() => planAllocation(around, { ...twoFamilies, serviceCidr: '10.96.0.0/16' })).toThrow(
      'must be of the same address families',
    );
  });

  test('when nothing is left it says of what', () => {
    const taken = (destination: string) => ({
      links: [],
      routes: [{ destination, gateway: undefined, device: 'x' }],
      clusters: [],
    });
    expect(() => planAllocation(taken('10.89.0.0/16'))).toThrow('for the nodes of a cluster');
    expect(() => planAllocation(taken('10.192.0.0/10'))).toThrow('is free for pods');
    expect(() => planAllocation(taken('10.96.0.0/12'))).toThrow('is free for services');
  });

  test('no two clusters, and no cluster and its machine, ever share an address', () => {
    const cidr = fc
      .tuple(fc.constantFrom(89, 96, 97, 200, 244, 245, 250), fc.nat(255), fc.integer({ min: 14, max: 32 }))
      .map(([b, c, bits]) => `10.${b}.${c}.0/${bits}`);
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 12 }), fc.integer({ min: 1, max: 6 }), (taken, count) => {
        const routes = [
          wayOut,
          ...taken.map((destination) => ({ destination, gateway: undefined, device: 'x' })),
        ];
        const clusters: ClusterState[] = [];
        const used = taken.map((text) => parseRange(text)!);
        for (let i = 0; i < count; i++) {
          let made: Allocation;
          try {
            made = planAllocation({ links: [eth0], routes, clusters });
          } catch {
            return;
          }
          for (const text of [made.nodeCidr, made.podCidr]) {
            const range = parseRange(text)!;
            expect(used.filter((other) => overlap(range, other))).toEqual([]);
            used.push(range);
          }
          expect(clusters.map(({ bridge }) => bridge)).not.toContain(made.bridge);
          clusters.push(clusterOf(made, { name: `c${i}` }));
        }
      }),
    );
  });

  test('overlap is having an address in common', () => {
    const range = fc
      .tuple(fc.nat(3), fc.nat(255), fc.integer({ min: 22, max: 32 }))
      .map(([c, d, bits]) => `10.0.${c}.${d}/${bits}`);
    fc.assert(
      fc.property(range, range, (a, b) => {
        const [one, other] = [parseRange(a)!, parseRange(b)!];
        let common = false;
        for (let address = one.first; address <= one.last; address++)
          if (address >= other.first && address <= other.last) common = true;
        expect(overlap(one, other)).toBe(common);
      }),
    );
  });

  test.each([
    ['10.0.0.0/8', { family: 'IPv4', first: 167772160n, last: 184549375n }],
    ['255.255.255.255', { family: 'IPv4', first: 4294967295n, last: 4294967295n }],
    ['10.1.2.3/31', { family: 'IPv4', first: 167838210n, last: 167838211n }],
    ['default', undefined],
    ['::1', { family: 'IPv6', first: 1n, last: 1n }],
    ['::/112', { family: 'IPv6', first: 0n, last: 65535n }],
  ])('parseRange(%s)', (text, range) => {
    expect(parseRange(text)).toEqual(range);
  });
});
