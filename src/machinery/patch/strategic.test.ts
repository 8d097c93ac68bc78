import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Field, field, type ListSchema, ObjectSchema, type Schema, scalar } from '../schema/schema.ts';
import { applyStrategicMergePatch } from './strategic.ts';

const string = scalar('string');
const list = (items: Schema): ListSchema => ({ type: 'list', items, listType: 'atomic', mapKeys: [] });
const object = (name: string, fields: readonly Field[]): ObjectSchema =>
  new ObjectSchema(`test.v1.${name}`, () => new Map(fields.map((f) => [f.name, f])));
const byName = { patchStrategy: ['merge'], mergeKey: 'name' };

const port = object('Port', [field('containerPort', scalar('int32')), field('protocol', string)]);
const container = object('Container', [
  field('name', string),
  field('image', string),
  field('args', list(string)),
  field('ports', list(port), { patchStrategy: ['merge'], mergeKey: 'containerPort' }),
  field('env', list(object('EnvVar', [field('name', string), field('value', string)])), byName),
]);
const volume = object('Volume', [
  field('name', string),
  field('emptyDir', scalar('any')),
  field('hostPath', scalar('any')),
]);
const schema = object('Thing', [
  field('finalizers', list(string), { patchStrategy: ['merge'] }),
  field('labels', { type: 'map', values: string }),
  field('containers', list(container), byName),
  field('volumes', list(volume), { patchStrategy: ['merge', 'retainKeys'], mergeKey: 'name' }),
  field('strategy', object('Strategy', [field('type', string), field('rollingUpdate', scalar('any'))]), {
    patchStrategy: ['retainKeys'],
  }),
  field('whole', object('Whole', [field('a', string), field('b', string)]), { patchStrategy: ['replace'] }),
  field('atomic', list(object('Item', [field('name', string)]))),
  field(
    'nested',
    object('Nested', [field('a', string), field('inner', object('Inner', [field('b', string)]))]),
  ),
]);

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}
const apply = (original: unknown, patch: unknown) =>
  applyStrategicMergePatch(schema, deepFreeze(original), deepFreeze(patch));
const named = (...names: string[]) => names.map((name) => ({ name }));

