// Arithmetic on the texts of resource lists. A text that is no quantity counts as zero: it is refused where it is decoded.
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  parseQuantity,
  type Quantity,
  quantityOfMilli,
  scaledValue,
  toMilli,
  toValue,
  zeroQuantity,
} from '../../../../machinery/index.ts';

/** Resource names and their amounts, while they are being summed up. */
export type Amounts = Map<string, Quantity>;
export type ResourceList = Readonly<Record<string, string>>;

export const quantityOrZero = (text: string | undefined): Quantity =>
  (text === undefined ? undefined : parseQuantity(text)) ?? zeroQuantity;

export const compareQuantities = (a: string, b: string): number =>
  compareQuantity(quantityOrZero(a), quantityOrZero(b));

/** In thousandths, the finest part that counts. */
const milli = (text: string): bigint => scaledValue(quantityOrZero(text), -3);

export const isWhole = (text: string): boolean => milli(text) % 1000n === 0n;

/** Is `text` some whole number of `unit`s? */
export const isMultipleOf = (text: string, unit: string): boolean => {
  const size = milli(unit);
  return size !== 0n && milli(text) % size === 0n;
};

/** Idempotent. */
export function roundUpToMilli(text: string): string {
  const quantity = parseQuantity(text);
  if (quantity === undefined || quantity.exponent >= -3) return text;
  const rounded = quantityOfMilli(scaledValue(quantity, -3), quantity.format);
  return compareQuantity(rounded, quantity) === 0 ? text : formatQuantity(rounded);
}

export function addTo(total: Amounts, list: ResourceList | undefined): void {
  for (const name in list) addAmount(total, name, quantityOrZero(list[name]));
}

export function addAmounts(total: Amounts, other: Amounts): void {
  for (const [name, quantity] of other) addAmount(total, name, quantity);
}

function addAmount(total: Amounts, name: string, quantity: Quantity): void {
  const before = total.get(name);
  total.set(name, before === undefined ? quantity : addQuantity(before, quantity));
}

/** Raises each amount to that of `other`, where it is less. */
export function raiseTo(total: Amounts, other: Amounts): void {
  for (const [name, quantity] of other) {
    const before = total.get(name);
    if (before === undefined || compareQuantity(quantity, before) > 0) total.set(name, quantity);
  }
}

export function amountsOf(list: ResourceList | undefined): Amounts {
  const out: Amounts = new Map();
  addTo(out, list);
  return out;
}

export function toTexts(amounts: Amounts): Record<string, string> {
  return Object.fromEntries([...amounts].map(([name, quantity]) => [name, formatQuantity(quantity)]));
}

/** As the scheduler counts: cpu in thousandths, everything else in whole units (bytes, pieces). Rounded up. */
export function toNumbers(amounts: Amounts): Record<string, number> {
  return Object.fromEntries(
    [...amounts].map(([name, quantity]) => [name, name === 'cpu' ? toMilli(quantity) : toValue(quantity)]),
  );
}
