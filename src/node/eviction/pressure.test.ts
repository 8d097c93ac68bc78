import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseThreshold, nextPressure, noPressure, type PressureState } from './pressure.ts';
import { amountOf, type Observations, type Signal, type Threshold } from './signals.ts';

const threshold = (signal: Signal, value: number, more: Partial<Threshold> = {}): Threshold => ({
  signal,
  amount: { value },
  graceMs: 0,
  minReclaim: undefined,
  ...more,
});
const seen = (signal: Signal, available: number): Observations =>
  new Map([[signal, { available, capacity: 1000 }]]);

/** Looks at these times, with so much available. */
function looks(
  thresholds: readonly Threshold[],
  steps: readonly (readonly [atMs: number, available: number])[],
) {
  let state: PressureState = noPressure;
  return steps.map(([nowMs, available]) => {
    const observations = seen(thresholds[0]!.signal, available);
    state = nextPressure({ before: state, thresholds, observations, nowMs, transitionMs: 100 });
    return [state.conditions.join(' '), state.active.length];
  });
}

describe('nextPressure', () => {
  it('a hard threshold counts at once, and its condition stays for the transition period', () => {
    expect(
      looks(
        [threshold('memory.available', 50)],
        [
          [0, 50],
          [10, 49],
          [20, 60],
          [109, 60],
          [110, 60],
          [111, 60],
        ],
      ),
    ).toEqual([
      ['', 0],
      ['MemoryPressure', 1],
      ['MemoryPressure', 0],
      ['MemoryPressure', 0],
      ['', 0],
      ['', 0],
    ]);
  });

  it('a soft one is a condition at once, is acted on after its grace, and starts anew when it was not met in between', () => {
    const soft = threshold('nodefs.available', 50, { graceMs: 30 });
    expect(
      looks(
        [soft],
        [
          [0, 10],
          [29, 10],
          [30, 10],
          [40, 99],
          [50, 10],
          [79, 10],
          [80, 10],
        ],
      ),
    ).toEqual([
      ['DiskPressure', 0],
      ['DiskPressure', 0],
      ['DiskPressure', 1],
      ['DiskPressure', 0],
      ['DiskPressure', 0],
      ['DiskPressure', 0],
      ['DiskPressure', 1],
    ]);
  });

  it('what is acted on is acted on until as much as was asked for is free', () => {
    const one = threshold('pid.available', 50, { minReclaim: { value: 20 } });
    expect(
      looks(
        [one],
        [
          [0, 60],
          [10, 40],
          [20, 60],
          [30, 69],
          [40, 70],
          [50, 60],
        ],
      ),
    ).toEqual([
      ['', 0],
      ['PIDPressure', 1],
      ['PIDPressure', 1],
      ['PIDPressure', 1],
      ['PIDPressure', 0],
      ['PIDPressure', 0],
    ]);
  });

  it('never acts without a shortage or before the grace is over, and always reports what it acts on', () => {
    const step = fc.record({
      after: fc.integer({ min: 1, max: 80 }),
      available: fc.integer({ min: 0, max: 200 }),
    });
    const any = fc.record({
      value: fc.integer({ min: 1, max: 100 }),
      graceMs: fc.constantFrom(0, 50),
      reclaim: fc.integer({ min: 0, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 3 }), fc.array(step), (wanted, steps) => {
        const thresholds = wanted.map(({ value, graceMs, reclaim }) =>
          threshold('memory.available', value, { graceMs, minReclaim: { value: reclaim } }),
        );
        let state: PressureState = noPressure;
        let nowMs = 0;
        const shortSince = new Map<Threshold, number>();
        for (const { after, available } of steps) {
          nowMs += after;
          const input = { before: state, thresholds, nowMs, transitionMs: 100 };
          state = nextPressure({ ...input, observations: seen('memory.available', available) });
          for (const one of thresholds) {
            const bound = amountOf(one.amount, 1000);
            if (available >= bound + amountOf(one.minReclaim!, 1000)) shortSince.delete(one);
            else if (available < bound && !shortSince.has(one)) shortSince.set(one, nowMs);
          }
          for (const one of state.active) {
            expect(nowMs - shortSince.get(one)!).toBeGreaterThanOrEqual(one.graceMs);
            expect(state.conditions).toEqual(['MemoryPressure']);
          }
          if (state.active.length > 0) expect(chooseThreshold(state.active)).toBeDefined();
        }
      }),
    );
  });

  it('memory comes before everything else', () => {
    const [disk, memory] = [threshold('nodefs.available', 1), threshold('memory.available', 1)];
    expect(chooseThreshold([disk, memory])).toBe(memory);
    expect(chooseThreshold([disk])).toBe(disk);
    expect(chooseThreshold([])).toBeUndefined();
  });
});
