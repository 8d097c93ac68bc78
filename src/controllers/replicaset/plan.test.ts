import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isActive, type Pod, type ReplicaSet } from '../../api/index.ts';
import { compileLabelSelector } from '../../machinery/index.ts';
import { buildPod, buildSet, epochMs, type PodParts } from '../../testkit/index.ts';
import { burst, planReplicaSet } from './plan.ts';
import { planStatus } from './status.ts';
import { chooseVictims } from './victims.ts';

const nowMs = epochMs + 3_600_000;
const labels = { app: 'web' };
const names = (pods: readonly Pod[]) => pods.map((pod) => pod.metadata.name);

const plan = (set: ReplicaSet, pods: readonly Pod[]) =>
  planReplicaSet({ set, pods, matches: compileLabelSelector(set.spec.selector), related: () => pods, nowMs });

describe('plan', () => {
  const set = buildSet('web', 2);
  const mine = (name: string, parts: PodParts = {}) => buildPod(name, { labels, owner: set, ...parts });

  const cases: [string, ReplicaSet, Pod[], object][] = [
    ['nothing there', set, [], { create: 2 }],
    ['one missing', set, [mine('a')], { create: 1, active: ['a'] }],
    ['as wanted', set, [mine('a'), mine('b')], { active: ['a', 'b'] }],
    [
      'one too many',
      set,
      [mine('a', { node: 'n' }), mine('b'), mine('c', { node: 'n' })],
      { remove: ['b'], active: ['a', 'b', 'c'] },
    ],
    [
      'a finished pod is replaced',
      set,
      [mine('a'), mine('b', { phase: 'Failed' })],
      { create: 1, active: ['a'] },
    ],
    [
      'a pod on its way out is replaced',
      set,
      [mine('a'), mine('b', { deletedMs: nowMs })],
      { create: 1, active: ['a'], terminating: ['b'] },
    ],
    [
      'an orphan that matches is adopted',
      set,
      [mine('a'), buildPod('b', { labels })],
      { adopt: ['b'], active: ['a'] },
    ],
    ['an orphan on its way out is not', set, [buildPod('b', { labels, deletedMs: nowMs })], { create: 2 }],
    ['a finished orphan is not', set, [buildPod('b', { labels, phase: 'Succeeded' })], { create: 2 }],
    ['a stranger is let be', set, [buildPod('b', { labels, owner: buildSet('other', 1) })], { create: 2 }],
    [
      'a relabelled pod is released and replaced',
      set,
      [mine('a'), mine('b', { labels: {} })],
      { create: 1, release: ['b'], active: ['a'] },
    ],
    ['a finished pod is never released', set, [mine('b', { labels: {}, phase: 'Failed' })], { create: 2 }],
    [
      'a set that is being deleted changes nothing',
      buildSet('web', 2, { meta: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
      [mine('a'), mine('b', { labels: {} }), buildPod('c', { labels })],
      { active: ['a'] },
    ],
    ['no more than a burst at once', buildSet('web', 10_000), [], { create: burst }],
  ];
  test.each(cases)('%s', (_, of, pods, expected) => {
    const got = plan(of, pods);
    const none = { adopt: [], release: [], create: 0, remove: [], active: [], terminating: [] };
    const { adopt, release, create, remove, active, terminating } = got;
    expect({
      adopt: names(adopt),
      release: names(release),
      create,
      remove: names(remove),
      active: names(active),
      terminating: names(terminating),
    }).toEqual({ ...none, ...expected });
  });

  test('wakes when the next pod becomes available', () => {
    const waiting = buildSet('web', 2, { spec: { minReadySeconds: 10 } });
    const pods = [
      buildPod('a', { labels, owner: waiting, ready: true, sinceMs: nowMs - 4000 }),
      buildPod('b', { labels, owner: waiting, ready: true, sinceMs: nowMs - 7000 }),
    ];
    expect(plan(waiting, pods).wakeInMs).toBe(3000);
    expect(plan(set, pods).wakeInMs).toBeUndefined();
  });
});

describe('victims', () => {
  const first = (pods: readonly Pod[], related = pods) =>
    names(chooseVictims(pods, { count: 1, related, nowMs }))[0];
  const node = 'n1';
  const ready = { node, ready: true } as const;
  const cost = (value: string) => ({
    meta: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': value } },
  });

  test.each<[string, PodParts, PodParts]>([
    ['not assigned before assigned', {}, { node, phase: 'Pending' }],
    ['pending before unknown', { node, phase: 'Pending' }, { node, phase: 'Unknown' }],
    ['unknown before running', { node, phase: 'Unknown' }, { node, phase: 'Running' }],
    ['not ready before ready', { node }, ready],
    ['cheap before dear', { ...ready, ...cost('-5') }, ready],
    ['a cost that is no number counts as none', { ...ready, ...cost('-1') }, { ...ready, ...cost('+7') }],
    ['a cost out of range counts as none', { ...ready, ...cost('-1') }, { ...ready, ...cost('-9999999999') }],
    [
      'ready for a short time first',
      { ...ready, sinceMs: nowMs - 1000 },
      { ...ready, sinceMs: nowMs - 60_000 },
    ],
    ['often restarted first', { ...ready, restarts: 3 }, { ...ready, restarts: 1 }],
    ['young before old', { node, meta: { creationTimestamp: '2026-01-01T00:59:59Z' } }, { node }],
  ])('%s', (_, goes, stays) => {
    const a = buildPod('z', goes);
    const b = buildPod('a', stays);
    expect(first([a, b])).toBe('z');
    expect(first([b, a])).toBe('z');
  });

  test('ages that differ little do not matter', () => {
    const a = buildPod('a', { ...ready, sinceMs: nowMs - 3_500_000 });
    const z = buildPod('z', { ...ready, sinceMs: nowMs - 3_000_000 });
    expect(first([z, a])).toBe('a');
  });

  test('the crowded node loses one, and siblings of related sets crowd it too', () => {
    const a = buildPod('a', { ready: true, node: 'n1' });
    const b = buildPod('b', { ready: true, node: 'n2' });
    const other = buildPod('c', { ready: true, node: 'n2' });
    const dead = buildPod('d', { node: 'n1', phase: 'Failed' });
    expect(first([a, b], [a, b, other, dead])).toBe('b');
  });

  test('the order of the pods given does not matter, and no pod is chosen twice', () => {
    const pod = fc.record({
      node: fc.constantFrom(undefined, 'n1', 'n2'),
      ready: fc.boolean(),
      age: fc.nat(100_000),
      restarts: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(pod, { maxLength: 12 }), fc.nat(12), fc.nat(), (parts, count, turn) => {
        const pods = parts.map(({ node: on, ready: is, age, restarts }, i) =>
          buildPod(`p${i}`, {
            ...(on !== undefined && { node: on, ready: is, restarts }),
            sinceMs: nowMs - age,
          }),
        );
        const by = pods.length === 0 ? 0 : turn % pods.length;
        const turned = [...pods.slice(by), ...pods.slice(0, by)];
        const chosen = names(chooseVictims(pods, { count, related: pods, nowMs }));
        expect(new Set(chosen).size).toBe(Math.min(count, pods.length));
        expect(names(chooseVictims(turned, { count, related: turned, nowMs })).sort()).toEqual(
          [...chosen].sort(),
        );
      }),
    );
  });
});

describe('status', () => {
  const set = buildSet('web', 3, { spec: { minReadySeconds: 10 } });
  const at = { nowMs, failure: undefined };

  test('counts', () => {
    const active = [
      buildPod('a', { labels, ready: true, sinceMs: nowMs - 60_000 }),
      buildPod('b', { labels, ready: true, sinceMs: nowMs - 1000 }),
      buildPod('c', { labels: {} }),
    ];
    const terminating = [buildPod('d', { deletedMs: nowMs })];
    expect(planStatus(set, { active, terminating }, at)).toEqual({
      replicas: 3,
      fullyLabeledReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 1,
      terminatingReplicas: 1,
      observedGeneration: 1,
    });
  });

  test('a failure stays as it was first told, and goes', () => {
    const none = { active: [], terminating: [] };
    const failing = planStatus(set, none, { nowMs, failure: { reason: 'FailedCreate', message: 'quota' } });
    const condition = {
      type: 'ReplicaFailure',
      status: 'True',
      reason: 'FailedCreate',
      message: 'quota',
      lastTransitionTime: '2026-01-01T01:00:00Z',
    };
    expect(failing.conditions).toEqual([condition]);
    const failed = { ...set, status: failing };
    const again = {
      nowMs: nowMs + 1000,
      failure: { reason: 'FailedCreate', message: 'quota of b' } as const,
    };
    expect(planStatus(failed, none, again).conditions).toEqual([condition]);
    expect(planStatus(failed, none, at).conditions).toBeUndefined();
  });
});

test('from any state, with deletions and creations done in part, it comes to rest at the wanted number', () => {
  const state = fc.record({
    replicas: fc.nat(6),
    pods: fc.array(
      fc.record({
        mine: fc.boolean(),
        fits: fc.boolean(),
        phase: fc.constantFrom('Pending', 'Running', 'Failed'),
        going: fc.boolean(),
      }),
      { maxLength: 10 },
    ),
    done: fc.infiniteStream(fc.nat(3)),
  });
  fc.assert(
    fc.property(state, ({ replicas, pods: parts, done }) => {
      const set = buildSet('web', replicas);
      let pods = parts.map(({ mine, fits, phase, going }, i) =>
        buildPod(`p${i}`, {
          phase,
          labels: fits ? labels : {},
          owner: mine ? set : undefined,
          ...(going && { deletedMs: nowMs }),
        }),
      );
      const ours = () =>
        pods.filter(
          (p) => isActive(p) && p.metadata.labels?.app === 'web' && p.metadata.ownerReferences !== undefined,
        );
      let made = 0;
      for (let round = 0; ; round++) {
        expect(round).toBeLessThan(100);
        const before = ours().length;
        const { adopt, release, create, remove } = plan(set, pods);
        if (adopt.length + release.length + create + remove.length === 0) break;
        expect(create === 0 || remove.length === 0).toBe(true);
        // A crash may come after any of the writes.
        let left = 1 + done.next().value!;
        const change = (pod: Pod, next: Pod) => {
          if (left-- > 0) pods = pods.map((p) => (p === pod ? next : p));
        };
        for (const pod of adopt)
          change(pod, buildPod(pod.metadata.name, { labels, owner: set, phase: pod.status!.phase! }));
        for (const pod of release)
          change(pod, buildPod(pod.metadata.name, { labels: {}, phase: pod.status!.phase! }));
        for (const pod of remove) if (left-- > 0) pods = pods.filter((p) => p !== pod);
        for (let i = 0; i < create; i++)
          if (left-- > 0) pods = [...pods, buildPod(`new${made++}`, { labels, owner: set })];
        // Adopting may overshoot; the next round corrects it.
        expect(ours().length).toBeLessThanOrEqual(Math.max(replicas, before + adopt.length));
      }
      expect(ours()).toHaveLength(replicas);
    }),
  );
});
