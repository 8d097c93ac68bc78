// Random objects of any shape, for property tests: every kind is tried with bodies that nobody thought of. Few fields are
// chosen at each level, so that deep shapes (a pod) stay small enough to shrink.
import fc from 'fast-check';
import type { Field, ObjectSchema, ScalarType, Schema } from '../machinery/index.ts';

export interface ArbitraryOptions {
  /** How deep objects nest before they are left empty. */
  readonly depth?: number;
  /** At most so many fields of one object. */
  readonly fields?: number;
}

const words = [
  'a',
  'web',
  'TCP',
  'UDP',
  'None',
  'Always',
  'ClientIP',
  'LoadBalancer',
  'ExternalName',
  'In',
  '10.0.0.1',
  '::1',
  'kube-system',
  'example.com/x',
  '../x',
  'é',
  '-',
  ' ',
  '25%',
  '100m',
  '\u0000',
];
const times = ['2026-01-02T03:04:05Z', '1970-01-01T00:00:00Z', '2026-01-02T03:04:05.123456+09:00'];

const scalars: Readonly<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  string: fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 8 })),
  int32: fc.oneof(fc.constantFrom(-1, 0, 1, 80, 65536), fc.integer()),
  int64: fc.oneof(fc.constantFrom(-1, 0, 1), fc.maxSafeInteger()),
  double: fc.double({ noNaN: true, noDefaultInfinity: true }),
  bool: fc.boolean(),
  bytes: fc.base64String({ maxLength: 12 }),
  quantity: fc.constantFrom('0', '1', '-1', '100m', '1500m', '1Gi', '2e3', '0.5'),
  time: fc.constantFrom(...times),
  microTime: fc.constantFrom(...times),
  intOrString: fc.oneof(fc.integer(), fc.constantFrom(...words)),
  any: fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<unknown>,
};

/** A value that decodes under `schema`. */
export function arbitraryValue(schema: Schema, options: ArbitraryOptions = {}): fc.Arbitrary<unknown> {
  const { depth = 7 } = options;
  const below = { ...options, depth: depth - 1 };
  switch (schema.type) {
    case 'list':
      return depth <= 0 ? fc.constant([]) : fc.array(arbitraryValue(schema.items, below), { maxLength: 2 });
    case 'map':
      return depth <= 0
        ? fc.constant({})
        : fc.dictionary(fc.constantFrom(...words), arbitraryValue(schema.values, below), {
            maxKeys: 2,
            noNullPrototype: true,
          });
    case 'object':
      return arbitraryObject(schema, options);
    default:
      return scalars[schema.type];
  }
}

/** An object of the shape with a few of its fields. */
export function arbitraryObject(
  schema: ObjectSchema,
  options: ArbitraryOptions = {},
): fc.Arbitrary<Record<string, unknown>> {
  const { depth = 7, fields: most = 4 } = options;
  const fields = [...schema.fields.values()];
  if (depth <= 0 || fields.length === 0) return fc.constant({});
  return fc
    .uniqueArray(fc.constantFrom(...fields), { maxLength: most, selector: (field) => field.name })
    .chain((chosen) => fc.record(record(chosen, { ...options, depth: depth - 1 })));
}

const record = (fields: readonly Field[], options: ArbitraryOptions): Record<string, fc.Arbitrary<unknown>> =>
  Object.fromEntries(fields.map((field) => [field.name, arbitraryValue(field.schema, options)]));

const samples: Readonly<Record<ScalarType, unknown>> = {
  string: 'a',
  int32: 1,
  int64: 1,
  double: 1.5,
  bool: true,
  bytes: 'YQ==',
  quantity: '1',
  time: times[0],
  microTime: times[0],
  intOrString: 1,
  any: {},
};

/** The object with every field set, each list and map with one item, down to `depth`. */
export function fullObject(schema: ObjectSchema, depth = 9): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  if (depth > 0)
    for (const field of schema.fields.values()) out[field.name] = fullValue(field.schema, depth - 1);
  return out;
}

function fullValue(schema: Schema, depth: number): unknown {
  switch (schema.type) {
    case 'list':
      return [fullValue(schema.items, depth)];
    case 'map':
      return { a: fullValue(schema.values, depth) };
    case 'object':
      return fullObject(schema, depth);
    default:
      return samples[schema.type];
  }
}
