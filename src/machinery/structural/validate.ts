// Whether a value fits its schema. Every fault of a value is told, in the words in which kube-apiserver tells it.

import type { FieldAt } from '../validation/field-at.ts';
import { earlierItems } from './earlier-items.ts';
import { isOfFormat } from './formats.ts';
import { isMap, itemsOf, type Json, type JsonSchema, propertyOf, valuesOf } from './json-schema.ts';

/** One fault. `value` undefined = it is not shown. */
type Tell = (field: FieldAt, fault: Fault) => void;

type Fault =
  | { readonly kind: 'required' }
  | { readonly kind: 'tooMany'; readonly actual: number; readonly max: number }
  | { readonly kind: 'tooLong'; readonly max: number }
  | { readonly kind: 'notSupported'; readonly value: unknown; readonly values: readonly string[] }
  | { readonly kind: 'duplicate'; readonly value: unknown }
  | { readonly kind: 'type' | 'invalid'; readonly value: unknown; readonly says: string };

/**
 * Adds every fault to the causes of `field`. Pure. A fault of what is as it was in `old` is none: a schema that has become stricter does
 * not keep old objects from being changed elsewhere.
 */
export function validateValue(schema: JsonSchema, value: unknown, field: FieldAt, old?: unknown): void {
  check(schema, { value, old }, field, report);
}

interface Checked {
  readonly value: unknown;
  /** undefined = there was none, or nobody can say which it was. */
  readonly old: unknown;
}

/** What is below a value: its faults count unless it is as it was. */
function checkBelow(schema: JsonSchema, { value, old }: Checked, field: FieldAt, tell: Tell): void {
  let isSame: boolean | undefined;
  const tellNew: Tell = (where, fault) => {
    isSame ??= same(value, old);
    if (!isSame) tell(where, fault);
  };
  check(schema, { value, old }, field, old === undefined ? tell : tellNew);
}

const report: Tell = (field, fault) => {
  switch (fault.kind) {
    case 'required':
      field.required();
      return;
    case 'tooMany':
      field.tooMany(fault.actual, fault.max);
      return;
    case 'tooLong':
      field.tooLong(fault.max);
      return;
    case 'notSupported':
      field.notSupported(fault.value, fault.values);
      return;
    case 'duplicate':
      field.duplicate(fault.value);
      return;
    case 'type':
      field.causes.typeInvalid(field.path, fault.value, fault.says);
      return;
    case 'invalid':
      field.invalid(fault.value, fault.says);
  }
};

function fits(schema: JsonSchema, value: unknown, field: FieldAt): boolean {
  let good = true;
  check(schema, { value, old: undefined }, field, () => {
    good = false;
  });
  return good;
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value === 'object' ? 'object' : typeof value;
}

/** The path as the texts of faults name it. */
const inBody = (field: FieldAt): string => `${field.path === '' ? '<nil>' : field.path} in body`;

function check(schema: JsonSchema, { value, old }: Checked, field: FieldAt, tell: Tell): void {
  const type = typeOf(value);
  const invalid = (says: string): void => tell(field, { kind: 'invalid', value, says });
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  const wanted = intOrString ? 'integer,string' : schema.type;
  if (type === 'null' && schema.nullable === true) return;
  if (wanted !== undefined && wanted !== '') {
    const right =
      wanted === type ||
      (wanted === 'number' && type === 'integer') ||
      (intOrString && wanted.split(',').includes(type));
    if (!right) {
      const shown = type === 'null' ? 'null' : type;
      tell(field, {
        kind: 'type',
        value: isMap(value) || Array.isArray(value) ? shown : (value ?? 'null'),
        says: `${inBody(field)} must be of type ${wanted}: ${JSON.stringify(type === 'null' ? 'null' : shown)}`,
      });
      return;
    }
  }
  if (schema.enum !== undefined && schema.enum.length > 0 && !schema.enum.some((one) => same(one, value)))
    tell(field, {
      kind: 'notSupported',
      value,
      values: schema.enum.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
    });
  if (typeof value === 'string') checkText(schema, value, field, tell);
  else if (typeof value === 'number') checkNumber(schema, value, field, invalid);
  else if (Array.isArray(value)) checkList(schema, { value, old }, field, tell);
  else if (isMap(value)) checkMap(schema, { value, old }, field, tell);
  checkAlternatives(schema, value, field, tell);
}

