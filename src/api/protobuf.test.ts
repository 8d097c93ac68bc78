// Every shape that has field numbers must come back from protobuf as it went in, and nothing a client sends may do worse than be
// refused.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeMessage,
  decodeObject,
  encodeMessage,
  messageField,
  type ObjectSchema,
  ProtobufError,
  readEnvelope,
  type Schema,
  writeEnvelope,
} from '../machinery/index.ts';
import { arbitraryObject, fullObject } from '../testkit/index.ts';
import { protobufFields } from './generated/protobuf-fields.ts';
import { shapes } from './generated/shapes.ts';
import { kinds } from './kinds.ts';
import { protobufMessage, protobufMessageFor } from './protobuf.ts';
import { shape } from './shape.ts';

type Json = Record<string, unknown>;

/** Fields without a number, and the unions of JSON schema, which have a table of their own below. */
const notCompared = new Set([
  'core.v1.NodeAllocatableResourceClaimStatus.resources',
  'resource.v1.Device.nodeAllocatableResourceMappings',
  'apiextensions.v1.JSONSchemaProps.items',
  'apiextensions.v1.JSONSchemaProps.additionalItems',
  'apiextensions.v1.JSONSchemaProps.additionalProperties',
  'apiextensions.v1.JSONSchemaProps.dependencies',
]);

/** What both encodings can say: protobuf knows no null, no empty list or map, and no kind inside of an object. */
function comparable(schema: Schema, value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  switch (schema.type) {
    case 'object': {
      const out: Json = {};
      for (const [key, inner] of Object.entries(value)) {
        const ownField = new RegExp(`(^| )${key.replace('$', '\\$')}=`).test(
          protobufFields[schema.name] ?? '',
        );
        if (notCompared.has(`${schema.name}.${key}`)) continue;
        if ((key === 'kind' || key === 'apiVersion') && !ownField) continue;
        const kept = comparable(schema.fields.get(key)!.schema, inner);
        if (kept !== undefined) out[key] = kept;
      }
      return out;
    }
    case 'list': {
      const items = (value as unknown[]).map((item) => comparable(schema.items, item) ?? null);
      return items.length === 0 ? undefined : items;
    }
    case 'map': {
      const entries = Object.entries(value).map(([k, v]) => [k, comparable(schema.values, v) ?? null]);
      return entries.length === 0 ? undefined : Object.fromEntries(entries);
    }
    default:
      // JSON has no negative zero
      return JSON.parse(JSON.stringify(value));
  }
}

function roundTrip(schema: ObjectSchema, body: Json): void {
  const message = protobufMessage(schema)!;
  const object = decodeObject(schema, structuredClone(body), []);
  const bytes = encodeMessage(message, object);
  const unknown: string[] = [];
  const back = decodeObject(schema, decodeMessage(message, bytes), unknown);
  expect(comparable(schema, back)).toEqual(comparable(schema, object));
  expect(unknown).toEqual([]);
}

const withNumbers = Object.keys(shapes).filter((name) => protobufMessage(shape(name)) !== undefined);

it('has numbers for every built-in kind, its list and its bodies', () => {
  for (const kind of kinds) {
    expect(protobufMessage(kind.schema), kind.kind).toBeDefined();
    expect(protobufMessageFor(kind.apiVersion, kind.kind), kind.kind).toBe(protobufMessage(kind.schema));
  }
  for (const [apiVersion, kind] of [
    ['v1', 'Status'],
    ['v1', 'Binding'],
    ['apps/v1', 'DeleteOptions'],
    ['meta.k8s.io/v1', 'DeleteOptions'],
    ['policy/v1', 'Eviction'],
    ['policy/v1beta1', 'Eviction'],
    ['autoscaling/v1', 'Scale'],
    ['authentication.k8s.io/v1', 'TokenRequest'],
  ] as const)
    expect(protobufMessageFor(apiVersion, kind), kind).toBeDefined();
  expect(protobufMessageFor('apps.example.com/v1', 'Deployment')).toBeUndefined();
  expect(protobufMessageFor('constructor/v1', 'Pod')).toBeUndefined();
});

