// Limits over time: what holds whatever the metrics say, and Kubernetes' cases.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { autoscalingV2 } from '../../api/index.ts';
import { type History, limit, newHistory, noteChange } from './limits.ts';

type Behavior = autoscalingV2.HorizontalPodAutoscalerBehavior;
const downscaleStabilizationMs = 300_000;

/** Runs an autoscaler over wishes, one every 15 s, and gives the sizes. */
function run(
  wishes: readonly number[],
  {
    start,
    min = 1,
    max = 1000,
    behavior,
  }: { start: number; min?: number; max?: number; behavior?: Behavior },
) {
  let history: History = newHistory(start, 0);
  let current = start;
  const steps: {
    atMs: number;
    from: number;
    to: number;
    wish: number;
    limited: string;
    stabilized: string;
  }[] = [];
  for (const [i, desired] of wishes.entries()) {
    const nowMs = (i + 1) * 15_000;
    const limited = limit({ current, desired, min, max, behavior, history, nowMs, downscaleStabilizationMs });
    const to = limited.replicas;
    history = noteChange(limited.history, { from: current, to, atMs: nowMs }, behavior);
    steps.push({
      atMs: nowMs,
      from: current,
      to,
      wish: desired,
      limited: limited.limited.reason,
      stabilized: limited.stabilized.reason,
    });
    current = to;
  }
  return steps;
}
const sizes = (...args: Parameters<typeof run>) => run(...args).map(({ to }) => to);
const policy = (type: 'Pods' | 'Percent', value: number, periodSeconds = 15) => ({
  type,
  value,
  periodSeconds,
});
const defaults: Behavior = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [policy('Pods', 4), policy('Percent', 100)],
  },
  scaleDown: { selectPolicy: 'Max', policies: [policy('Percent', 100)] },
};

describe('without a behaviour', () => {
  it.each([
    ['doubles at most', { start: 3 }, [100, 100, 100], [6, 12, 24]],
    ['may become 4 at once', { start: 1 }, [100], [4]],
    ['keeps to the maximum', { start: 3, max: 5 }, [100], [5]],
    [
      'shrinks after five minutes of lower wishes',
      { start: 5 },
      Array.from({ length: 22 }, () => 2),
      [...Array.from({ length: 20 }, () => 5), 2, 2],
    ],
    ['keeps to the minimum', { start: 2, min: 2 }, [0], [2]],
  ])('%s', (_, options, wishes, wanted) => expect(sizes(wishes, options)).toEqual(wanted));

  it.each([
    [100, 3, 1000, 'ScaleUpLimit', 'ReadyForNewScale'],
    [100, 3, 5, 'TooManyReplicas', 'ReadyForNewScale'],
    [4, 3, 5, 'DesiredWithinRange', 'ReadyForNewScale'],
    [1, 3, 5, 'DesiredWithinRange', 'ScaleDownStabilized'],
  ])('to %d from %d of %d: %s, %s', (wish, start, max, limited, stabilized) =>
    expect(run([wish], { start, max })[0]).toMatchObject({ limited, stabilized }),
  );
});

describe('with a behaviour', () => {
  it.each<[string, Parameters<typeof run>[1], number[], number[]]>([
    [
      'grows by the larger of the default policies',
      { start: 1, behavior: defaults },
      [50, 50, 50, 50],
      [5, 10, 20, 40],
    ],
    [
      'grows by the smaller policy',
      { start: 10, behavior: { ...defaults, scaleUp: { ...defaults.scaleUp, selectPolicy: 'Min' } } },
      [50, 50],
      [14, 18],
    ],
    [
      'counts what was added within the period',
      {
        start: 10,
        behavior: { ...defaults, scaleUp: { ...defaults.scaleUp, policies: [policy('Pods', 4, 60)] } },
      },
      [50, 50, 50, 50, 50],
      [14, 14, 14, 14, 18],
    ],
    [
      'does not grow when that is disabled',
      { start: 3, behavior: { ...defaults, scaleUp: { ...defaults.scaleUp, selectPolicy: 'Disabled' } } },
      [9],
      [3],
    ],
    [
      'shrinks by one pod a minute',
      {
        start: 5,
        behavior: {
          ...defaults,
          scaleDown: { stabilizationWindowSeconds: 0, policies: [policy('Pods', 1, 60)] },
        },
      },
      [1, 1, 1, 1, 1],
      [4, 4, 4, 4, 3],
    ],
    [
      'waits before it grows',
      {
        start: 3,
        behavior: { ...defaults, scaleUp: { ...defaults.scaleUp, stabilizationWindowSeconds: 40 } },
      },
      [5, 6, 7, 5],
      [3, 3, 5, 5],
    ],
  ])('%s', (_, options, wishes, wanted) => expect(sizes(wishes, options)).toEqual(wanted));

  it.each<[number, string]>([
    [50, 'ScaleUpLimit'],
    [1, 'ScaleDownLimit'],
  ])('to %d: %s', (wish, reason) => {
    const behavior = {
      ...defaults,
      scaleDown: { stabilizationWindowSeconds: 0, policies: [policy('Pods', 1)] },
    };
    expect(run([wish], { start: 4, behavior })[0]).toMatchObject({ limited: reason });
  });
});