const patterns = new Map<string, RegExp | null>();

/** null = it is no pattern that this program can read; the definition was refused then. */
export function patternOf(source: string): RegExp | null {
  let found = patterns.get(source);
  if (found === undefined) {
    try {
      // Go's syntax for what JavaScript writes with a flag or other words
      const flags = /^\(\?i\)/.test(source) ? 'iu' : 'u';
      const text = source
        .replace(/^\(\?i\)/, '')
        .replaceAll('\\A', '^')
        .replaceAll('\\z', '$')
        .replaceAll('(?P<', '(?<');
      found = compile(text, flags);
    } catch {
      found = null;
    }
    patterns.set(source, found);
  }
  return found;
}

/** Escapes that only the strict syntax refuses (`\-`, `\_`) are common. */
function compile(text: string, flags: string): RegExp {
  try {
    return new RegExp(text, flags);
  } catch {
    return new RegExp(text, flags.replace('u', ''));
  }
}

function checkText(schema: JsonSchema, value: string, field: FieldAt, tell: Tell): void {
  const invalid = (says: string): void => tell(field, { kind: 'invalid', value, says });
  const { minLength, maxLength, pattern, format } = schema;
  if (minLength !== undefined || maxLength !== undefined) {
    const length = [...value].length;
    if (minLength !== undefined && length < minLength)
      invalid(`${inBody(field)} should be at least ${minLength} chars long`);
    if (maxLength !== undefined && length > maxLength) tell(field, { kind: 'tooLong', max: maxLength });
  }
  if (pattern !== undefined && pattern !== '' && patternOf(pattern)?.test(value) === false)
    invalid(`${inBody(field)} should match '${pattern}'`);
  if (format !== undefined && !isOfFormat(value, format))
    invalid(`${inBody(field)} must be of type ${format}: ${JSON.stringify(value)}`);
}

const ranges: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63],
};

function checkNumber(
  schema: JsonSchema,
  value: number,
  field: FieldAt,
  invalid: (says: string) => void,
): void {
  const { minimum, maximum, multipleOf, format = '' } = schema;
  if (multipleOf !== undefined && !isMultiple(value, multipleOf))
    invalid(`${inBody(field)} should be a multiple of ${multipleOf}`);
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum))
    invalid(
      `${inBody(field)} should be less than ${schema.exclusiveMaximum === true ? '' : 'or equal to '}${maximum}`,
    );
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum))
    invalid(
      `${inBody(field)} should be greater than ${schema.exclusiveMinimum === true ? '' : 'or equal to '}${minimum}`,
    );
  const range = schema.type === 'integer' ? ranges[format] : undefined;
  if (range !== undefined && (value < range[0] || value > range[1]))
    invalid(`Checked value must be of type integer with format ${format}`);
}

const isMultiple = (value: number, of: number): boolean => {
  const quotient = value / of;
  return Math.abs(quotient - Math.round(quotient)) < 1e-9 * Math.max(1, Math.abs(quotient));
};

interface CheckedList extends Checked {
  readonly value: readonly unknown[];
}

function checkList(schema: JsonSchema, { value, old }: CheckedList, field: FieldAt, tell: Tell): void {
  const { minItems, maxItems } = schema;
  const invalid = (says: string): void => tell(field, { kind: 'invalid', value, says });
  if (minItems !== undefined && value.length < minItems)
    invalid(`${inBody(field)} should have at least ${minItems} items`);
  if (maxItems !== undefined && value.length > maxItems)
    tell(field, { kind: 'tooMany', actual: value.length, max: maxItems });
  const items = itemsOf(schema);
  if (items !== undefined) {
    const before = earlierItems(schema, old);
    for (const [i, item] of value.entries())
      checkBelow(items, { value: item, old: before(item) }, field.index(i), tell);
  }
  checkIdentity(schema, value, field, tell);
}

