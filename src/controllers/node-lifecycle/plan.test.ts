import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatTime } from '../../machinery/index.ts';
import { buildNode, epochMs, type NodeParts } from '../../testkit/index.ts';
import { excuseMs, graceEndsMs, healthOf, planTaints, planUnknown, zoneOf } from './plan.ts';
import { type Health, Zones } from './zones.ts';

const nowMs = epochMs + 60_000;
const now = formatTime(nowMs);
const before = formatTime(epochMs);
const options = {
  gracePeriodMs: 2000,
  startupGracePeriodMs: 60_000,
  outOfServiceAfterMs: 300,
  unhealthyZoneThreshold: 0.55,
  nodeEvictionRate: 10,
  secondaryNodeEvictionRate: 0.01,
  largeClusterSizeThreshold: 5,
};

test('a node that renews a Lease has the short grace, one that never did the long one', () => {
  expect(graceEndsMs({ atMs: 1000, leaseMs: 2000 }, options)).toBe(3000);
  expect(graceEndsMs({ atMs: 1000, leaseMs: 40_000 }, options)).toBe(41_000);
  expect(graceEndsMs({ atMs: 1000, leaseMs: undefined }, options)).toBe(61_000);
});

test.each([
  [true, 0, 'ready'],
  [false, 0, 'notReady'],
  ['Unknown', 0, 'notReady'],
  [true, 1, 'unreachable'],
] as const)('Ready %s, %d ms after its grace: %s', (ready, after, expected) => {
  expect(healthOf(buildNode('n', { ready }), nowMs - after, nowMs)).toBe(expected);
});

test('zones are told apart by region too', () => {
  expect(zoneOf(buildNode('n', { zone: 'a' }))).toBe('/a');
  expect(zoneOf(buildNode('n', { zone: 'a', labels: { 'topology.kubernetes.io/region': 'r' } }))).toBe('r/a');
});

describe('zones', () => {
  const build = (zones: Record<string, string>) => {
    const out = new Zones(options);
    let i = 0;
    for (const [zone, states] of Object.entries(zones))
      for (const state of states) out.set(`n${i++}`, zone, state === 'x' ? 'unreachable' : 'ready');
    return out;
  };
  test.each([
    ['one of two silent', { a: 'x.' }, []],
    ['the only node of a zone, others live', { a: 'x', b: '.' }, []],
    ['both nodes of a zone, others live', { a: 'xx', b: '.' }, []],
    ['three of five', { a: 'xxx..', b: '.' }, ['a']],
    ['three of six', { a: 'xxx...', b: '.' }, []],
    ['all of a zone of three, others live', { a: 'xxx', b: '.' }, ['a']],
    ['everything everywhere', { a: 'x', b: 'xx' }, ['a', 'b']],
    ['nothing', { a: '..', b: '.' }, []],
  ])('%s', (_, zones, expected) => {
    const built = build(zones);
    expect(Object.keys(zones).filter((zone) => built.isCutOff(zone))).toEqual(expected);
  });

  test('counts are those of a fresh count, and every node is told when its zone is judged differently', () => {
    const health = fc.constantFrom<Health>('ready', 'notReady', 'unreachable');
    const change = fc.record({ name: fc.nat(7), zone: fc.constantFrom('a', 'b'), health: fc.option(health) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const zones = new Zones(options);
        const known = new Map<string, { zone: string; health: Health }>();
        for (const { name: n, zone, health: state } of changes) {
          const name = `n${n}`;
          const was = new Map([...known].map(([id, at]) => [id, zones.isCutOff(at.zone)]));
          let told: readonly string[];
          if (state === null) {
            known.delete(name);
            told = zones.delete(name).changed;
          } else {
            known.set(name, { zone, health: state });
            told = zones.set(name, zone, state).changed;
          }
          const all = [...known.values()];
          for (const id of ['a', 'b']) {
            const here = all.filter((at) => at.zone === id);
            const silent = here.filter((at) => at.health !== 'ready').length;
            const every = all.every((at) => at.health !== 'ready');
            const expected = here.length > 0 && (every || (silent > 2 && silent / here.length >= 0.55));
            expect(zones.isCutOff(id)).toBe(expected);
          }
          for (const [id, at] of known)
            if (id !== name && was.get(id) !== zones.isCutOff(at.zone)) expect(told).toContain(id);
        }
      }),
    );
  });
});

