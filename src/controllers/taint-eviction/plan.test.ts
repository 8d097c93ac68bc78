import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { coreV1, Pod } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { buildPod, epochMs } from '../../testkit/index.ts';
import { planEvictions } from './plan.ts';

type Toleration = coreV1.Toleration;
const nowMs = epochMs + 10_000;
const unreachable = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' };
const ourOutOfService = {
  key: 'node.kubernetes.io/out-of-service',
  value: 'unreachable',
  effect: 'NoExecute',
};
const theirOutOfService = { ...ourOutOfService, value: 'nodeshutdown' };
const custom = { key: 'k', value: 'v', effect: 'NoExecute' };

const bears = (seconds?: number, key = unreachable.key): Toleration => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  ...(seconds !== undefined && { tolerationSeconds: seconds }),
});
const plan = (taints: readonly coreV1.Taint[], tolerations: Toleration[], deletedMs?: number) => {
  const pod = buildPod('a', {
    node: 'n',
    spec: { tolerations },
    ...(deletedMs !== undefined && { deletedMs }),
  });
  const { evict, wakeInMs } = planEvictions({
    taints: taints.map((taint) => ({ taint, sinceMs: epochMs })),
    pods: [pod],
    defaultTolerationSeconds: 300,
    nowMs,
  });
  return evict.length > 0 ? (evict[0]!.force ? 'forced' : 'evicted') : wakeInMs;
};

test.each<[string, coreV1.Taint[], Toleration[], unknown]>([
  ['no taint', [], [], undefined],
  ['a taint it does not bear', [custom], [], 'evicted'],
  ['a taint it bears for ever', [custom], [bears(undefined, 'k')], undefined],
  ['a taint it bears for a while', [custom], [bears(30, 'k')], 20_000],
  ['a taint it has borne long enough', [custom], [bears(10, 'k')], 'evicted'],
  ['a taint it bears for no time', [custom], [bears(0, 'k')], 'evicted'],
  [
    'the shortest of several tolerations',
    [custom],
    [bears(30, 'k'), bears(20, 'k'), bears(undefined, 'k')],
    10_000,
  ],
  ['the shortest over several taints', [custom, unreachable], [bears(30, 'k'), bears(300)], 20_000],
  ['one of two taints it does not bear', [custom, unreachable], [bears(300)], 'evicted'],
  ['unreachable, as admission gives it', [unreachable], [bears(300)], 290_000],
  [
    'our out-of-service outweighs what admission gave',
    [unreachable, ourOutOfService],
    [bears(300)],
    'forced',
  ],
  ['but not what the author said', [unreachable, ourOutOfService], [bears(60)], 50_000],
  ['nor an author who bears it for ever', [unreachable, ourOutOfService], [bears()], undefined],
  ['nor an author who bears everything', [unreachable, ourOutOfService], [{ operator: 'Exists' }], undefined],
  ['the author’s time is over', [unreachable, ourOutOfService], [bears(5)], 'evicted'],
  ['a person’s out-of-service is an order', [unreachable, theirOutOfService], [bears(60)], 'forced'],
  ['unless it is borne', [unreachable, theirOutOfService], [{ operator: 'Exists' }], undefined],
])('%s', (_, taints, tolerations, expected) => {
  expect(plan(taints, tolerations)).toBe(expected);
});

test('a pod on its way out is let be, and hurried when its machine is off', () => {
  expect(plan([custom], [], nowMs)).toBeUndefined();
  expect(plan([unreachable, ourOutOfService], [bears(300)], nowMs)).toBe('forced');
});

test('as time passes each pod goes once, exactly when its toleration ends', () => {
  const seconds = fc.array(fc.option(fc.integer({ min: -1, max: 20 })), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(seconds, (all) => {
      let pods = all.map((s, i) =>
        buildPod(`p${i}`, { node: 'n', spec: { tolerations: [bears(s ?? undefined, 'k')] } }),
      );
      const gone = new Map<string, number>();
      let at = epochMs;
      for (let round = 0; round < 30; round++) {
        const view = {
          taints: [{ taint: custom, sinceMs: epochMs }],
          pods,
          defaultTolerationSeconds: 300,
          nowMs: at,
        };
        const { evict, wakeInMs } = planEvictions(view);
        for (const { pod } of evict) gone.set(pod.metadata.name, at - epochMs);
        pods = pods.filter((pod) => !evict.some((e) => e.pod === pod));
        if (wakeInMs === undefined) break;
        at += wakeInMs;
      }
      for (const [i, s] of all.entries())
        expect(gone.get(`p${i}`)).toBe(s === null ? undefined : Math.max(0, s) * 1000);
    }),
  );
});

test('a node that is called off and says that it is ready ends its pods itself', () => {
  const view = {
    taints: [{ taint: theirOutOfService, sinceMs: epochMs }],
    pods: [buildPod('a', { node: 'n' }), buildPod('b', { node: 'n', deletedMs: epochMs })],
    defaultTolerationSeconds: 300,
    nowMs,
  };
  const shown = (ready: boolean) =>
    planEvictions({ ...view, ready }).evict.map(({ pod, force }) => [pod.metadata.name, force]);
  expect(shown(true)).toEqual([['a', false]]);
  expect(shown(false)).toEqual([
    ['a', true],
    ['b', true],
  ]);
});

test.each([
  ['made', nowMs - 2_000, undefined],
  ['bound', epochMs - 60_000, nowMs - 2_000],
])('the time of a pod that was %s after the node was tainted starts with it', (_, madeMs, boundMs) => {
  const meta = { creationTimestamp: formatTime(madeMs) };
  const made = buildPod('late', { node: 'n', spec: { tolerations: [bears(5, 'k')] }, meta });
  const conditions = [
    { type: 'PodScheduled', status: 'True', lastTransitionTime: formatTime(boundMs ?? madeMs) },
  ];
  const late = boundMs === undefined ? made : ({ ...made, status: { ...made.status, conditions } } as Pod);
  const { evict, wakeInMs } = planEvictions({
    taints: [{ taint: custom, sinceMs: epochMs }],
    pods: [late],
    defaultTolerationSeconds: 300,
    nowMs,
  });
  expect([evict, wakeInMs]).toEqual([[], 3_000]);
});