describe('round trip', () => {
  it.each(withNumbers)('%s', (name) => {
    const schema = shape(name);
    // A JSON schema holds itself in many fields, so all of it grows without end.
    roundTrip(schema, fullObject(schema, name.startsWith('apiextensions.') ? 4 : 9));
    fc.assert(
      fc.property(arbitraryObject(schema, { fields: 5, depth: 6 }), (body) =>
        roundTrip(schema, body as Json),
      ),
      { numRuns: kinds.some((kind) => kind.schema === schema) ? 150 : 15 },
    );
  });

  const jsonSchema = shape('apiextensions.v1.JSONSchemaProps');
  it.each<[string, Json]>([
    ['items, one schema', { items: { type: 'string' } }],
    ['items, a list', { items: [{ type: 'string' }, { maxLength: 3 }] }],
    ['no additional properties', { additionalProperties: false }],
    ['any additional properties', { additionalProperties: true }],
    ['additional properties of a schema', { additionalProperties: { type: 'object', nullable: true } }],
    ['additional items', { additionalItems: false }],
    ['dependencies', { dependencies: { a: ['b', 'c'], d: { required: ['e'] } } }],
    [
      'nested',
      { properties: { a: { items: { properties: { b: { additionalProperties: { type: 'string' } } } } } } },
    ],
    ['extensions', { 'x-kubernetes-int-or-string': true, 'x-kubernetes-list-map-keys': ['a'], $ref: '#/x' }],
    ['values', { default: { a: [1, null] }, enum: ['a', 1, false], maximum: 1.5 }],
  ])('JSON schema: %s', (_, body) => {
    const message = protobufMessage(jsonSchema)!;
    expect(decodeMessage(message, encodeMessage(message, body))).toEqual(body);
  });

  it('refuses nothing that the shape lets through, even where it is no JSON schema', () => {
    const message = protobufMessage(jsonSchema)!;
    for (const value of [1, 'a', [1, null], { a: 1 }, [[]]])
      for (const key of ['items', 'additionalProperties', 'dependencies'])
        decodeMessage(
          message,
          encodeMessage(message, { [key]: key === 'dependencies' ? { a: value } : value }),
        );
  });
});

describe('bytes written by hand', () => {
  const bytes = (...parts: (string | number[])[]): Buffer =>
    Buffer.concat(
      parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part))),
    );

  it.each<[string, string, Json, Buffer]>([
    [
      'an inline struct',
      'core.v1.SecretKeySelector',
      { name: 'n', key: 'k' },
      bytes([0x0a, 3, 0x0a, 1], 'n', [0x12, 1], 'k'),
    ],
    ['a map', 'core.v1.ConfigMap', { data: { a: 'b' } }, bytes([0x12, 6, 0x0a, 1], 'a', [0x12, 1], 'b')],
    ['bytes', 'core.v1.Secret', { data: { a: '/w==' } }, bytes([0x12, 6, 0x0a, 1], 'a', [0x12, 1, 0xff])],
    [
      'a quantity',
      'core.v1.ResourceRequirements',
      { limits: { cpu: '1' } },
      bytes([0x0a, 10, 0x0a, 3], 'cpu', [0x12, 3, 0x0a, 1], '1'),
    ],
    [
      'a time',
      'meta.v1.ObjectMeta',
      { creationTimestamp: '1970-01-01T00:05:00Z' },
      bytes([0x42, 5, 0x08, 0xac, 0x02, 0x10, 0]),
    ],
    [
      'before 1970',
      'meta.v1.ObjectMeta',
      { creationTimestamp: '1969-12-31T23:59:59Z' },
      bytes([0x42, 13, 0x08, ...Array(9).fill(0xff), 1, 0x10, 0]),
    ],
    [
      'microseconds',
      'coordination.v1.LeaseSpec',
      { renewTime: '1970-01-01T00:00:01.000002Z' },
      bytes([0x22, 5, 0x08, 1, 0x10, 0xd0, 0x0f]),
    ],
    [
      'a number or string: number',
      'core.v1.TCPSocketAction',
      { port: 80 },
      bytes([0x0a, 6, 0x08, 0, 0x10, 80, 0x1a, 0]),
    ],
    [
      'a number or string: string',
      'core.v1.TCPSocketAction',
      { port: 'a' },
      bytes([0x0a, 7, 0x08, 1, 0x10, 0, 0x1a, 1], 'a'),
    ],
    [
      'a negative number',
      'core.v1.PodSpec',
      { priority: -1 },
      bytes([0xc8, 0x01, ...Array(9).fill(0xff), 1]),
    ],
    ['raw JSON', 'meta.v1.ManagedFieldsEntry', { fieldsV1: { a: 1 } }, bytes([0x3a, 9, 0x0a, 7], '{"a":1}')],
    [
      'a wrapped list',
      'authentication.v1.UserInfo',
      { extra: { k: ['v', ''] } },
      bytes([0x22, 10, 0x0a, 1], 'k', [0x12, 5, 0x0a, 1], 'v', [0x0a, 0]),
    ],
  ])('%s', (_, name, object, wire) => {
    const message = protobufMessage(shape(name))!;
    expect(encodeMessage(message, object).toString('hex')).toBe(wire.toString('hex'));
    expect(decodeMessage(message, wire)).toEqual(object);
  });

  it('the envelope', () => {
    const wire = bytes(
      'k8s\0',
      [0x0a, 9, 0x0a, 2],
      'v1',
      [0x12, 3],
      'Pod',
      [0x12, 1],
      'x',
      [0x1a, 0, 0x22, 0],
    );
    expect(writeEnvelope('v1', 'Pod', Buffer.from('x')).toString('hex')).toBe(wire.toString('hex'));
    expect(readEnvelope(wire)).toEqual({ apiVersion: 'v1', kind: 'Pod', raw: Buffer.from('x') });
  });

  const podSpec = protobufMessage(shape('core.v1.PodSpec'))!;
  const securityContext = protobufMessage(shape('core.v1.PodSecurityContext'))!;
  it.each<[string, () => unknown, unknown]>([
    [
      'passes over unknown fields of every wire type',
      () =>
        decodeMessage(
          podSpec,
          bytes(
            [
              0xf8, 0x7f, 1, 0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x7f, 1, 0, 0xfd, 0x7f, 1, 2, 3, 4,
              0x52, 1,
            ],
            'n',
          ),
        ),
      { nodeName: 'n' },
    ],
    [
      'takes packed numbers',
      () => decodeMessage(securityContext, bytes([0x22, 3, 1, 0xac, 0x02])),
      { supplementalGroups: [1, 300] },
    ],
    [
      'merges a message that comes twice',
      () => decodeMessage(podSpec, bytes([0x72, 2, 0x10, 1, 0x72, 2, 0x28, 2])),
      { securityContext: { runAsUser: 1, fsGroup: 2 } },
    ],
    [
      'reads an empty time as none',
      () => decodeMessage(protobufMessage(shape('meta.v1.ObjectMeta'))!, bytes([0x42, 0])),
      { creationTimestamp: null },
    ],
    [
      'opens protobuf inside of a raw extension',
      () =>
        decodeMessage(
          protobufMessage(shape('apps.v1.ControllerRevision'))!,
          messageField(2, [
            messageField(1, [
              writeEnvelope('v1', 'ConfigMap', bytes([0x12, 6, 0x0a, 1], 'a', [0x12, 1], 'b')),
            ]),
          ]),
        ),
      { data: { apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'b' } } },
    ],
  ])('%s', (_, run, expected) => {
    expect(run()).toEqual(expected);
  });

  it('keeps a key that is called __proto__', () => {
    const map = decodeMessage(
      protobufMessage(shape('core.v1.ConfigMap'))!,
      bytes([0x12, 14, 0x0a, 9], '__proto__', [0x12, 1], 'b'),
    );
    expect(Object.keys(map['data'] as Json)).toEqual(['__proto__']);
  });
});