describe('applyStrategicMergePatch', () => {
  it.each([
    [
      'scalars and maps',
      { labels: { a: '1', b: '2' } },
      { labels: { b: null, c: '3' } },
      { labels: { a: '1', c: '3' } },
    ],
    [
      'null deletes',
      { nested: { a: 'x', inner: { b: 'y' } } },
      { nested: { inner: null } },
      { nested: { a: 'x' } },
    ],
    ['null where nothing is', {}, { nested: null }, {}],
    [
      'nulls inside a new member',
      {},
      { nested: { a: null, inner: { b: 'x' } } },
      { nested: { inner: { b: 'x' } } },
    ],
    ['another type', { labels: { a: '1' } }, { labels: 'x' }, { labels: 'x' }],
    ['a list without strategy', { atomic: named('a', 'b') }, { atomic: named('c') }, { atomic: named('c') }],
    ['an emptied list without strategy', { atomic: named('a') }, { atomic: [] }, { atomic: [] }],
    [
      'a struct that is replaced',
      { whole: { a: '1', b: '2' } },
      { whole: { a: '3' } },
      { whole: { a: '3' } },
    ],
    [
      'merges by key',
      {
        containers: [
          { name: 'a', image: 'x', args: ['1'] },
          { name: 'b', image: 'y' },
        ],
      },
      { containers: [{ name: 'b', image: 'z' }] },
      {
        containers: [
          { name: 'a', image: 'x', args: ['1'] },
          { name: 'b', image: 'z' },
        ],
      },
    ],
    [
      'merges by a number, and in depth',
      { containers: [{ name: 'a', ports: [{ containerPort: 80, protocol: 'TCP' }, { containerPort: 81 }] }] },
      { containers: [{ name: 'a', ports: [{ containerPort: 81, protocol: 'UDP' }, { containerPort: 82 }] }] },
      {
        containers: [
          {
            name: 'a',
            ports: [
              { containerPort: 80, protocol: 'TCP' },
              { containerPort: 81, protocol: 'UDP' },
              { containerPort: 82 },
            ],
          },
        ],
      },
    ],
    ['adds to a list that is not there', {}, { containers: named('a') }, { containers: named('a') }],
    [
      'puts new items by the patch order',
      { containers: named('a', 'b', 'c') },
      { containers: named('d', 'b') },
      { containers: named('d', 'a', 'b', 'c') },
    ],
    [
      'patch order wins over live order',
      { containers: named('a', 'b') },
      { containers: named('b', 'a') },
      { containers: named('b', 'a') },
    ],
    [
      'deletes an item',
      { containers: named('a', 'b') },
      { containers: [{ name: 'a', $patch: 'delete' }] },
      { containers: named('b') },
    ],
    [
      'deletes nothing quietly',
      { containers: named('a') },
      { containers: [{ name: 'x', $patch: 'delete' }] },
      { containers: named('a') },
    ],
    [
      'deletes from no list',
      {},
      { containers: [{ name: 'a', $patch: 'delete' }, { name: 'b' }] },
      { containers: named('b') },
    ],
    [
      'replaces a list',
      { containers: named('a', 'b') },
      { containers: [{ $patch: 'replace' }, { name: 'c' }] },
      { containers: named('c') },
    ],
    [
      'replaces a map',
      { nested: { a: '1', inner: { b: '2' } } },
      { nested: { $patch: 'replace', a: '3' } },
      { nested: { a: '3' } },
    ],
    [
      'deletes a map',
      { nested: { a: '1' }, labels: { x: 'y' } },
      { nested: { $patch: 'delete' } },
      { nested: {}, labels: { x: 'y' } },
    ],
    ['deletes a map that is not there', {}, { nested: { $patch: 'delete' } }, {}],
    [
      'replaces the whole',
      { labels: { a: '1' } },
      { $patch: 'replace', finalizers: ['f'] },
      { finalizers: ['f'] },
    ],
    [
      'a set of scalars',
      { finalizers: ['a', 'b'] },
      { finalizers: ['c', 'a'] },
      { finalizers: ['c', 'a', 'b'] },
    ],
    [
      'new scalars come first when the server does not know them',
      { finalizers: ['a'] },
      { finalizers: ['b'] },
      { finalizers: ['b', 'a'] },
    ],
    [
      'deletes scalars',
      { finalizers: ['a', 'b', 'c'] },
      { '$deleteFromPrimitiveList/finalizers': ['b', 'x'] },
      { finalizers: ['a', 'c'] },
    ],
    ['deletes scalars where none are', {}, { '$deleteFromPrimitiveList/finalizers': ['b'] }, {}],
    [
      'orders scalars',
      { finalizers: ['a', 'b', 'c'] },
      {
        '$setElementOrder/finalizers': ['c', 'd', 'a'],
        finalizers: ['d'],
        '$deleteFromPrimitiveList/finalizers': ['b'],
      },
      { finalizers: ['c', 'd', 'a'] },
    ],
    [
      'orders objects, what only the server has between them',
      { containers: named('a', 's', 'b') },
      { '$setElementOrder/containers': named('b', 'c', 'a'), containers: [{ name: 'c', image: 'i' }] },
      { containers: [{ name: 's' }, { name: 'b' }, { name: 'c', image: 'i' }, { name: 'a' }] },
    ],
    [
      'orders alone',
      { containers: named('a', 'b') },
      { '$setElementOrder/containers': named('b', 'a') },
      { containers: named('b', 'a') },
    ],
    ['orders nothing', {}, { '$setElementOrder/containers': named('b', 'a') }, {}],
    [
      'as kubectl apply removes and changes an item',
      {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '1' },
        ],
      },
      {
        '$setElementOrder/containers': named('b'),
        containers: [
          { name: 'b', image: '2' },
          { $patch: 'delete', name: 'a' },
        ],
      },
      { containers: [{ name: 'b', image: '2' }] },
    ],
    [
      'retains keys of a struct',
      { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
      { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
      { strategy: { type: 'Recreate' } },
    ],
    [
      'retains keys of an item',
      { volumes: [{ name: 'v', emptyDir: {} }, { name: 'w' }] },
      { volumes: [{ $retainKeys: ['name', 'hostPath'], name: 'v', hostPath: { path: '/x' } }] },
      { volumes: [{ name: 'v', hostPath: { path: '/x' } }, { name: 'w' }] },
    ],
    [
      'unknown members merge as plain JSON',
      { x: { a: 1, l: [1] } },
      { x: { b: 2, l: [2] } },
      { x: { a: 1, b: 2, l: [2] } },
    ],
  ])('%s', (_, original, patch, value) => {
    expect(apply(original, patch)).toEqual({ ok: true, value });
  });

  it.each([
    [
      'no key in the patch',
      { containers: named('a') },
      { containers: [{ image: 'x' }] },
      'map: map[image:x] does not contain declared merge key: name',
    ],
    [
      'no key in a deletion',
      { containers: named('a') },
      { containers: [{ $patch: 'delete' }] },
      'map: map[$patch:delete] does not contain declared merge key: name',
    ],
    [
      'mixed items',
      { containers: named('a') },
      { containers: ['x'] },
      'list element types are not identical: [[map[name:a]] [x]]',
    ],
    [
      'lists in lists',
      { finalizers: ['a'] },
      { finalizers: [['b']] },
      'list element types are not identical: [[a] [[b]]]',
    ],
    [
      'an unknown directive',
      { nested: {} },
      { nested: { $patch: 'frob' } },
      'unknown patch type: frob in map: map[$patch:frob]',
    ],
    [
      'a merge directive in a list',
      { containers: named('a') },
      { containers: [{ name: 'a', $patch: 'merge' }] },
      'merging lists cannot yet be specified in the patch',
    ],
    [
      'retained keys that miss one',
      { strategy: { type: 'x' } },
      { strategy: { $retainKeys: ['rollingUpdate'], type: 'y' } },
      'invalid patch format of retainKeys',
    ],
    [
      'retained keys that are no list',
      { strategy: {} },
      { strategy: { $retainKeys: 'type' } },
      'invalid patch format of retainKeys',
    ],
    [
      'an order that is no list',
      {},
      { '$setElementOrder/finalizers': 'x' },
      'expected a []interface {}, but received a string',
    ],
    [
      'a patch against its own order',
      { finalizers: ['a'] },
      { '$setElementOrder/finalizers': ['a', 'b'], finalizers: ['b', 'a'] },
      "The order in patch list:\n[b a]\n doesn't match $setElementOrder list:\n[a b]\n",
    ],
    [
      'a directive without a name',
      {},
      { $deleteFromPrimitiveList: ['a'] },
      'invalid patch format of primitive list',
    ],
    ['no object', {}, [], 'invalid JSON document'],
  ])('refuses %s', (_, original, patch, message) => {
    const problem = /^invalid (patch|JSON)/.test(message) ? 'malformed' : 'unexplained';
    expect(apply(original, patch)).toEqual({ ok: false, problem, message });
  });

  it('is safe with names every object inherits', () => {
    const patch = JSON.parse('{"labels":{"__proto__":"x","constructor":"y"}}');
    const result = apply({ labels: { a: '1' } }, patch);
    expect(JSON.stringify(result.ok && result.value)).toBe(
      '{"labels":{"a":"1","__proto__":"x","constructor":"y"}}',
    );
  });

  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'));
  const thing = fc.record(
    {
      finalizers: names,
      labels: fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.string(), { noNullPrototype: true }),
      containers: names.chain((ns) =>
        fc.tuple(
          ...ns.map((name) =>
            fc.record(
              { name: fc.constant(name), image: fc.string(), args: fc.array(fc.string()) },
              { requiredKeys: ['name'] },
            ),
          ),
        ),
      ),
    },
    { requiredKeys: [] },
  );

  it('applied twice is applied once, every item is kept, and the patch order holds', () => {
    fc.assert(
      fc.property(thing, thing, (original, patch) => {
        const once = apply(original, patch);
        if (!once.ok) throw new Error(once.message);
        const value = once.value as typeof original;
        expect(applyStrategicMergePatch(schema, value, patch)).toEqual(once);
        const have = (value.containers ?? []).map((c) => c.name);
        const patchNames = (patch.containers ?? []).map((c) => c.name);
        expect(new Set(have)).toEqual(
          new Set([...(original.containers ?? []).map((c) => c.name), ...patchNames]),
        );
        expect(have.filter((n) => patchNames.includes(n))).toEqual(patchNames);
      }),
    );
  });
});
