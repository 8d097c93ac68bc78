// Arithmetic on what quotas count: lists of amounts by resource name. Pure; nothing is changed in place.
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  subQuantity,
  zeroQuantity,
} from '../../../../machinery/index.ts';
import { type Amounts, amountsOf, quantityOrZero, type ResourceList, toTexts } from '../pod/quantities.ts';

export type QuotaAmounts = Amounts;

export function sumOf(a: Amounts, b: Amounts): Amounts {
  const out: Amounts = new Map(a);
  for (const [name, amount] of b) out.set(name, addQuantity(out.get(name) ?? zeroQuantity, amount));
  return out;
}

/** The sum of many, of these names alone; each of them is there, if only as zero. */
export function totalOf(parts: readonly Amounts[], names: readonly string[]): Amounts {
  const out: Amounts = new Map(names.map((name) => [name, zeroQuantity]));
  for (const part of parts)
    for (const [name, amount] of part) {
      const before = out.get(name);
      if (before !== undefined) out.set(name, addQuantity(before, amount));
    }
  return out;
}

/** What of `a` is beyond `b`: what is not more is left out. */
export function excessOf(a: Amounts, b: Amounts): Amounts {
  const out: Amounts = new Map();
  for (const [name, amount] of a) {
    const left = subQuantity(amount, b.get(name) ?? zeroQuantity);
    if (left.unscaled > 0n) out.set(name, left);
  }
  return out;
}

/** `a` without `b`, and never less than nothing. */
export function remainderOf(a: Amounts, b: Amounts): Amounts {
  const out: Amounts = new Map();
  for (const [name, amount] of a) {
    const left = subQuantity(amount, b.get(name) ?? zeroQuantity);
    out.set(name, left.unscaled < 0n ? zeroQuantity : left);
  }
  return out;
}

export function only(amounts: Amounts, names: readonly string[]): Amounts {
  const out: Amounts = new Map();
  for (const name of names) {
    const amount = amounts.get(name);
    if (amount !== undefined) out.set(name, amount);
  }
  return out;
}

/** The names of `wanted` of which there would be more than `hard` allows. */
export const exceededBy = (wanted: Amounts, hard: ResourceList): string[] =>
  [...wanted]
    .filter(
      ([name, amount]) => hard[name] !== undefined && compareQuantity(amount, quantityOrZero(hard[name])) > 0,
    )
    .map(([name]) => name);

export const isSame = (a: Amounts, b: Amounts): boolean =>
  a.size === b.size &&
  [...a].every(([name, amount]) => {
    const other = b.get(name);
    return other !== undefined && compareQuantity(amount, other) === 0;
  });

/** Having no list and having an empty one is not the same. */
export const isSameList = (a: ResourceList | undefined, b: ResourceList | undefined): boolean =>
  a === undefined || b === undefined ? a === b : isSame(amountsOf(a), amountsOf(b));

/** `cpu=1,pods=2` in the order of the names. */
export const shownAmounts = (amounts: Amounts): string =>
  [...amounts]
    .map(([name, amount]) => `${name}=${formatQuantity(amount)}`)
    .sort()
    .join(',');

export const listOf = (amounts: Amounts): Record<string, string> => toTexts(amounts);