describe('over any wishes', () => {
  const rules = (direction: 'up' | 'down') =>
    fc.record({
      stabilizationWindowSeconds: fc.constantFrom(0, 30, 120),
      selectPolicy: fc.constantFrom('Max', 'Min', 'Disabled'),
      policies: fc.array(
        fc.record({
          type: fc.constantFrom<'Pods' | 'Percent'>('Pods', 'Percent'),
          value: fc.integer({ min: 1, max: direction === 'up' ? 200 : 100 }),
          periodSeconds: fc.constantFrom(15, 60, 300),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    });
  const behaviors = fc.option(fc.record({ scaleUp: rules('up'), scaleDown: rules('down') }), {
    nil: undefined,
  });
  const wishes = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 60 });
  const bounds = fc.tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 0, max: 40 }), fc.nat(50));

  it('never leaves minimum and maximum, never goes past a wish, and moves no faster than the policies say', () => {
    fc.assert(
      fc.property(wishes, bounds, behaviors, (all, [min, span, offset], behavior) => {
        const max = min + span;
        const start = min + (offset % (span + 1));
        const steps = run(all, { start, min, max, ...(behavior !== undefined && { behavior }) });
        for (const [i, { from, to, wish, atMs }] of steps.entries()) {
          expect(to).toBeGreaterThanOrEqual(min);
          expect(to).toBeLessThanOrEqual(max);
          // Only towards a wish: without a behaviour also one that could not be had at once.
          const sofar = behavior === undefined ? steps.slice(0, i + 1) : [steps[i]!];
          if (to > from) expect(sofar.some((step) => step.wish >= to)).toBe(true);
          if (to < from) expect(wish).toBeLessThan(from);
          if (behavior === undefined) {
            expect(to).toBeLessThanOrEqual(Math.max(2 * from, 4));
            continue;
          }
          const growing = to > from;
          const applied = growing ? behavior.scaleUp : behavior.scaleDown;
          if (to === from) continue;
          expect(applied.selectPolicy).not.toBe('Disabled');
          // What the period began with, from the record of steps alone.
          const allowed = applied.policies.map(({ type, value, periodSeconds }) => {
            const since = atMs - periodSeconds * 1000;
            const changes = steps.slice(0, i).filter((step) => step.atMs > since);
            const began = from - changes.reduce((sum, step) => sum + step.to - step.from, 0);
            const change = type === 'Pods' ? value : (began * value) / 100;
            return growing ? Math.ceil(began + change + 1e-9) : Math.floor(began - change - 1e-9);
          });
          const widest = applied.selectPolicy === 'Max';
          if (growing) expect(to).toBeLessThanOrEqual((widest ? Math.max : Math.min)(...allowed));
          else expect(to).toBeGreaterThanOrEqual((widest ? Math.min : Math.max)(...allowed));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('comes to rest at a wish that lasts', () => {
    fc.assert(
      fc.property(wishes, fc.integer({ min: 1, max: 40 }), (all, last) => {
        const steady = Array.from({ length: 30 }, () => last);
        expect(sizes([...all, ...steady], { start: 5, min: 1, max: 40 }).at(-1)).toBe(last);
      }),
      { numRuns: 100 },
    );
  });
});
