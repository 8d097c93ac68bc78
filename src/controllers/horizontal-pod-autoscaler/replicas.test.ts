// How many pods a metric calls for: Kubernetes' cases, and what holds for any pods and samples.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { buildPod, epochMs } from '../../testkit/index.ts';
import { isFailure } from './outcome.ts';
import type { Samples } from './pod-groups.ts';
import { type Calculation, forAverage, forUtilization, forValue, forValuePerPod } from './replicas.ts';
import { autoscalerDefaults } from './settings.ts';

const nowMs = epochMs + 3_600_000;
const tolerances = { up: 0.1, down: 0.1 };

/** A pod that requests `cpu` and has been running for an hour. */
const running = (name: string, cpu = '1', parts: Parameters<typeof buildPod>[1] = {}): Pod => {
  const pod = buildPod(name, { node: 'n', ready: true, requests: { cpu }, ...parts });
  return { ...pod, status: { ...pod.status, startTime: formatTime(epochMs) } } as Pod;
};
const pods = (count: number, cpu?: string) => Array.from({ length: count }, (_, i) => running(`p${i}`, cpu));
const samples = (...milli: readonly number[]): Samples =>
  new Map(milli.map((value, i) => [`p${i}`, { milli: value, timeMs: nowMs, windowMs: 60_000 }]));
const calculation = (all: readonly Pod[], current = all.length): Calculation => ({
  pods: all,
  current,
  tolerances,
  nowMs,
  settings: autoscalerDefaults,
});
const cpu = (percent: number) => ({ resource: 'cpu', container: '', percent });

const pending = (name: string) => running(name, '1', { phase: 'Pending' });
const ending = (name: string) => running(name, '1', { deletedMs: nowMs });
const failed = (name: string) => running(name, '1', { phase: 'Failed' });
/** Started a minute ago. */
const young = (name: string, ready: boolean) => {
  const pod = running(name, '1', { ready, sinceMs: nowMs - 30_000 });
  return { ...pod, status: { ...pod.status, startTime: formatTime(nowMs - 60_000) } } as Pod;
};

describe('a share of what is requested', () => {
  it.each<[string, readonly Pod[], Samples, number, number | string]>([
    ['grows with the ratio', pods(3), samples(300, 500, 700), 30, 5],
    ['shrinks with it', pods(5), samples(100, 300, 500, 250, 250), 50, 3],
    ['stays within the tolerance above', pods(3), samples(1090, 1090, 1090), 100, 3],
    ['stays within the tolerance below', pods(3), samples(910, 910, 910), 100, 3],
    ['moves beyond it', pods(10), samples(...Array.from({ length: 10 }, () => 1110)), 100, 12],
    ['weighs pods by what they request', [running('p0', '2'), running('p1', '1')], samples(1500, 0), 25, 4],
    ['counts missing pods as idle when growing', pods(4), samples(950, 950), 30, 7],
    ['counts missing pods as busy when shrinking', pods(4), samples(400, 400, 400), 50, 4],
    ['counts missing pods as at their target when that is above 100 %', pods(4), samples(600, 600), 120, 3],
    ['does not turn round for missing pods', pods(2), samples(450), 40, 2],
    [
      'counts pending pods as idle when growing',
      [...pods(2), pending('p2'), pending('p3')],
      samples(1000, 1000),
      50,
      4,
    ],
    ['leaves pending pods out when shrinking', [...pods(2), pending('p2')], samples(200, 200), 50, 1],
    [
      'leaves out what ends or has failed',
      [...pods(2), ending('p2'), failed('p3')],
      samples(900, 900, 1, 1),
      45,
      4,
    ],
    [
      'does not believe a pod that has just become ready',
      [running('p0'), young('p1', true)],
      samples(1000, 9000),
      50,
      2,
    ],
    ['has no pods', [], samples(1), 50, 'no pods returned by selector while calculating replica count'],
    [
      'has no samples that count',
      [young('p0', false)],
      samples(100),
      50,
      'did not receive metrics for targeted pods (pods might be unready)',
    ],
    [
      'needs requests',
      [buildPod('p0', { node: 'n', ready: true }), running('p1')].map(
        (pod) => ({ ...pod, status: { ...pod.status, startTime: formatTime(epochMs) } }) as Pod,
      ),
      samples(100, 100),
      50,
      'missing request for cpu in container c of Pod p0',
    ],
  ])('%s', (_, all, known, percent, wanted) => {
    const found = forUtilization(known, cpu(percent), calculation(all));
    expect(isFailure(found) ? found.failure : found.replicas).toBe(wanted);
  });

  it('says what is used, on average and as a share', () => {
    expect(forUtilization(samples(300, 500, 701), cpu(30), calculation(pods(3)))).toEqual({
      replicas: 5,
      milli: 500,
      utilization: 50,
    });
  });

  it('of one container alone', () => {
    const pod = running('p0');
    const two = {
      ...pod,
      spec: { ...pod.spec, containers: [...pod.spec.containers, { name: 'd', image: 'i' }] },
    } as Pod;
    const of = (container: string) =>
      forUtilization(samples(500), { ...cpu(25), container }, calculation([two]));
    expect(of('c')).toMatchObject({ replicas: 2 });
    expect(of('d')).toEqual({ failure: 'missing request for cpu in container d of Pod p0' });
    expect(of('x')).toEqual({ failure: 'container x not found in Pod p0' });
  });

  it('with a tolerance of its own for each direction', () => {
    const at = (milli: number) =>
      forUtilization(samples(milli, milli, milli, milli), cpu(100), {
        ...calculation(pods(4)),
        tolerances: { up: 0, down: 0.5 },
      });
    expect(at(1010)).toMatchObject({ replicas: 5 });
    expect(at(510)).toMatchObject({ replicas: 4 });
    expect(at(490)).toMatchObject({ replicas: 2 });
  });
});

