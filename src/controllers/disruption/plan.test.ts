import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PodDisruptionBudget } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { buildPod, epochMs } from '../../testkit/index.ts';
import { deletionTimeoutMs, failedStatus, needsScale, planDisruption, selectorOf } from './plan.ts';
import { staleInMs } from './stale-target.ts';

type Spec = PodDisruptionBudget['spec'];
const budget = (spec: Partial<Spec>, status?: PodDisruptionBudget['status']) =>
  ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'b', namespace: 'default', uid: 'u', resourceVersion: '1', generation: 3 },
    spec: { selector: {}, ...spec },
    status,
  }) as PodDisruptionBudget;
const ready = (count: number, of = count) =>
  Array.from({ length: of }, (_, i) => buildPod(`p${i}`, { node: 'n', ready: i < count }));
const plan = (b: PodDisruptionBudget, pods = ready(3), expectedPods = pods.length) =>
  planDisruption({ budget: b, pods, expectedPods, nowMs: epochMs });
const numbers = ({ status: s }: ReturnType<typeof plan>) => [
  s.currentHealthy,
  s.desiredHealthy,
  s.expectedPods,
  s.disruptionsAllowed,
];

test.each<[string, Partial<Spec>, [number, number], number, number[]]>([
  ['a number that must stay', { minAvailable: 2 }, [3, 3], 0, [3, 2, 3, 1]],
  ['more must stay than there are', { minAvailable: 5 }, [3, 3], 0, [3, 5, 3, 0]],
  ['some are not ready', { minAvailable: 2 }, [2, 3], 0, [2, 2, 3, 0]],
  ['a share of what is wanted, rounded up', { minAvailable: '50%' }, [3, 3], 5, [3, 3, 5, 0]],
  ['a number that may be missing', { maxUnavailable: 1 }, [4, 4], 4, [4, 3, 4, 1]],
  ['more may be missing than are wanted', { maxUnavailable: 9 }, [2, 2], 2, [2, 0, 2, 2]],
  ['a share that may be missing, rounded up', { maxUnavailable: '10%' }, [5, 5], 5, [5, 4, 5, 1]],
  ['nothing is said', {}, [3, 3], 0, [3, 0, 0, 0]],
  ['nothing is wanted', { maxUnavailable: '100%' }, [1, 1], 0, [1, 0, 0, 0]],
])('%s', (_, spec, [healthy, of], expected, wanted) => {
  expect(numbers(plan(budget(spec), ready(healthy, of), expected))).toEqual(wanted);
});

test('which budgets ask the owners', () => {
  expect(
    [{ minAvailable: 1 }, { minAvailable: '1%' }, { maxUnavailable: 0 }, {}].map((s) =>
      needsScale(budget(s)),
    ),
  ).toEqual([false, true, true, false]);
});

test('no selector selects nothing, an empty one everything', () => {
  expect(selectorOf(budget({}))({ a: 'b' })).toBe(true);
  expect(selectorOf(budget({ selector: undefined }))({ a: 'b' })).toBe(false);
});

test('the condition says whether there is room, since when, and of which generation', () => {
  const first = plan(budget({ minAvailable: 3 })).status;
  expect(first.conditions).toEqual([
    {
      type: 'DisruptionAllowed',
      status: 'False',
      reason: 'InsufficientPods',
      message: '',
      lastTransitionTime: formatTime(epochMs),
      observedGeneration: 3,
    },
  ]);
  const later = planDisruption({
    budget: budget({ minAvailable: 1 }, first),
    pods: ready(3),
    expectedPods: 0,
    nowMs: epochMs + 5000,
  });
  expect(later.status.conditions).toMatchObject([
    { status: 'True', reason: 'SufficientPods', lastTransitionTime: formatTime(epochMs + 5000) },
  ]);
});

test('a granted eviction counts as done for two minutes, then as lost', () => {
  const granted = (agoMs: number) =>
    budget(
      { minAvailable: 1 },
      { disruptedPods: { p0: formatTime(epochMs - agoMs), gone: formatTime(epochMs) } },
    );
  const fresh = plan(granted(30_000));
  expect(numbers(fresh)).toEqual([2, 1, 3, 1]);
  expect([Object.keys(fresh.status.disruptedPods!), fresh.recheckInMs, fresh.notDeleted]).toEqual([
    ['p0'],
    90_001,
    [],
  ]);
  const lost = plan(granted(deletionTimeoutMs + 1000));
  expect(numbers(lost)).toEqual([3, 1, 3, 2]);
  expect([lost.status.disruptedPods, lost.notDeleted.map((p) => p.metadata.name)]).toEqual([
    undefined,
    ['p0'],
  ]);
  const going = [buildPod('p0', { node: 'n', ready: true, deletedMs: epochMs })];
  expect(plan(granted(1000), going).recheckInMs).toBeUndefined();
});

test('a failure allows nothing and says why', () => {
  const before = plan(budget({ minAvailable: 1 })).status;
  const failed = failedStatus(budget({ minAvailable: 1 }, before), 'no scale', epochMs + 1000);
  expect(failed).toMatchObject({ disruptionsAllowed: 0, currentHealthy: 3 });
  expect(failed.conditions).toMatchObject([{ status: 'False', reason: 'SyncFailed', message: 'no scale' }]);
  expect(failedStatus(budget({ minAvailable: 1 }, failed), 'no scale', epochMs + 9000)).toBe(failed);
});

test('whatever the numbers: no more is allowed than leaves enough, and a plan made twice changes nothing', () => {
  const bound = fc.oneof(
    fc.nat(12),
    fc.nat(100).map((n) => `${n}%`),
  );
  const spec = fc.oneof(
    bound.map((minAvailable) => ({ minAvailable })),
    bound.map((maxUnavailable) => ({ maxUnavailable })),
  );
  fc.assert(
    fc.property(
      spec,
      fc.nat(10),
      fc.nat(10),
      fc.nat(12),
      fc.subarray(['p0', 'p1', 'p2']),
      (s, healthy, more, wanted, granted) => {
        const pods = ready(healthy, healthy + more);
        const disruptedPods = Object.fromEntries(granted.map((name) => [name, formatTime(epochMs)]));
        const { status } = plan(budget(s, { disruptedPods }), pods, wanted);
        expect(status.disruptionsAllowed).toBeGreaterThanOrEqual(0);
        const left = status.currentHealthy! - status.disruptionsAllowed!;
        if (status.disruptionsAllowed! > 0) expect(left).toBe(status.desiredHealthy);
        expect(status.currentHealthy).toBe(
          pods.slice(0, healthy).filter((pod) => !granted.includes(pod.metadata.name)).length,
        );
        expect(plan(budget(s, status), pods, wanted).status).toBe(status);
      },
    ),
  );
});

test('a disruption that does not come is taken back after two minutes', () => {
  const target = (agoMs: number, status = 'True') => {
    const pod = buildPod('a', { node: 'n' });
    pod.status!.conditions = [
      { type: 'DisruptionTarget', status, lastTransitionTime: formatTime(epochMs - agoMs) },
    ];
    return pod;
  };
  expect(staleInMs(target(50_000), epochMs)).toBe(70_000);
  expect(staleInMs(target(200_000), epochMs)).toBe(0);
  expect(staleInMs(target(200_000, 'False'), epochMs)).toBeUndefined();
  expect(staleInMs(buildPod('a', { deletedMs: epochMs }), epochMs)).toBeUndefined();
});
