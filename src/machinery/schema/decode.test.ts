import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError, decodeObject, emptyObject } from './decode.ts';
import { type Field, field, ObjectSchema, type Schema, scalar } from './schema.ts';

const list = (items: Schema): Schema => ({ type: 'list', items, listType: 'atomic', mapKeys: [] });
const map = (values: Schema): Schema => ({ type: 'map', values });
const object = (name: string, fields: readonly Field[], preserveUnknown = false): ObjectSchema =>
  new ObjectSchema(`test.v1.${name}`, () => new Map(fields.map((f) => [f.name, f])), preserveUnknown);

const part = object('Part', [
  field('name', scalar('string'), { emit: 'always' }),
  field('count', scalar('int32')),
  field('port', scalar('intOrString'), { emit: 'present' }),
  field('limits', map(scalar('quantity'))),
]);
const spec = object('ThingSpec', [
  field('replicas', scalar('int32'), { emit: 'present' }),
  field('paused', scalar('bool')),
  field('big', scalar('int64')),
  field('ratio', scalar('double')),
  field('secret', scalar('bytes')),
  field('cpu', scalar('quantity')),
  field('parts', list(part)),
  field('args', list(scalar('string'))),
  field('inner', part, { emit: 'present' }),
  field('raw', scalar('any')),
]);
const thing = object('Thing', [
  field('kind', scalar('string')),
  field('labels', map(scalar('string'))),
  field('created', scalar('time'), { emit: 'present' }),
  field('renewed', scalar('microTime'), { emit: 'present' }),
  field('spec', spec, { emit: 'always' }),
  field('open', object('Open', [field('known', scalar('int32'))], true)),
  field('source', object('Source', [field('group', scalar('string'), { emit: 'nullable' })])),
]);

const decode = (value: unknown): unknown => decodeObject(thing, value, []);

