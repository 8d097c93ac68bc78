// Functions that Kubernetes adds to CEL, up to 1.35. What is not here does not compile, so who needs it is refused by name.
import { type Environment, Optional } from '@marcbachmann/cel-js';
import {
  addQuantity,
  compareQuantity,
  mustParseQuantity,
  parseQuantity,
  type Quantity,
  quantityOf,
  subQuantity,
  toFloat,
  toValue,
} from '../codec/quantity.ts';
import { patternOf } from '../structural/validate.ts';
import { addAddresses } from './addresses.ts';
import { addConversions } from './conversions.ts';
import { addFormats } from './formats.ts';
import { addImages } from './images.ts';

class CelQuantity {
  readonly quantity: Quantity;
  constructor(quantity: Quantity) {
    this.quantity = quantity;
  }
}

class CelUrl {
  readonly url: URL;
  constructor(text: string) {
    if (!isUrl(text))
      throw new Error(`URL parse error during conversion from string: ${JSON.stringify(text)}`);
    this.url = new URL(text, pathOnly);
  }
  /** A path alone has no host and no scheme. */
  get whole(): boolean {
    return this.url.protocol !== 'path:';
  }
}
const pathOnly = 'path://host';

/** Stands before `.contains` and its like in `sets.contains(a, b)`. */
class Sets {}
/** The same for `strings.quote(a)`. */
class Strings {}

type Comparable = bigint | number | string;

/** A quantity as expressions see it; throws for what is none. */
export const toCelQuantity = (text: string): unknown => new CelQuantity(mustParseQuantity(text));

const isWhole = (quantity: Quantity): boolean =>
  compareQuantity(quantity, quantityOf(Math.trunc(toFloat(quantity)))) === 0;

const quantityFrom = (given: CelQuantity | bigint): Quantity =>
  given instanceof CelQuantity ? given.quantity : quantityOf(given);

const isUrl = (text: string): boolean => {
  if (text.startsWith('/')) return true;
  try {
    return new URL(text).protocol !== '';
  } catch {
    return false;
  }
};

/** The same text for the same value, and another for another type. */
export function identityOf(value: unknown): string {
  if (typeof value === 'bigint') return `i${value}`;
  if (Array.isArray(value)) return `[${value.map(identityOf).join()}]`;
  if (value instanceof Map) return `{${[...value].map(([k, v]) => `${k}:${identityOf(v)}`).sort()}}`;
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return identityOf(new Map(Object.entries(value)));
  return `${typeof value} ${JSON.stringify(value)}`;
}

const identities = (list: readonly unknown[]): Set<string> => new Set(list.map(identityOf));
const within = (inner: Set<string>, outer: Set<string>): boolean => [...inner].every((one) => outer.has(one));

const shownAs = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(shownAs).join(', ')}]`;
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  return String(value);
};

/** `"%s has %d".format([a, b])` */
function formatted(text: string, values: readonly unknown[]): string {
  let at = 0;
  return text.replace(/%(?:%|\.?(\d*)([sdfxXbo]))/g, (whole, digits: string | undefined, verb: string) => {
    if (whole === '%%') return '%';
    if (at >= values.length) throw new Error(`index ${at} out of range`);
    const value = values[at++];
    switch (verb) {
      case 'f':
        return Number(value).toFixed(digits === '' || digits === undefined ? 6 : Number(digits));
      case 'x':
        return (value as bigint).toString(16);
      case 'X':
        return (value as bigint).toString(16).toUpperCase();
      case 'b':
        return typeof value === 'boolean' ? String(value) : (value as bigint).toString(2);
      case 'o':
        return (value as bigint).toString(8);
      default:
        return shownAs(value);
    }
  });
}

const escapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};
const quoted = (text: string): string =>
  `"${text.replace(/[\x07\b\f\n\r\t\v\\"]/g, (one) => escapes[one]!)}"`;

function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.keys(value).length === 0;
  return value === null || value === '' || value === false || value === 0 || value === 0n;
}

const regExp = (pattern: string): RegExp => {
  const found = patternOf(pattern);
  if (found === null) throw new Error(`error parsing regexp: ${pattern}`);
  return found;
};

function findAll(text: string, pattern: string, limit?: bigint): string[] {
  const found = regExp(pattern);
  const all = [...text.matchAll(new RegExp(found.source, `${found.flags}g`))].map(([match]) => match);
  return limit === undefined || limit < 0n ? all : all.slice(0, Number(limit));
}

function extreme(list: readonly Comparable[], better: (a: Comparable, b: Comparable) => boolean): Comparable {
  if (list.length === 0) throw new Error('min/max called on empty list');
  return list.reduce((best, one) => (better(one, best) ? one : best));
}

function replaced(text: string, from: string, to: string, limit: bigint): string {
  if (limit < 0n) return text.replaceAll(from, () => to);
  let out = text;
  let at = 0;
  for (let i = 0n; i < limit; i++) {
    const found = out.indexOf(from, at);
    if (found < 0) break;
    out = out.slice(0, found) + to + out.slice(found + from.length);
    at = found + to.length;
  }
  return out;
}

function sum(list: readonly (bigint | number)[]): bigint | number {
  return typeof list[0] === 'number'
    ? (list as number[]).reduce((a, b) => a + b, 0)
    : (list as bigint[]).reduce((a, b) => a + b, 0n);
}

function charAt(text: string, index: bigint): string {
  const letters = [...text];
  if (index < 0n || index > BigInt(letters.length)) throw new Error(`index out of range: ${index}`);
  return letters[Number(index)] ?? '';
}

const indexOf = (list: readonly unknown[], one: unknown): bigint =>
  BigInt(list.map(identityOf).indexOf(identityOf(one)));
