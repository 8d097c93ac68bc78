// How the server's seats are shared among priority levels: nominally by their shares, and every few seconds anew by what each could
// have used, within what it lends and borrows. Pure; the rules are those of Kubernetes' borrowing (KEP-1040).
import type { PriorityLevelConfiguration } from '../../api/index.ts';
import type { DemandStats } from './seat-demand.ts';

export type LevelSpec = PriorityLevelConfiguration['spec'];

export interface SeatLimits {
  readonly nominal: number;
  /** What is left to it when it lends all it may. */
  readonly lower: number;
  /** What it has when it borrows all it may. */
  readonly upper: number;
}

const sharesOf = ({ limited, exempt }: LevelSpec): number =>
  limited?.nominalConcurrencyShares ?? exempt?.nominalConcurrencyShares ?? (limited === undefined ? 0 : 30);

/** Rounded up, so the nominal limits may sum to a little more than `seats`. */
export function planLimits(seats: number, specs: readonly LevelSpec[]): SeatLimits[] {
  const total = specs.reduce((sum, spec) => sum + sharesOf(spec), 0);
  return specs.map((spec) => {
    const nominal = total === 0 ? 0 : Math.ceil((seats * sharesOf(spec)) / total);
    const lendable = spec.limited?.lendablePercent ?? spec.exempt?.lendablePercent ?? 0;
    const borrowing = spec.limited?.borrowingLimitPercent;
    return {
      nominal,
      lower: nominal - Math.round((nominal * lendable) / 100),
      upper: nominal + (borrowing === undefined ? seats : Math.round((nominal * borrowing) / 100)),
    };
  });
}

export interface Borrower {
  readonly limits: SeatLimits;
  readonly demand: DemandStats;
  readonly isExempt: boolean;
}

export interface Allocation {
  readonly seats: readonly number[];
  /** What each was striving for. */
  readonly targets: readonly number[];
  /** What part of its target each level gets that no bound holds. */
  readonly fairFraction: number;
}

/**
 * The limits of the next period, one for each level. A level that was busy keeps at least its nominal limit; what the idle ones lend
 * goes to the others in proportion to their demand. What exempt levels used is taken from what the others share.
 */
export function allocateSeats(levels: readonly Borrower[]): Allocation {
  let remaining = levels.reduce((sum, { limits }) => sum + limits.nominal, 0);
  let lowerSum = 0;
  let neededSum = 0;
  const needed = levels.map(({ limits, demand, isExempt }) => {
    const used = Math.ceil(demand.highWatermark);
    if (isExempt) {
      const seats = Math.max(limits.lower, used);
      remaining -= seats;
      return seats;
    }
    const seats = Math.max(limits.lower, Math.min(limits.nominal, used));
    lowerSum += limits.lower;
    neededSum += seats;
    return seats;
  });
  const targets = levels.map(({ demand }, i) => Math.max(needed[i]!, demand.smoothed));
  const settled = (of: (level: Borrower, at: number) => number): number[] =>
    levels.map((level, at) => (level.isExempt ? needed[at]! : of(level, at)));
  if (remaining <= lowerSum)
    return { seats: settled(({ limits }) => limits.lower), targets, fairFraction: 0 };
  if (remaining <= neededSum) {
    const part = (remaining - lowerSum) / (neededSum - lowerSum);
    const seats = settled(({ limits }, at) => limits.lower + Math.round((needed[at]! - limits.lower) * part));
    return { seats, targets, fairFraction: 0 };
  }
  const bounded = levels.flatMap((level, at) =>
    level.isExempt ? [] : [{ lower: needed[at]!, upper: level.limits.upper, target: targets[at]! }],
  );
  const { parts, fairFraction } = divide(remaining, bounded);
  let next = 0;
  return { seats: settled(() => Math.round(parts[next++]!)), targets, fairFraction };
}

export interface Bounded {
  readonly lower: number;
  readonly upper: number;
  /** At least `lower`. */
  readonly target: number;
}

/** Less counts as this much, so that a part can be told of it. */
const leastTarget = 0.001;

/**
 * Divides `sum` in proportion to the targets as far as the bounds allow: each part is `fairFraction` × target, or the bound in its way.
 * A sum beyond all bounds gives the bounds.
 */
export function divide(
  sum: number,
  items: readonly Bounded[],
): { readonly parts: readonly number[]; readonly fairFraction: number } {
  const targets = items.map(({ target }) => Math.max(leastTarget, target));
  const partsAt = (fraction: number) =>
    items.map(({ lower, upper }, i) => Math.max(lower, Math.min(upper, fraction * targets[i]!)));
  const sumAt = (fraction: number) => partsAt(fraction).reduce((all, part) => all + part, 0);
  // Between two of these the sum grows evenly.
  const bends = items
    .flatMap(({ lower, upper }, i) => [lower / targets[i]!, upper / targets[i]!])
    .sort((a, b) => a - b);
  let from = 0;
  for (const bend of bends) {
    const low = sumAt(from);
    const high = sumAt(bend);
    if (high >= sum) {
      const fraction = high > low ? from + ((bend - from) * Math.max(0, sum - low)) / (high - low) : from;
      return { parts: partsAt(fraction), fairFraction: fraction };
    }
    from = bend;
  }
  return { parts: partsAt(from), fairFraction: from };
}

/** The widest that one request of a queueing level may be: a small part of the level, or it would have the level to itself. */
export function maxSeatsOf({ limited }: LevelSpec, nominal: number): number {
  const handSize = limited?.limitResponse?.queuing?.handSize;
  if (handSize === undefined) return widest;
  const part = Math.min(Math.ceil(nominal * 0.15), Math.floor(nominal / handSize));
  return Math.min(widest, Math.max(1, part));
}

/** The most seats that a request may take anywhere. */
export const widest = 10;
