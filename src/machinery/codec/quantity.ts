// Resource quantities: `100m`, `1.5Gi`, `2e3`. Exact decimals in bigint, written in the canonical form of apimachinery's
// resource.Quantity. Objects keep quantities as text; a parsed Quantity lives only as long as a calculation.
// HOT: bench/decode.ts (canonicalQuantity).

/** The suffix family a quantity is written with: `12Mi`, `12M` or `12e6`. */
export type QuantityFormat = 'BinarySI' | 'DecimalSI' | 'DecimalExponent';

/** The value is `unscaled` × 10^`exponent`. Immutable. */
export interface Quantity {
  readonly unscaled: bigint;
  readonly exponent: number;
  readonly format: QuantityFormat;
}

export const zeroQuantity: Quantity = { unscaled: 0n, exponent: 0, format: 'DecimalSI' };

/** Why a text is no quantity, as apimachinery says it. */
export const quantityErrors = {
  format: "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  numeric: 'unable to parse numeric part of quantity',
  suffix: "unable to parse quantity's suffix",
} as const;

/** Texts and exponents beyond this are refused: nobody means them, and arithmetic on such numbers is not free. */
const maxDigits = 1000;

const binaryShift: Readonly<Record<string, bigint>> = {
  Ki: 10n,
  Mi: 20n,
  Gi: 30n,
  Ti: 40n,
  Pi: 50n,
  Ei: 60n,
};
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;
const decimalExponents: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

const maxInt64 = 2n ** 63n - 1n;
const nano = -9;

const powersOfTen: bigint[] = [];
for (let i = 0, power = 1n; i <= 40; i++, power *= 10n) powersOfTen.push(power);
const pow10 = (exponent: number): bigint => powersOfTen[exponent] ?? 10n ** BigInt(exponent);

/** Division by 10^digits, away from zero: 1.1 → 2, -1.1 → -2. */
function divideAwayFromZero(value: bigint, digits: number): bigint {
  const divisor = pow10(digits);
  const quotient = value / divisor;
  if (quotient * divisor === value) return quotient;
  return value > 0n ? quotient + 1n : quotient - 1n;
}

const split = /^([+-]?)([0-9]*)(\.[0-9]*)?([eEinumkKMGTP]*)([-+]?[0-9]*)$/;

/** The quantity, or one of `quantityErrors`. */
function parse(text: string): Quantity | string {
  if (text === '' || text.length > maxDigits) return quantityErrors.format;
  const m = split.exec(text);
  if (m === null) return quantityErrors.format;
  const fraction = m[3] === undefined ? '' : m[3].slice(1);
  const letters = m[4]!;
  const digits = m[5]!;
  let exponent = 0;
  let format: QuantityFormat = 'DecimalSI';
  let shift = 0n;
  if (digits === '' && Object.hasOwn(decimalExponents, letters)) exponent = decimalExponents[letters]!;
  else if (digits === '' && Object.hasOwn(binaryShift, letters)) {
    shift = binaryShift[letters]!;
    format = 'BinarySI';
  } else if ((letters === 'e' || letters === 'E') && digits !== '' && digits !== '+' && digits !== '-') {
    exponent = Number(digits);
    if (Math.abs(exponent) > maxDigits) return quantityErrors.suffix;
    format = 'DecimalExponent';
  } else return quantityErrors.suffix;

  // as in apimachinery, a missing number is zero: `m` and `.` are 0
  let unscaled = BigInt(m[2]! + fraction);
  exponent -= fraction.length;
  if (shift > 0n) unscaled <<= shift;
  // what is smaller than a nano becomes one: who asks for a little gets a little
  if (exponent < nano) {
    unscaled = divideAwayFromZero(unscaled, nano - exponent);
    exponent = nano;
  }
  if (format === 'BinarySI') {
    const one = exponent < 0 ? pow10(-exponent) : 1n;
    if (unscaled > maxInt64 * one) {
      unscaled = maxInt64;
      exponent = 0;
    } else if (unscaled > 0n && unscaled < one) format = 'DecimalSI';
  }
  return { unscaled: m[1] === '-' ? -unscaled : unscaled, exponent, format };
}

/** The quantity a text stands for, or undefined when it stands for none. */
export function parseQuantity(text: string): Quantity | undefined {
  const parsed = parse(text);
  return typeof parsed === 'string' ? undefined : parsed;
}

/** Why `parseQuantity` refuses the text; undefined when it does not. */
export function quantityError(text: string): string | undefined {
  const parsed = parse(text);
  return typeof parsed === 'string' ? parsed : undefined;
}

/** For texts that were validated before, such as those in stored objects. Throws on anything else. */
export function mustParseQuantity(text: string): Quantity {
  const parsed = parse(text);
  if (typeof parsed === 'string') throw new RangeError(`${JSON.stringify(text)}: ${parsed}`);
  return parsed;
}

/** The common texts that are kept as they are, found without parsing. */
const plainlyKept = /^(?:0|[1-9][0-9]{0,2}(?:[KMGT]i)?|[1-9][0-9]{0,17}(?<!000)[numkMGTPE]?)$/;

/** How many digits of a binary quantity apimachinery looks at before it decides whether to keep the text. */
const keptBinaryDigits: Readonly<Record<string, number>> = { Ki: 11, Mi: 8, Gi: 5, Ti: 2 };

/**
 * apimachinery keeps a text that its quick look finds canonical, and the look misses some: `1.500`, `05` and `1E3` stay
 * as they were written. What users see in their objects depends on it, so the same look is taken here.
 */