describe('an average', () => {
  it.each<[string, readonly Pod[], Samples, number, number]>([
    ['grows', pods(3), samples(20_000, 10_000, 30_000), 15_000, 4],
    [
      'takes a pod at its word that is not ready: it is no cpu',
      [running('p0'), young('p1', false)],
      samples(20_000, 20_000),
      10_000,
      4,
    ],
    ['counts missing pods as at the target when shrinking', pods(4), samples(5000, 5000), 10_000, 3],
    ['counts missing pods as idle when growing', pods(4), samples(30_000, 30_000), 10_000, 6],
  ])('%s', (_, all, known, milli, wanted) => {
    expect(forAverage(known, { resource: undefined, milli }, calculation(all))).toMatchObject({
      replicas: wanted,
    });
  });
});

describe('a value', () => {
  it.each([
    ['of the ready pods', pods(4), 4, 30_000, 6],
    ['nothing within the tolerance', pods(4), 4, 21_000, 4],
    ['the first pod when there is none', [], 0, 100, 1],
    ['none when there is nothing to do', [], 0, 0, 0],
  ])('%s', (_, all, current, milli, wanted) => {
    expect(forValue(milli, 20_000, calculation(all, current))).toEqual({ replicas: wanted, milli });
  });

  it.each([
    [100_000, 3, { replicas: 10, milli: 33_334 }],
    [31_000, 3, { replicas: 3, milli: 10_334 }],
    [0, 3, { replicas: 0, milli: 0 }],
  ])('%d for each of %d', (milli, count, wanted) => {
    expect(forValuePerPod(milli, 10_000, { running: count, tolerances })).toEqual(wanted);
  });
});

describe('for any pods', () => {
  const state = fc.array(
    fc.record({
      make: fc.constantFrom<(name: string) => Pod>(running, pending, ending, failed, (name) =>
        young(name, true),
      ),
      milli: fc.option(fc.integer({ min: 0, max: 5000 })),
    }),
    { minLength: 1, maxLength: 12 },
  );

  it('more use never calls for fewer pods, and what cannot be trusted never enlarges a change', () => {
    fc.assert(
      fc.property(
        state,
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 2000 }),
        (all, percent, more) => {
          const made = all.map(({ make }, i) => make(`p${i}`));
          const known = (extra: number): Samples =>
            new Map(
              all.flatMap(({ milli }, i) =>
                milli === null
                  ? []
                  : [[`p${i}`, { milli: milli + extra, timeMs: nowMs, windowMs: 60_000 }] as const],
              ),
            );
          const low = forUtilization(known(0), cpu(percent), calculation(made));
          const high = forUtilization(known(more), cpu(percent), calculation(made));
          expect(isFailure(low)).toBe(isFailure(high));
          if (isFailure(low) || isFailure(high)) return;
          const { length } = made;
          // The directions agree: what grows with little grows with more.
          if (low.replicas > length) expect(high.replicas).toBeGreaterThanOrEqual(length);
          if (high.replicas < length) expect(low.replicas).toBeLessThanOrEqual(length);
        },
      ),
      { numRuns: 300 },
    );
  });
});