describe('how fast nodes are given up', () => {
  const build = (zones: Record<string, string>) => {
    const out = new Zones(options);
    let i = 0;
    for (const [zone, states] of Object.entries(zones))
      for (const state of states) out.set(`n${i++}`, zone, state === 'x' ? 'unreachable' : 'ready');
    return out;
  };
  test.each([
    ['one silent', { a: 'x....' }, 'normal', 100],
    ['most of a small zone', { a: 'xxx..' }, 'partial', undefined],
    ['most of a large zone', { a: 'xxxx..' }, 'partial', 100_000],
    ['a whole zone, others live', { a: 'xxx', b: '.' }, 'full', 100],
    ['all of everything', { a: 'xx', b: 'x' }, 'everywhere', undefined],
  ] as const)('%s', (_, shape, state, nextMs) => {
    const zones = build(shape);
    expect(zones.stateOf('a')).toBe(state);
    expect(zones.takeTurn('a', 1000)).toBe(nextMs === undefined ? undefined : 0);
    expect(zones.takeTurn('a', 1000)).toBe(nextMs);
    if (nextMs !== undefined) expect(zones.takeTurn('a', 1000 + nextMs)).toBe(0);
  });

  test('never faster than the rate, whatever is asked when', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { maxLength: 60 }), (steps) => {
        const zones = build({ a: 'x....' });
        let now = 0;
        const turns: number[] = [];
        for (const step of steps) {
          now += step;
          if (zones.takeTurn('a', now) === 0) turns.push(now);
        }
        for (let i = 1; i < turns.length; i++) expect(turns[i]! - turns[i - 1]!).toBeGreaterThanOrEqual(100);
        if (steps.length > 0) expect(turns.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('conditions of a silent node', () => {
  test('what it reported is unknown, what it never reported is said so', () => {
    const node = buildNode('n', {
      conditions: [
        { type: 'DiskPressure', status: 'False' },
        { type: 'Odd', status: 'True' },
      ],
    });
    const got = planUnknown(node, nowMs)!;
    const stopped = {
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
    };
    const never = {
      status: 'Unknown',
      reason: 'NodeStatusNeverUpdated',
      message: 'Kubelet never posted node status.',
      lastHeartbeatTime: before,
      lastTransitionTime: now,
    };
    expect(got).toEqual([
      { type: 'Ready', ...stopped, lastHeartbeatTime: before, lastTransitionTime: now },
      { type: 'DiskPressure', ...stopped, lastTransitionTime: now },
      { type: 'Odd', status: 'True' },
      { type: 'MemoryPressure', ...never },
      { type: 'PIDPressure', ...never },
    ]);
    expect(planUnknown({ ...node, status: { conditions: got } }, nowMs + 1000)).toBeUndefined();
  });
});

describe('taints', () => {
  const taint = (key: string, effect: string, more: object = {}) => ({
    key: `node.kubernetes.io/${key}`,
    effect,
    timeAdded: now,
    ...more,
  });
  const ours = { value: 'unreachable' };
  test.each<[string, NodeParts, Health, boolean, object[] | undefined]>([
    ['ready', {}, 'ready', false, undefined],
    ['not ready', {}, 'notReady', false, [taint('not-ready', 'NoSchedule'), taint('not-ready', 'NoExecute')]],
    [
      'unreachable',
      {},
      'unreachable',
      false,
      [taint('unreachable', 'NoSchedule'), taint('unreachable', 'NoExecute')],
    ],
    [
      'out of service',
      {},
      'unreachable',
      true,
      [
        taint('unreachable', 'NoSchedule'),
        taint('unreachable', 'NoExecute'),
        taint('out-of-service', 'NoExecute', ours),
      ],
    ],
    ['cordoned', { unschedulable: true }, 'ready', false, [taint('unschedulable', 'NoSchedule')]],
    [
      'under pressure',
      { conditions: [{ type: 'DiskPressure', status: 'True' }] },
      'ready',
      false,
      [taint('disk-pressure', 'NoSchedule')],
    ],
    [
      'back again',
      { taints: [taint('unreachable', 'NoExecute'), taint('out-of-service', 'NoExecute', ours)] },
      'ready',
      false,
      [],
    ],
    [
      'a person’s taints stay',
      {
        taints: [
          { key: 'k', effect: 'NoExecute' },
          taint('out-of-service', 'NoExecute', { value: 'nodeshutdown' }),
        ],
      },
      'ready',
      false,
      undefined,
    ],
    [
      'taints that stay keep their time',
      { taints: [taint('not-ready', 'NoExecute', { timeAdded: before })] },
      'notReady',
      false,
      [taint('not-ready', 'NoExecute', { timeAdded: before }), taint('not-ready', 'NoSchedule')],
    ],
  ])('%s', (_, parts, health, outOfService, expected) => {
    const node = buildNode('n', parts);
    const view = { health, evicting: health !== 'ready', outOfService };
    const got = planTaints(node, { ...view, nowMs });
    expect(got).toEqual(expected);
    const next = { ...node, spec: { ...node.spec, taints: got ?? node.spec.taints ?? [] } };
    expect(planTaints(next, { ...view, nowMs: nowMs + 1000 })).toBeUndefined();
  });

  test('before its turn a node only takes no new pods, and when nobody is heard its pods are let be', () => {
    const view = { health: 'unreachable', evicting: false, outOfService: false, nowMs } as const;
    const noSchedule = [taint('unreachable', 'NoSchedule')];
    expect(planTaints(buildNode('n'), view)).toEqual(noSchedule);
    const evicted = buildNode('n', { taints: [...noSchedule, taint('unreachable', 'NoExecute')] });
    expect(planTaints(evicted, view)).toEqual(noSchedule);
  });

  test('a node whose state is unknown stays unreachable while it may yet be heard', () => {
    const node = buildNode('n', { ready: 'Unknown' });
    const view = { health: 'notReady', evicting: true, outOfService: false, nowMs } as const;
    expect(planTaints(node, view)?.map(({ key }) => key)).toEqual([
      'node.kubernetes.io/unreachable',
      'node.kubernetes.io/unreachable',
    ]);
  });
});

test.each([
  [-100, 0],
  [250, 0],
  [251, 251],
  [1500, 1500],
  [60_000, 2000],
])('a look that is %i ms late gives a silent node %i ms more', (lateMs, moreMs) => {
  expect(excuseMs(lateMs, { gracePeriodMs: 2000 })).toBe(moreMs);
});