function isKept(text: string): boolean {
  const m = split.exec(text)!;
  const whole = m[2]!.replace(/^0+/, '');
  const fraction = m[3] === undefined ? '' : m[3].slice(1);
  const letters = m[4]!;
  if (whole === '') return false;
  if (Object.hasOwn(binaryShift, letters)) {
    return fraction === '' && whole.length <= (keptBinaryDigits[letters] ?? 0) && Number(whole) % 8 !== 0;
  }
  const scale = (m[5] === '' ? decimalExponents[letters]! : Number(m[5])) - fraction.length;
  const digits = whole + fraction;
  return digits.length <= 18 && scale >= nano && scale % 3 === 0 && !digits.endsWith('000');
}

/**
 * The text Kubernetes stores for a quantity, or undefined when it is none: no fraction, no precision lost, the largest
 * suffix. `0.5` → `500m`, `1024Mi` → `1Gi`, `1000m` → `1`; see `isKept` for what stays as it is. Idempotent.
 */
export function canonicalQuantity(text: string): string | undefined {
  if (plainlyKept.test(text)) return text;
  const trimmed = text.trim();
  const parsed = parse(trimmed);
  if (typeof parsed === 'string') return undefined;
  if (isKept(trimmed)) return trimmed;
  const shown = formatQuantity(parsed);
  // 906.25Ki is 928000 bytes, which no binary suffix can say. Kubernetes stores that text, and reads it as a decimal one.
  return parsed.format === 'BinarySI' && shown.endsWith('000')
    ? formatQuantity({ ...parsed, format: 'DecimalSI' })
    : shown;
}

/** The canonical text. */
export function formatQuantity(quantity: Quantity): string {
  let { unscaled, exponent } = quantity;
  if (unscaled === 0n) return '0';
  if (quantity.format === 'BinarySI') {
    const whole = wholeOf(quantity);
    // below 1Ki, or not a whole number: the binary suffixes cannot say it
    if (whole !== undefined && (whole >= 1024n || whole <= -1024n)) {
      let value = whole;
      let power = 0;
      while (power < 6 && value % 1024n === 0n) {
        value /= 1024n;
        power++;
      }
      return `${value}${binarySuffixes[power]!}`;
    }
  }
  while (unscaled % 1000n === 0n) {
    unscaled /= 1000n;
    exponent += 3;
  }
  while (unscaled % 10n === 0n) {
    unscaled /= 10n;
    exponent++;
  }
  while (exponent % 3 !== 0) {
    unscaled *= 10n;
    exponent--;
  }
  if (quantity.format === 'DecimalExponent')
    return exponent === 0 ? `${unscaled}` : `${unscaled}e${exponent}`;
  // apimachinery has no suffix beyond E and would drop the scale; the number is written out instead
  while (exponent > 18) {
    unscaled *= 1000n;
    exponent -= 3;
  }
  return `${unscaled}${decimalSuffixes[exponent / 3 + 3]!}`;
}

/** The value if it is a whole number. */
function wholeOf(quantity: Quantity): bigint | undefined {
  if (quantity.exponent >= 0) return quantity.unscaled * pow10(quantity.exponent);
  const divisor = pow10(-quantity.exponent);
  const whole = quantity.unscaled / divisor;
  return whole * divisor === quantity.unscaled ? whole : undefined;
}

function combine(a: Quantity, b: Quantity, sign: 1n | -1n): Quantity {
  const exponent = Math.min(a.exponent, b.exponent);
  const left = a.unscaled * pow10(a.exponent - exponent);
  const right = b.unscaled * pow10(b.exponent - exponent);
  return { unscaled: left + sign * right, exponent, format: a.unscaled === 0n ? b.format : a.format };
}

/** a + b, in a's format; in b's when a is zero. */
export const addQuantity = (a: Quantity, b: Quantity): Quantity => combine(a, b, 1n);

/** a - b, in a's format; in b's when a is zero. */
export const subQuantity = (a: Quantity, b: Quantity): Quantity => combine(a, b, -1n);

/** Negative, zero or positive as a is less than, equal to or greater than b, whatever their formats. */
export function compareQuantity(a: Quantity, b: Quantity): number {
  const exponent = Math.min(a.exponent, b.exponent);
  const left = a.unscaled * pow10(a.exponent - exponent);
  const right = b.unscaled * pow10(b.exponent - exponent);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** ceil(value / 10^scale), rounded away from zero; capped at the int64 range. `scale` -3 gives thousandths. */
export function scaledValue(quantity: Quantity, scale: number): bigint {
  const up = quantity.exponent - scale;
  const value = up >= 0 ? quantity.unscaled * pow10(up) : divideAwayFromZero(quantity.unscaled, -up);
  if (value > maxInt64) return maxInt64;
  return value < -maxInt64 ? -maxInt64 : value;
}

/** Thousandths, rounded away from zero: the unit of cpu. Exact up to 2^53. */
export const toMilli = (quantity: Quantity): number => Number(scaledValue(quantity, -3));

/** Whole units, rounded away from zero (Kubernetes' `Value()`): bytes of memory, counts of pods. Exact up to 2^53. */
export const toValue = (quantity: Quantity): number => Number(scaledValue(quantity, 0));

/** The nearest floating-point number. */
export const toFloat = (quantity: Quantity): number => Number(`${quantity.unscaled}e${quantity.exponent}`);

/** A whole number of units as a quantity. */
export const quantityOf = (value: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity => ({
  unscaled: BigInt(value),
  exponent: 0,
  format,
});

/** Thousandths as a quantity: 1500 → `1500m`. */
export const quantityOfMilli = (milli: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity => ({
  unscaled: BigInt(milli),
  exponent: -3,
  format,
});