describe('decodeObject', () => {
  it.each([
    ['writes what is always written', {}, { spec: {} }],
    [
      'drops nulls and empty values',
      { kind: '', labels: {}, spec: { parts: [], paused: false, big: 0, args: null } },
      { spec: {} },
    ],
    [
      'keeps the given zero of a pointer',
      { spec: { replicas: 0, inner: {} } },
      { spec: { replicas: 0, inner: { name: '' } } },
    ],
    [
      'writes null for a pointer that is always written',
      { source: {} },
      { spec: {}, source: { group: null } },
    ],
    ['takes null for such a pointer', { source: { group: null } }, { spec: {}, source: { group: null } }],
    ['keeps the zero of such a pointer', { source: { group: '' } }, { spec: {}, source: { group: '' } }],
    [
      'null in a list is the zero value',
      { spec: { args: ['a', null], parts: [null] } },
      { spec: { args: ['a', ''], parts: [{ name: '' }] } },
    ],
    ['null in a map is the zero value', { labels: { a: null } }, { labels: { a: '' }, spec: {} }],
    [
      'makes quantities canonical',
      { spec: { cpu: 0.5, parts: [{ limits: { memory: '1024Mi' } }] } },
      { spec: { cpu: '500m', parts: [{ name: '', limits: { memory: '1Gi' } }] } },
    ],
    [
      'makes times canonical',
      { created: '2026-01-02T04:04:05.9+01:00', renewed: '2026-01-02T03:04:05Z' },
      { created: '2026-01-02T03:04:05Z', renewed: '2026-01-02T03:04:05.000000Z', spec: {} },
    ],
    [
      'takes both kinds of port',
      { spec: { parts: [{ port: 80 }, { port: 'http' }] } },
      {
        spec: {
          parts: [
            { name: '', port: 80 },
            { name: '', port: 'http' },
          ],
        },
      },
    ],
    ['cleans base64', { spec: { secret: 'aGVs\nbG8=' } }, { spec: { secret: 'aGVsbG8=' } }],
    ['base64 with stray bits at its end', { spec: { secret: 'QR==' } }, { spec: { secret: 'QQ==' } }],
    ['keeps any value', { spec: { raw: { a: [null, 0, ''] } } }, { spec: { raw: { a: [null, 0, ''] } } }],
    ['keeps an empty any', { spec: { raw: {} } }, { spec: { raw: {} } }],
    [
      'keeps unknown members where the shape says so',
      { open: { known: 1, other: { a: 1 } } },
      { open: { known: 1, other: { a: 1 } }, spec: {} },
    ],
  ])('%s', (_, value, expected) => {
    expect(decode(value)).toEqual(expected);
  });

  it.each([
    [[], 'json: cannot unmarshal array into Go value of type v1.Thing'],
    [{ kind: 1 }, 'json: cannot unmarshal number into Go struct field Thing.kind of type string'],
    [{ spec: 'x' }, 'json: cannot unmarshal string into Go struct field Thing.spec of type v1.ThingSpec'],
    [
      { spec: { replicas: '1' } },
      'json: cannot unmarshal string into Go struct field ThingSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 1.5 } },
      'json: cannot unmarshal number 1.5 into Go struct field ThingSpec.spec.replicas of type int32',
    ],
    [
      { spec: { replicas: 2147483648 } },
      'json: cannot unmarshal number 2147483648 into Go struct field ThingSpec.spec.replicas of type int32',
    ],
    [
      { spec: { paused: 'true' } },
      'json: cannot unmarshal string into Go struct field ThingSpec.spec.paused of type bool',
    ],
    [
      { spec: { parts: {} } },
      'json: cannot unmarshal object into Go struct field ThingSpec.spec.parts of type []v1.Part',
    ],
    // as Go: neither indexes nor map keys
    [
      { spec: { parts: [{}, { name: true }] } },
      'json: cannot unmarshal bool into Go struct field Part.spec.parts.name of type string',
    ],
    [{ labels: { a: 1 } }, 'json: cannot unmarshal number into Go struct field Thing.labels of type string'],
    [
      { spec: { parts: [{ name: 'a' }], args: [1] } },
      'json: cannot unmarshal number into Go struct field ThingSpec.spec.args of type string',
    ],
    [
      { spec: { inner: { port: true } } },
      'json: cannot unmarshal bool into Go struct field Part.spec.inner.port of type int32',
    ],
    [{ created: 5 }, 'json: cannot unmarshal number into Go struct field Thing.created of type string'],
    [{ created: 'now' }, 'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"'],
    [
      { spec: { cpu: 'much' } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [
      { spec: { cpu: '1Kb' } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [{ spec: { cpu: '1K' } }, "unable to parse quantity's suffix"],
    [{ spec: { secret: 'a_b=' } }, 'illegal base64 data at input byte 1'],
  ])('refuses %j', (value, message) => {
    expect(() => decode(value)).toThrow(new DecodeError(message));
  });

  it('reports unknown fields with their full paths and prunes them', () => {
    const unknown: string[] = [];
    const value = JSON.parse(
      '{"x":1,"spec":{"y":1,"parts":[{"name":"a"},{"name":"b","z":{"deep":1}}],"inner":{"q":1}},"__proto__":1}',
    );
    expect(decodeObject(thing, value, unknown)).toEqual({
      spec: { parts: [{ name: 'a' }, { name: 'b' }], inner: { name: '' } },
    });
    expect(unknown).toEqual(['x', 'spec.y', 'spec.parts[1].z', 'spec.inner.q', '__proto__']);
  });

  it('is safe with members named __proto__', () => {
    const value = JSON.parse('{"labels":{"__proto__":"a"},"open":{"__proto__":{"polluted":1}}}');
    const decoded = decode(value) as Record<string, Record<string, unknown>>;
    expect(JSON.stringify(decoded)).toBe(
      '{"labels":{"__proto__":"a"},"open":{"__proto__":{"polluted":1}},"spec":{}}',
    );
    expect(decoded['open']!['polluted']).toBeUndefined();
  });

  const json = fc.jsonValue({ maxDepth: 3 });
  const near = (valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 12, arbitrary: valid }, { weight: 1, arbitrary: json });
  const parts = fc.record(
    {
      name: near(fc.string()),
      count: near(fc.integer()),
      port: near(fc.oneof(fc.nat(), fc.string())),
      limits: near(fc.dictionary(fc.string(), fc.constantFrom('1', '0.5', '1024Mi', '1e3', '1.500'))),
      unheard: json,
    },
    { requiredKeys: [] },
  );
  const body = fc.record(
    {
      kind: near(fc.string()),
      labels: near(fc.dictionary(fc.string(), fc.string())),
      created: near(fc.constantFrom('2026-01-02T03:04:05Z', '2026-01-02T03:04:05+02:00')),
      spec: near(
        fc.record(
          {
            replicas: near(fc.integer()),
            cpu: near(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 })),
            parts: near(fc.array(parts)),
            raw: json,
            ratio: near(fc.double()),
            secret: near(fc.base64String()),
          },
          { requiredKeys: [] },
        ),
      ),
    },
    { requiredKeys: [] },
  );

  it('never throws anything but DecodeError, and decoding the result gives the result', () => {
    fc.assert(
      fc.property(body, (value) => {
        const before = JSON.stringify(value);
        let once: unknown;
        try {
          once = decode(value);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
          return;
        }
        expect(JSON.stringify(value)).toBe(before);
        const unknown: string[] = [];
        expect(decodeObject(thing, once, unknown)).toEqual(once);
        expect(unknown).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('an object of nothing decodes to itself', () => {
    expect(decode(emptyObject(thing))).toEqual(emptyObject(thing));
  });
});