/** No two items of a set are the same, and no two items of a map have the same keys. */
function checkIdentity(schema: JsonSchema, value: readonly unknown[], field: FieldAt, tell: Tell): void {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const identity = (item: unknown): unknown => {
    if (type === 'set') return item;
    return Object.fromEntries(
      keys.filter((key) => isMap(item) && key in item).map((key) => [key, (item as Json)[key]]),
    );
  };
  const seen = new Map<string, number>();
  value.forEach((item, i) => {
    if (type === 'map' && item !== null && !isMap(item)) {
      tell(field.index(i), {
        kind: 'invalid',
        value: item,
        says: 'must be an object for an array of list-type map',
      });
      return;
    }
    const own = identity(item);
    const text = stable(own);
    const times = seen.get(text) ?? 0;
    seen.set(text, times + 1);
    if (times === 1) tell(field.index(i), { kind: 'duplicate', value: own });
  });
}

interface CheckedMap extends Checked {
  readonly value: Json;
}

function checkMap(schema: JsonSchema, { value, old }: CheckedMap, field: FieldAt, tell: Tell): void {
  const invalid = (says: string): void => tell(field, { kind: 'invalid', value, says });
  const { minProperties, maxProperties } = schema;
  if (minProperties !== undefined || maxProperties !== undefined) {
    const count = Object.keys(value).length;
    if (minProperties !== undefined && count < minProperties)
      invalid(`${inBody(field)} should have at least ${minProperties} properties`);
    if (maxProperties !== undefined && count > maxProperties)
      tell(field, { kind: 'tooMany', actual: count, max: maxProperties });
  }
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name)) tell(at(field, name), { kind: 'required' });
  const values = valuesOf(schema);
  for (const key of Object.keys(value)) {
    const below = propertyOf(schema, key) ?? values;
    const before = isMap(old) && Object.hasOwn(old, key) ? old[key] : undefined;
    if (below !== undefined) checkBelow(below, { value: value[key], old: before }, at(field, key), tell);
  }
}

const at = (field: FieldAt, name: string): FieldAt => field.child(name);

function checkAlternatives(schema: JsonSchema, value: unknown, field: FieldAt, tell: Tell): void {
  const { allOf, anyOf, oneOf, not } = schema;
  const invalid = (says: string): void =>
    tell(field, { kind: 'invalid', value: isMap(value) || Array.isArray(value) ? '' : value, says });
  const name = JSON.stringify(field.path);
  if (anyOf !== undefined && anyOf.length > 0 && !anyOf.some((one) => fits(one, value, field)))
    invalid(`${name} must validate at least one schema (anyOf)`);
  if (oneOf !== undefined && oneOf.length > 0) {
    const count = oneOf.filter((one) => fits(one, value, field)).length;
    if (count === 0) invalid(`${name} must validate one and only one schema (oneOf). Found none valid`);
    else if (count > 1)
      invalid(`${name} must validate one and only one schema (oneOf). Found ${count} valid alternatives`);
  }
  if (allOf !== undefined && allOf.length > 0) {
    let good = true;
    for (const one of allOf)
      check(one, { value, old: undefined }, field, (where, fault) => {
        good = false;
        tell(where, fault);
      });
    if (!good) invalid(`${name} must validate all the schemas (allOf)`);
  }
  if (not !== undefined && fits(not, value, field)) invalid(`${name} must not validate the schema (not)`);
}

/** The same text for the same value, whatever the order of members. */
function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join(',')}]`;
  if (!isMap(value)) return JSON.stringify(value) ?? 'null';
  const members = Object.keys(value).sort();
  return `{${members.map((key) => `${JSON.stringify(key)}:${stable(value[key])}`).join(',')}}`;
}

const same = (a: unknown, b: unknown): boolean => a === b || stable(a) === stable(b);