describe('malformed', () => {
  const podSpec = protobufMessage(shape('core.v1.PodSpec'))!;
  it.each<[string, number[], string]>([
    ['cut short in a number', [0xc8, 0x01], 'unexpected EOF'],
    ['cut short in a string', [0x52, 5, 0x61], 'unexpected EOF'],
    ['a number of more than 64 bits', [0xc8, 0x01, ...Array(11).fill(0xff)], 'proto: integer overflow'],
    ['a field of number 0', [0x02, 0x00], 'proto: illegal tag 2'],
    ['a wrong wire type', [0x50, 0x01], 'proto: wrong wireType = 0 for field nodeName'],
    ['a group', [0xfb, 0x7f], 'proto: illegal wireType 3'],
  ])('%s', (_, wire, message) => {
    expect(() => decodeMessage(podSpec, Buffer.from(wire))).toThrow(new ProtobufError(message));
  });

  it('refuses messages that nest without end', () => {
    let wire = Buffer.alloc(0);
    const length = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...length(n >>> 7)]);
    for (let i = 0; i < 5000; i++)
      wire = Buffer.concat([Buffer.from([0xe2, 0x01, ...length(wire.length)]), wire]);
    expect(() => decodeMessage(protobufMessage(shape('apiextensions.v1.JSONSchemaProps'))!, wire)).toThrow(
      ProtobufError,
    );
  });

  it('throws nothing but ProtobufError, whatever the bytes', () => {
    const attempt = (schema: ObjectSchema, wire: Buffer): void => {
      try {
        decodeMessage(protobufMessage(schema)!, wire);
      } catch (error) {
        if (!(error instanceof ProtobufError)) throw error;
      }
    };
    const schemas = [...kinds.map((kind) => kind.schema), shape('apiextensions.v1.CustomResourceDefinition')];
    fc.assert(
      fc.property(fc.constantFrom(...schemas), fc.uint8Array({ maxLength: 60 }), (schema, wire) =>
        attempt(schema, Buffer.from(wire)),
      ),
      { numRuns: 2000 },
    );
    for (const schema of schemas) {
      const good = encodeMessage(protobufMessage(schema)!, decodeObject(schema, fullObject(schema, 5), []));
      fc.assert(
        fc.property(fc.nat(good.length - 1), fc.nat(255), (at, byte) => {
          const wire = Buffer.from(good);
          wire[at] = byte;
          attempt(schema, wire);
          attempt(schema, good.subarray(0, at));
        }),
        { numRuns: 100 },
      );
    }
  });
});
