import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Service } from '../../api/index.ts';
import { buildNode, epochMs } from '../../testkit/index.ts';
import {
  planZoneHints,
  sameCapacity,
  wantsZoneHints,
  type ZonedEndpoint,
  zoneShares,
} from './topology-hints.ts';

const mode = 'service.kubernetes.io/topology-mode';
const oldMode = 'service.kubernetes.io/topology-aware-hints';

test.each([
  [{}, false],
  [{ [mode]: 'Auto' }, true],
  [{ [mode]: 'auto' }, true],
  [{ [mode]: 'Disabled' }, false],
  [{ [oldMode]: 'Auto' }, true],
  [{ [oldMode]: 'Disabled', [mode]: 'Auto' }, false],
])('a service with %j asks for hints: %s', (annotations, asks) => {
  expect(wantsZoneHints({ metadata: { annotations } } as unknown as Service)).toBe(asks);
});

describe('shares of the zones', () => {
  const a = buildNode('a', { zone: 'a', allocatable: { cpu: '3' } });
  const b = buildNode('b', { zone: 'b', allocatable: { cpu: '1' } });
  const excluded = { 'node-role.kubernetes.io/control-plane': '' };
  test.each([
    ['go by CPU', [a, b], { a: 0.75, b: 0.25 }],
    ['are not there with one zone', [a, a], undefined],
    ['are not there when a node tells no zone', [a, b, buildNode('c')], undefined],
    [
      'nor when one tells no CPU',
      [a, b, buildNode('c', { zone: 'c', allocatable: { cpu: '0' } })],
      undefined,
    ],
    ['leave out who is not ready', [a, b, buildNode('c', { ready: false })], { a: 0.75, b: 0.25 }],
    ['and control planes', [a, b, buildNode('c', { labels: excluded })], { a: 0.75, b: 0.25 }],
  ])('%s', (_, nodes, expected) => {
    const shares = zoneShares(nodes);
    expect(shares && Object.fromEntries(shares)).toEqual(expected);
  });

  test('change with readiness, zone and CPU, not with the time of a heartbeat', () => {
    const beating = structuredClone(a);
    beating.status!.conditions![0]!.lastHeartbeatTime = new Date(epochMs + 5000).toISOString();
    expect(sameCapacity(a, beating)).toBe(true);
    expect(sameCapacity(a, buildNode('a', { zone: 'a', allocatable: { cpu: '2' } }))).toBe(false);
    expect(sameCapacity(a, buildNode('a', { zone: 'b', allocatable: { cpu: '3' } }))).toBe(false);
    expect(sameCapacity(a, buildNode('a', { zone: 'a', allocatable: { cpu: '3' }, ready: false }))).toBe(
      false,
    );
  });
});

const even = new Map([
  ['a', 0.5],
  ['b', 0.5],
]);
/** `ab` is in zone a and was meant for b; `a` is new. */
const endpoints = (...texts: string[]): ZonedEndpoint[] =>
  texts.map((text, i) => ({ id: `${i}`, zone: text[0] === '-' ? '' : text[0], before: text[1] }));
const meant = (given: ZonedEndpoint[], shares: ReadonlyMap<string, number> | undefined = even) => {
  const plan = planZoneHints(given, shares);
  return 'problem' in plan ? plan.problem : given.map(({ id }) => plan.zones.get(id)).join('');
};

test.each([
  ['each for its own zone', ['a', 'b'], 'ab'],
  ['one of those that are too many for the other', ['a', 'a', 'a', 'b'], 'baab'],
  ['who was meant for another zone stays', ['a', 'ab', 'a', 'b'], 'abab'],
  ['who is in the zone that lacks some goes there first', ['aa', 'a', 'ba', 'bb'], 'aabb'],
  ['out of a zone that is no more', ['ac', 'bc', 'c', 'c'], 'abab'],
  ['too few endpoints', ['a'], 'Insufficient number of endpoints (1 endpoints, 2 zones)'],
  [
    'a number that cannot be shared',
    ['a', 'a', 'b'],
    'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 2 zones)',
  ],
  ['an endpoint without a zone', ['a', 'b', '-', 'a'], 'One or more endpoints do not have a zone specified'],
])('%s: %j', (_, given, expected) => {
  expect(meant(endpoints(...given))).toBe(expected);
});

test('without shares there are no hints', () => {
  expect(planZoneHints(endpoints('a', 'b'), undefined)).toEqual({
    problem: 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes',
  });
});

test('every zone gets its least or one less, whatever was before, and a second look changes nothing', () => {
  const zone = fc.constantFrom('a', 'b', 'c');
  const one = fc.record({
    zone,
    before: fc.option(fc.constantFrom('a', 'b', 'c', 'gone'), { nil: undefined }),
  });
  const weights = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }));
  fc.assert(
    fc.property(fc.array(one, { minLength: 2, maxLength: 40 }), weights, (given, [x, y]) => {
      const shares = new Map([
        ['a', x / (x + y)],
        ['b', y / (x + y)],
      ]);
      const all = given.map((endpoint, i) => ({ id: `${i}`, ...endpoint }));
      const plan = planZoneHints(all, shares);
      if ('problem' in plan) return;
      const counts = { a: 0, b: 0 };
      for (const { id } of all) counts[plan.zones.get(id) as 'a' | 'b']++;
      // One may be missing: a zone that has less than half an endpoint too many gives none, as in Kubernetes.
      const least = (share: number): number => Math.ceil((share * all.length) / 1.2 - 1e-9) - 1;
      for (const name of ['a', 'b'] as const)
        expect(counts[name]).toBeGreaterThanOrEqual(least(shares.get(name)!));
      const again = planZoneHints(
        all.map((endpoint) => ({ ...endpoint, before: plan.zones.get(endpoint.id) })),
        shares,
      );
      expect(again).toEqual(plan);
    }),
  );
});