const lastIndexOf = (list: readonly unknown[], one: unknown): bigint =>
  BigInt(list.map(identityOf).lastIndexOf(identityOf(one)));

// biome-ignore lint/suspicious/noExplicitAny: the signature beside it says what each takes
type Handler = (...args: any[]) => unknown;

const functions: Readonly<Record<string, Handler>> = {
  'list.isSorted(): bool': (list: readonly Comparable[]) =>
    list.every((one, i) => i === 0 || list[i - 1]! <= one),
  'list.sum(): dyn': sum,
  'list.min(): dyn': (list: readonly Comparable[]) => extreme(list, (a, b) => a < b),
  'list.max(): dyn': (list: readonly Comparable[]) => extreme(list, (a, b) => a > b),
  'list.indexOf(dyn): int': indexOf,
  'list.lastIndexOf(dyn): int': lastIndexOf,
  'string.find(string): string': (text: string, pattern: string) => regExp(pattern).exec(text)?.[0] ?? '',
  'string.findAll(string): list<string>': findAll,
  'string.findAll(string, int): list<string>': findAll,
  'string.replace(string, string): string': (text: string, from: string, to: string) =>
    replaced(text, from, to, -1n),
  'string.replace(string, string, int): string': replaced,
  'string.charAt(int): string': charAt,
  'string.format(list): string': formatted,
  'Strings.quote(string): string': (_: Strings, text: string) => quoted(text),
  'OptionalNamespace.ofNonZeroValue(dyn): optional<dyn>': (_: unknown, value: unknown) =>
    isZero(value) ? Optional.none() : Optional.of(value),
  'isURL(string): bool': isUrl,
  'url(string): URL': (text: string) => new CelUrl(text),
  'URL.getScheme(): string': ({ whole, url }: CelUrl) => (whole ? url.protocol.slice(0, -1) : ''),
  'URL.getHost(): string': ({ whole, url }: CelUrl) => (whole ? url.host : ''),
  'URL.getHostname(): string': ({ whole, url }: CelUrl) =>
    whole ? url.hostname.replace(/^\[(.*)\]$/, '$1') : '',
  'URL.getPort(): string': ({ url }: CelUrl) => url.port,
  'URL.getEscapedPath(): string': ({ url }: CelUrl) => url.pathname,
  'URL.getQuery(): map<string, list<string>>': ({ url }: CelUrl) =>
    new Map([...new Set(url.searchParams.keys())].map((key) => [key, url.searchParams.getAll(key)])),
  'isQuantity(string): bool': (text: string) => parseQuantity(text) !== undefined,
  'quantity(string): Quantity': (text: string) => new CelQuantity(mustParseQuantity(text)),
  'Quantity.sign(): int': ({ quantity }: CelQuantity) => BigInt(compareQuantity(quantity, quantityOf(0))),
  'Quantity.isInteger(): bool': ({ quantity }: CelQuantity) => isWhole(quantity),
  'Quantity.asInteger(): int': ({ quantity }: CelQuantity) => {
    if (!isWhole(quantity)) throw new Error('cannot convert value to integer');
    return BigInt(toValue(quantity));
  },
  'Quantity.asApproximateFloat(): double': ({ quantity }: CelQuantity) => toFloat(quantity),
  'Quantity.add(dyn): Quantity': (a: CelQuantity, b: CelQuantity | bigint) =>
    new CelQuantity(addQuantity(a.quantity, quantityFrom(b))),
  'Quantity.sub(dyn): Quantity': (a: CelQuantity, b: CelQuantity | bigint) =>
    new CelQuantity(subQuantity(a.quantity, quantityFrom(b))),
  'Quantity.isLessThan(Quantity): bool': (a: CelQuantity, b: CelQuantity) =>
    compareQuantity(a.quantity, b.quantity) < 0,
  'Quantity.isGreaterThan(Quantity): bool': (a: CelQuantity, b: CelQuantity) =>
    compareQuantity(a.quantity, b.quantity) > 0,
  'Quantity.compareTo(Quantity): int': (a: CelQuantity, b: CelQuantity) =>
    BigInt(compareQuantity(a.quantity, b.quantity)),
  'Sets.contains(list, list): bool': (_: Sets, outer: readonly unknown[], inner: readonly unknown[]) =>
    within(identities(inner), identities(outer)),
  'Sets.equivalent(list, list): bool': (_: Sets, a: readonly unknown[], b: readonly unknown[]) =>
    within(identities(a), identities(b)) && within(identities(b), identities(a)),
  'Sets.intersects(list, list): bool': (_: Sets, a: readonly unknown[], b: readonly unknown[]) => {
    const other = identities(b);
    return [...identities(a)].some((one) => other.has(one));
  },
};

export function addKubernetesLibrary(environment: Environment): Environment {
  environment.registerType('Quantity', CelQuantity);
  environment.registerType('URL', CelUrl);
  environment.registerType('Sets', Sets);
  environment.registerConstant('sets', 'Sets', new Sets());
  environment.registerType('Strings', Strings);
  environment.registerConstant('strings', 'Strings', new Strings());
  for (const [signature, handler] of Object.entries(functions))
    environment.registerFunction(signature, handler, { async: false } as never);
  environment.registerOperator(
    'Quantity == Quantity',
    (a: CelQuantity, b: CelQuantity) => compareQuantity(a.quantity, b.quantity) === 0,
  );
  environment.registerOperator('optional<V> == optional<V>', (a: Optional, b: Optional) =>
    a.hasValue() && b.hasValue()
      ? identityOf(a.value()) === identityOf(b.value())
      : a.hasValue() === b.hasValue(),
  );
  environment.registerOperator('URL == URL', (a: CelUrl, b: CelUrl) => a.url.href === b.url.href);
  return addConversions(addImages(addFormats(addAddresses(environment))));
}
