import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { priorityLevels } from '../bootstrap-flow-control.ts';
import { allocateSeats, divide, type LevelSpec, maxSeatsOf, planLimits } from './limits.ts';
import { noDemand } from './seat-demand.ts';

const specs = priorityLevels.map(({ spec }) => spec as LevelSpec);
const names = priorityLevels.map(({ metadata }) => metadata.name as string);

it('shares 600 seats among the levels of every cluster as kube-apiserver does', () => {
  const limits = planLimits(600, specs);
  const shown = Object.fromEntries(names.map((name, i) => [name, limits[i]]));
  expect(shown).toEqual({
    exempt: { nominal: 0, lower: 0, upper: 600 },
    'catch-all': { nominal: 13, lower: 13, upper: 613 },
    system: { nominal: 74, lower: 50, upper: 674 },
    'node-high': { nominal: 98, lower: 73, upper: 698 },
    'leader-election': { nominal: 25, lower: 25, upper: 625 },
    'workload-high': { nominal: 98, lower: 49, upper: 698 },
    'workload-low': { nominal: 245, lower: 24, upper: 845 },
    'global-default': { nominal: 49, lower: 24, upper: 649 },
  });
});

it('bounds what a level borrows by its percentage, and gives nothing without shares', () => {
  const level = (spec: object) => ({ type: 'Limited', limited: spec }) as LevelSpec;
  expect(
    planLimits(100, [
      level({ nominalConcurrencyShares: 30, borrowingLimitPercent: 50, lendablePercent: 100 }),
      level({ nominalConcurrencyShares: 0 }),
      level({ nominalConcurrencyShares: 70, borrowingLimitPercent: 0 }),
    ]),
  ).toEqual([
    { nominal: 30, lower: 0, upper: 45 },
    { nominal: 0, lower: 0, upper: 100 },
    { nominal: 70, lower: 70, upper: 70 },
  ]);
});

it('keeps one request from having a level to itself', () => {
  const queueing = (handSize: number) =>
    ({
      type: 'Limited',
      limited: { limitResponse: { type: 'Queue', queuing: { queues: 64, handSize, queueLengthLimit: 50 } } },
    }) as LevelSpec;
  expect([74, 49, 10, 3].map((nominal) => maxSeatsOf(queueing(6), nominal))).toEqual([10, 8, 1, 1]);
  expect(maxSeatsOf({ type: 'Exempt', exempt: {} } as LevelSpec, 0)).toBe(10);
});

describe('lending', () => {
  const borrower = (
    nominal: number,
    lower: number,
    used: number,
    more: { upper?: number; isExempt?: boolean } = {},
  ) => ({
    limits: { nominal, lower, upper: more.upper ?? 1000 },
    demand: { ...noDemand, highWatermark: used, smoothed: used },
    isExempt: more.isExempt === true,
  });

  it('gives what idle levels lend to those that have use for it', () => {
    expect(allocateSeats([borrower(100, 20, 0), borrower(50, 50, 200)]).seats).toEqual([20, 130]);
    expect(allocateSeats([borrower(100, 20, 0), borrower(50, 50, 200, { upper: 60 })]).seats[1]).toBe(60);
  });

  it('leaves a busy level its nominal limit', () => {
    expect(allocateSeats([borrower(100, 20, 500), borrower(50, 10, 500)]).seats).toEqual([100, 50]);
  });

  it('takes what exempt requests used from what the others share', () => {
    const exempt = borrower(0, 0, 60, { isExempt: true });
    expect(allocateSeats([exempt, borrower(100, 20, 500)]).seats).toEqual([60, 40]);
    const flood = borrower(0, 0, 500, { isExempt: true });
    expect(allocateSeats([flood, borrower(100, 20, 500)]).seats).toEqual([500, 20]);
  });

  const level = fc
    .tuple(
      fc.integer({ min: 0, max: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(300),
      fc.nat(400),
    )
    .map(([nominal, kept, borrow, used]) =>
      borrower(nominal, Math.round(nominal * kept), used, { upper: nominal + borrow }),
    );

  it('keeps every level within its bounds, and all together within the seats there are', () => {
    fc.assert(
      fc.property(fc.array(level, { minLength: 1, maxLength: 8 }), (levels) => {
        const { seats } = allocateSeats(levels);
        for (const [i, { limits }] of levels.entries()) {
          expect(seats[i]).toBeGreaterThanOrEqual(limits.lower);
          expect(seats[i]).toBeLessThanOrEqual(limits.upper);
        }
        const total = levels.reduce((sum, { limits }) => sum + limits.nominal, 0);
        // Each is rounded.
        expect(seats.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(total + levels.length);
      }),
    );
  });

  it('divides by the targets as far as the bounds allow', () => {
    const item = fc
      .tuple(fc.nat(50), fc.nat(50), fc.nat(100))
      .map(([lower, room, more]) => ({ lower, upper: lower + room, target: lower + more }));
    fc.assert(
      fc.property(fc.nat(500), fc.array(item, { minLength: 1, maxLength: 6 }), (sum, items) => {
        const { parts, fairFraction } = divide(sum, items);
        const total = parts.reduce((all, part) => all + part, 0);
        const bounds = (key: 'lower' | 'upper') => items.reduce((all, one) => all + one[key], 0);
        expect(total).toBeCloseTo(Math.max(bounds('lower'), Math.min(bounds('upper'), sum)), 4);
        for (const [i, { lower, upper, target }] of items.entries()) {
          const fair = fairFraction * Math.max(0.001, target);
          expect(parts[i]).toBeCloseTo(Math.max(lower, Math.min(upper, fair)), 6);
        }
      }),
    );
  });
});
