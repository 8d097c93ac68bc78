// Ownership as tables of small stories, and its invariants over random ones. Expected sets are those that Kubernetes writes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject, ManagedFieldsEntry } from '../meta/object-meta.ts';
import { decodeObject } from '../schema/decode.ts';
import { type Field, field, ObjectSchema, type Schema, scalar } from '../schema/schema.ts';
import { ApplyConflict, applyConfiguration } from './configuration.ts';
import { difference, type FieldSet, has, intersection, paths, pathText } from './field-set.ts';
import { compare, fieldsOf, type Json, ownable } from './fields.ts';
import { type ManagedWrite, noteUpdate, sameOwnership } from './managers.ts';
import { typeFaults } from './typed.ts';

const text = scalar('string');
const object = (name: string, ...fields: Field[]): ObjectSchema =>
  new ObjectSchema(name, () => new Map(fields.map((f) => [f.name, f])));
const list = (
  items: Schema,
  listType: 'atomic' | 'set' | 'map',
  mapKeys: string[] = [],
  itemsAtomic = false,
) => ({ type: 'list', items, listType, mapKeys, itemsAtomic }) as const;
const map = (values: Schema) => ({ type: 'map', values }) as const;

const port = object(
  'core.v1.ContainerPort',
  field('containerPort', scalar('int32')),
  field('protocol', text),
  field('name', text),
);
const container = object(
  'Container',
  field('name', text),
  field('image', text),
  field('args', list(text, 'atomic')),
  field('ports', list(port, 'map', ['containerPort', 'protocol'])),
);
const owner = object('Owner', field('uid', text), field('kind', text));
const schema = object(
  'Thing',
  field('apiVersion', text),
  field('kind', text),
  field(
    'metadata',
    object(
      'ObjectMeta',
      field('name', text),
      field('namespace', text),
      field('uid', text),
      field('resourceVersion', text),
      field('labels', map(text)),
      field('annotations', map(text)),
      field('finalizers', list(text, 'set')),
      field('ownerReferences', list(owner, 'map', ['uid'], true)),
      field('managedFields', list(scalar('any'), 'atomic')),
    ),
    { emit: 'always' },
  ),
  field(
    'spec',
    object(
      'Spec',
      field('replicas', scalar('int32'), { emit: 'present' }),
      field('paused', scalar('bool')),
      field('cpu', scalar('quantity')),
      field('selector', map(text), { atomic: true }),
      field('limits', map(text)),
      field('containers', list(container, 'map', ['name']), { emit: 'always' }),
      field('security', object('Security', field('user', text), field('group', text))),
    ),
    { emit: 'always' },
  ),
  field('status', object('Status', field('phase', text), field('conditions', list(owner, 'map', ['uid'])))),
);

const same = (one: KubeObject): KubeObject => one;

/** One object and everybody who writes it. */
class Story {
  live: KubeObject | undefined;
  nowMs = 0;

  #write(name: string, operation: 'Apply' | 'Update', subresource: string): ManagedWrite {
    this.nowMs += 1000;
    return {
      manager: { name, operation, apiVersion: 'v1', subresource },
      part: subresource === 'status' ? 'statusOnly' : 'withoutStatus',
      nowMs: this.nowMs,
      view: (version) => (version === 'v1' ? { schema, fromStored: same, toStored: same } : undefined),
    };
  }

  update(name: string, body: Json, subresource = ''): this {
    const after = read(body);
    // Decoding leaves empty lists out; the registry puts this one back.
    const given = (body['metadata'] as Json | undefined)?.['managedFields'] as
      | ManagedFieldsEntry[]
      | undefined;
    if (given?.length === 0) after.metadata.managedFields = [];
    after.metadata.managedFields ??= this.live?.metadata.managedFields;
    noteUpdate(this.#write(name, 'Update', subresource), this.live, after);
    this.live = frozen(after);
    return this;
  }

  apply(name: string, body: Json, { force = false, subresource = '' } = {}): this {
    const configuration = { apiVersion: 'v1', kind: 'Thing', ...body };
    expect(typeFaults(schema, configuration)).toBeUndefined();
    const write = this.#write(name, 'Apply', subresource);
    this.live = frozen(applyConfiguration(write, this.live, { configuration, force }));
    return this;
  }

  conflictsOf(name: string, body: Json): string {
    try {
      this.apply(name, body);
    } catch (error) {
      if (error instanceof ApplyConflict) return error.message;
      throw error;
    }
    return '';
  }

  /** Without what is always there. */
  get body(): Json {
    const { apiVersion: _a, kind: _k, metadata, ...rest } = this.live as unknown as Json & KubeObject;
    const { managedFields: _m, ...meta } = metadata;
    return Object.keys(meta).length === 0 ? rest : { metadata: meta, ...rest };
  }

  get owners(): Record<string, string[]> {
    return Object.fromEntries(
      (this.live?.metadata.managedFields ?? []).map(({ manager, operation, subresource, fieldsV1 }) => [
        [operation === 'Apply' ? `${manager}!` : manager, subresource].filter(Boolean).join('/'),
        [...paths(fieldsV1 as FieldSet)].map(pathText),
      ]),
    );
  }

  get entries(): readonly ManagedFieldsEntry[] {
    return this.live?.metadata.managedFields ?? [];
  }
}

function read(body: Json): KubeObject {
  return decodeObject(
    schema,
    { apiVersion: 'v1', kind: 'Thing', metadata: {}, ...body },
    [],
  ) as unknown as KubeObject;
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value))
    Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

const story = () => new Story();
const spec = (members: Json) => ({ spec: { containers: null, ...members } });
const web = { name: 'web', image: 'nginx:1' };

describe('updates', () => {
  it('a create owns what it set, new containers included', () => {
    const made = story().update('me', {
      metadata: {
        name: 'n',
        labels: { app: 'x' },
        finalizers: ['a/b'],
        ownerReferences: [{ uid: '1', kind: 'K' }],
      },
      spec: {
        replicas: 1,
        selector: { app: 'x' },
        containers: [{ ...web, args: ['a'], ports: [{ containerPort: 80 }] }],
      },
      status: { phase: 'Made' },
    });
    expect(made.owners).toEqual({
      me: [
        '.metadata.finalizers',
        '.metadata.labels',
        '.metadata.ownerReferences',
        '.metadata.finalizers[="a/b"]',
        '.metadata.labels.app',
        '.metadata.ownerReferences[uid="1"]',
        '.spec.replicas',
        '.spec.selector',
        '.spec.containers[name="web"]',
        '.spec.containers[name="web"].args',
        '.spec.containers[name="web"].image',
        '.spec.containers[name="web"].name',
        '.spec.containers[name="web"].ports',
        '.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"]',
        '.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].containerPort',
      ],
    });
  });

  it.each<[string, Json, Record<string, string[]>]>([
    [
      'takes what it changes',
      spec({ replicas: 2, paused: true }),
      { a: ['.spec.paused'], b: ['.spec.replicas'] },
    ],
    [
      'leaves what it repeats',
      spec({ replicas: 1, paused: true }),
      { a: ['.spec.paused', '.spec.replicas'] },
    ],
    ['removes without owning', spec({ replicas: 1 }), { a: ['.spec.replicas'] }],
    [
      'adds an item',
      spec({ replicas: 1, paused: true, limits: { cpu: '1' } }),
      { a: ['.spec.paused', '.spec.replicas'], b: ['.spec.limits', '.spec.limits.cpu'] },
    ],
  ])('another update %s', (_, body, owners) => {
    expect(
      story()
        .update('a', spec({ replicas: 1, paused: true }))
        .update('b', body).owners,
    ).toEqual(owners);
  });

  it('forgets owners of everything below what is removed', () => {
    const s = story().update('a', spec({ containers: [web], limits: { cpu: '1' } }));
    expect(s.update('b', spec({ limits: {} })).owners).toEqual({});
  });

  it('keeps the time of owners who lost or changed nothing', () => {
    const s = story().update('a', spec({ replicas: 1, paused: true }));
    const [before] = s.entries;
    expect(s.update('a', spec({ replicas: 1, paused: true })).entries).toEqual([before]);
    expect(s.update('a', spec({ replicas: 1 })).entries[0]!.time).toBe(before!.time);
    expect(s.update('a', spec({ replicas: 2 })).entries[0]!.time).not.toBe(before!.time);
  });

  it('status and the rest have owners apart', () => {
    const s = story()
      .update('a', spec({ replicas: 1 }))
      .update('a', { ...spec({ replicas: 9 }), status: { phase: 'Up' } }, 'status');
    expect(s.owners).toEqual({ a: ['.spec.replicas'], 'a/status': ['.status', '.status.phase'] });
    expect(s.update('b', spec({ replicas: 1 })).owners['a/status']).toEqual(['.status', '.status.phase']);
  });

  it.each<[string, ManagedFieldsEntry[], Record<string, string[]>]>([
    ['an empty list', [], {}],
    ['an empty entry', [{}], {}],
    [
      'other owners',
      [
        {
          manager: 'c',
          operation: 'Apply',
          apiVersion: 'v1',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:spec': {} },
        },
      ],
      { 'c!': ['.spec'] },
    ],
    [
      'what cannot be read',
      [{ manager: 'c', operation: 'Apply', apiVersion: 'v1' }],
      { a: ['.spec.replicas'] },
    ],
    [
      'a version that is not served',
      [
        {
          manager: 'c',
          operation: 'Update',
          apiVersion: 'v0',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:x': {} },
        },
      ],
      {},
    ],
  ])('owners may be named in the object: %s', (_, managedFields, owners) => {
    const s = story().update('a', spec({ replicas: 1 }));
    expect(s.update('b', { metadata: { managedFields }, ...spec({ replicas: 1 }) }).owners).toEqual(owners);
  });

  it('an object without owners stays so until an apply', () => {
    const s = story();
    s.live = frozen(read(spec({ replicas: 1 })));
    expect(s.update('a', spec({ replicas: 2 })).owners).toEqual({});
    expect(s.apply('b', { spec: { paused: true } }).owners).toEqual({
      'b!': ['.spec.paused'],
      'before-first-apply': ['.spec.replicas'],
    });
  });

  it('merges the oldest of more than ten updaters', () => {
    const s = story();
    const limits: Json = {};
    for (let i = 0; i < 12; i++) {
      limits[`l${i}`] = '1';
      s.update(`m${i}`, spec({ limits: { ...limits } }));
    }
    expect(Object.keys(s.owners)).toEqual([
      'ancient-changes',
      ...[3, 4, 5, 6, 7, 8, 9, 10, 11].map((i) => `m${i}`),
    ]);
    expect(s.owners['ancient-changes']).toEqual([
      '.spec.limits',
      ...[0, 1, 2].map((i) => `.spec.limits.l${i}`),
    ]);
  });

  it('items that repeat keys are owned together', () => {
    const twice = spec({ containers: [web, web] });
    const s = story().update('a', twice);
    expect(s.owners).toEqual({ a: ['.spec.containers[name="web"]'] });
    expect(s.update('b', twice).owners).toEqual({ a: ['.spec.containers[name="web"]'] });
    const other = spec({ containers: [web, { ...web, image: 'x' }] });
    expect(s.update('b', other).owners).toEqual({ b: ['.spec.containers[name="web"]'] });
  });
});

describe('applies', () => {
  it('a create owns what it names', () => {
    const s = story().apply('a', {
      metadata: { name: 'n', labels: { app: 'x' } },
      spec: {
        replicas: 1,
        paused: false,
        selector: { a: 'b' },
        containers: [{ name: 'web', ports: [{ containerPort: 80 }] }],
      },
    });
    expect(s.owners).toEqual({
      'a!': [
        '.metadata.labels.app',
        '.spec.paused',
        '.spec.replicas',
        '.spec.selector',
        '.spec.containers[name="web"]',
        '.spec.containers[name="web"].name',
        '.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"]',
        '.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"].containerPort',
      ],
    });
    expect(s.body).toEqual({
      metadata: { name: 'n', labels: { app: 'x' } },
      spec: {
        replicas: 1,
        selector: { a: 'b' },
        containers: [{ name: 'web', ports: [{ containerPort: 80 }] }],
      },
    });
  });

  it.each<[string, Json, Json, Json]>([
    ['changes a field', { replicas: 1 }, { replicas: 2 }, { replicas: 2 }],
    ['removes what is no longer named', { replicas: 1, paused: true }, { replicas: 1 }, { replicas: 1 }],
    ['removes an item', { limits: { a: '1', b: '1' } }, { limits: { a: '1' } }, { limits: { a: '1' } }],
    [
      'removes the last item and its map',
      { replicas: 1, limits: { a: '1' } },
      { replicas: 1 },
      { replicas: 1 },
    ],
    ['replaces an atomic map', { selector: { a: '1' } }, { selector: { b: '2' } }, { selector: { b: '2' } }],
    [
      'removes a nested field',
      { security: { user: 'u', group: 'g' } },
      { security: { user: 'u' } },
      { security: { user: 'u' } },
    ],
    [
      'removes a list item',
      { containers: [web, { name: 'b' }] },
      { containers: [{ name: 'b' }] },
      { containers: [{ name: 'b' }] },
    ],
    ['removes by null', { replicas: 1, paused: true }, { replicas: 1, paused: null }, { replicas: 1 }],
  ])('%s', (_, first, second, wanted) => {
    const s = story().apply('a', { spec: first }).apply('a', { spec: second });
    expect(s.body['spec']).toEqual({ containers: null, ...wanted });
  });

  it('keeps what somebody else owns too, and drops it when nobody does', () => {
    const s = story()
      .apply('a', { spec: { replicas: 1, paused: true } })
      .apply('b', { spec: { replicas: 1 } });
    expect(s.owners).toEqual({ 'a!': ['.spec.paused', '.spec.replicas'], 'b!': ['.spec.replicas'] });
    s.apply('a', { spec: { paused: true } });
    expect(s.body['spec']).toEqual({ containers: null, replicas: 1, paused: true });
    s.apply('b', { metadata: { labels: { x: 'y' } } });
    expect(s.body['spec']).toEqual({ containers: null, paused: true });
  });

  it('a list item stays while anybody owns something of it', () => {
    const s = story()
      .apply('a', { spec: { containers: [web] } })
      .update('b', spec({ containers: [{ ...web, args: ['x'] }] }))
      .apply('a', { spec: { replicas: 1, containers: [] } });
    expect(s.body['spec']).toEqual({ replicas: 1, containers: [{ args: ['x'] }] });
  });

  it('defaults inside an item go with the item', () => {
    const s = story().apply('a', { spec: { containers: [web, { name: 'b' }] } });
    const filled = structuredClone(s.live) as unknown as { spec: { containers: Json[] } };
    filled.spec.containers[0]!['args'] = ['filled in by the server'];
    s.live = frozen(filled as unknown as KubeObject);
    expect(s.apply('a', { spec: { containers: [{ name: 'b' }] } }).body['spec']).toEqual({
      containers: [{ name: 'b' }],
    });
  });

  it.each<[string, Json, string]>([
    ['the same value is shared', { replicas: 1 }, ''],
    [
      'one field',
      { replicas: 2 },
      'Apply failed with 1 conflict: conflict with "u" using v1: .spec.replicas',
    ],
    [
      'several owners',
      { replicas: 2, paused: null, selector: { b: 'c' } },
      'Apply failed with 3 conflicts: conflicts with "a":\n- .spec.selector\nconflicts with "u" using v1:\n- .spec.paused\n- .spec.replicas',
    ],
    [
      'a nested field',
      { containers: [{ name: 'web', image: 'other' }] },
      'Apply failed with 1 conflict: conflict with "a": .spec.containers[name="web"].image',
    ],
    ['false', { paused: false }, 'Apply failed with 1 conflict: conflict with "u" using v1: .spec.paused'],
    ['a field of its own', { cpu: '1' }, ''],
    ['the same quantity', { limits: { x: '1' }, replicas: 1 }, ''],
  ])('conflicts: %s', (_, members, wanted) => {
    const s = story().update('u', spec({ replicas: 1, paused: true, limits: { x: '1' } }));
    s.update('u', spec({ replicas: 1, limits: { x: '1' } }));
    s.update('u', { ...s.body, spec: { ...(s.body['spec'] as Json), paused: true } });
    s.apply('a', { spec: { selector: { a: 'b' }, containers: [web] } });
    const before = s.live;
    expect(s.conflictsOf('b', { spec: members })).toBe(wanted);
    if (wanted !== '') expect(s.live).toBe(before);
  });

  it('force takes the fields', () => {
    const s = story().update('u', spec({ replicas: 1, paused: true }));
    s.apply('a', { spec: { replicas: 2 } }, { force: true });
    expect(s.owners).toEqual({ 'a!': ['.spec.replicas'], u: ['.spec.paused'] });
    expect(s.body['spec']).toEqual({ containers: null, replicas: 2, paused: true });
  });

  it('names the subresource of who is in the way', () => {
    const s = story().update('u', { ...spec({}), status: { phase: 'A' } }, 'status');
    expect(() => s.apply('a', { status: { phase: 'B' } }, { subresource: 'status' })).toThrow(
      'conflict with "u" with subresource "status" using v1: .status.phase',
    );
    // The object itself owns no status, so there is nothing to dispute.
    expect(s.apply('a', { status: { phase: 'B' } }).owners).toEqual({
      'u/status': ['.status', '.status.phase'],
    });
  });

  it.each<[string, string[], string[], string[]]>([
    ['live items first', ['a', 'x', 'b'], ['a', 'n', 'b'], ['a', 'x', 'n', 'b']],
    ['in the applied order', ['a', 'b', 'c'], ['c', 'a', 'b'], ['c', 'a', 'b']],
    ['live ones keep their neighbours', ['a', 'x', 'b', 'y'], ['b', 'a'], ['x', 'b', 'y', 'a']],
    ['appended', ['a', 'x'], ['a', 'n'], ['a', 'x', 'n']],
  ])('orders lists: %s', (_, live, applied, wanted) => {
    const items = (names: string[]) => ({ spec: { containers: names.map((name) => ({ name })) } });
    const s = story().update('u', items(live)).apply('a', items(applied));
    expect(s.body).toEqual(items(wanted));
  });

  it('an applied item replaces the items that repeat its keys', () => {
    const s = story().update('u', spec({ containers: [web, { ...web, image: 'x' }] }));
    s.apply('a', { spec: { containers: [{ name: 'web', image: 'y' }] } }, { force: true });
    expect(s.body['spec']).toEqual({ containers: [{ name: 'web', image: 'y' }] });
  });
});

describe('taking over from client-side apply', () => {
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
  const applied = { apiVersion: 'v1', kind: 'Thing', spec: { replicas: 1, cpu: '1000m' } };
  const byClient = (last: unknown = applied) =>
    story().update('kubectl-client-side-apply', {
      metadata: { annotations: { [annotation]: JSON.stringify(last) } },
      ...spec({ replicas: 1, cpu: '1' }),
    });

  it('kubectl takes what the annotation says', () => {
    const s = byClient().apply('kubectl', { spec: { replicas: 2, cpu: '2' } });
    expect(s.owners['kubectl!']).toEqual(['.spec.cpu', '.spec.replicas']);
    expect(s.owners['kubectl-client-side-apply']).not.toContain('.spec.replicas');
    expect(s.live!.metadata.annotations![annotation]).toBe(
      '{"apiVersion":"v1","kind":"Thing","spec":{"cpu":"2","replicas":2}}\n',
    );
  });

  it.each<[string, () => Story, string]>([
    ['another manager', byClient, 'other'],
    ['another value since', () => byClient({ ...applied, spec: { replicas: 7 } }), 'kubectl'],
    ['another version', () => byClient({ ...applied, apiVersion: 'v0' }), 'kubectl'],
    ['no annotation to read', () => byClient('x'), 'kubectl'],
    ['fields nobody knows', () => byClient({ ...applied, odd: 1 }), 'kubectl'],
  ])('not with %s', (_, start, manager) => {
    expect(start().conflictsOf(manager, { spec: { replicas: 2 } })).toBe(
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1: .spec.replicas',
    );
  });
});

it.each<[Json, string]>([
  [{ odd: 1 }, '.odd: field not declared in schema'],
  [{ spec: { replicas: '1' } }, '.spec.replicas: expected numeric (int or float), got string'],
  [{ spec: { paused: 'yes' } }, '.spec.paused: expected boolean, got yes'],
  [{ spec: [] }, '.spec: expected map, got []'],
  [{ spec: { containers: {} } }, '.spec.containers: expected list, got {}'],
  [
    { spec: { containers: [{ image: 'x' }] } },
    '.spec.containers: element 0: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)',
  ],
  [
    { spec: { containers: [web, web] }, odd: 1 },
    'errors:\n  .spec.containers: duplicate entries for key [name="web"]\n  .odd: field not declared in schema',
  ],
  [
    { spec: { containers: [{ name: 'web', odd: 1 }] } },
    '.spec.containers[name="web"].odd: field not declared in schema',
  ],
])('a configuration must fit: %j', (configuration, faults) => {
  expect(typeFaults(schema, configuration)).toBe(faults);
});

describe('invariants', () => {
  const word = fc.constantFrom('a', 'b', 'c');
  const dict = fc.dictionary(word, word, { maxKeys: 2 });
  const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const anyBody = fc
    .record({
      labels: some(dict),
      finalizers: some(fc.uniqueArray(word, { maxLength: 2 })),
      replicas: some(fc.integer({ min: 0, max: 2 })),
      paused: some(fc.boolean()),
      selector: some(dict),
      limits: some(dict),
      security: some(fc.record({ user: some(word), group: some(word) })),
      containers: some(
        fc.uniqueArray(
          fc.record({ name: word, image: some(word), args: some(fc.array(word, { maxLength: 2 })) }),
          {
            selector: ({ name }) => name,
            maxLength: 3,
          },
        ),
      ),
    })
    .map(
      ({ labels, finalizers, ...members }): Json =>
        JSON.parse(JSON.stringify({ metadata: { labels, finalizers }, spec: members })),
    );
  const step = fc.record({
    how: fc.constantFrom('apply' as const, 'update' as const),
    who: fc.constantFrom('x', 'y', 'z'),
    body: anyBody,
  });
  const play = (steps: readonly { how: 'apply' | 'update'; who: string; body: Json }[]): Story => {
    const s = story();
    for (const { how, who, body } of steps)
      if (how === 'apply') s.apply(who, body, { force: true });
      else s.update(who, body);
    return s;
  };
  const setOf = (s: Story, who: string, operation: string): FieldSet =>
    s.entries.find((e) => e.manager === who && e.operation === operation)?.fieldsV1 as FieldSet;

  it('what an update changes belongs to the updater alone', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), anyBody, (steps, body) => {
        const s = play(steps);
        const before = s.live!;
        s.update('me', body);
        if (before.metadata.managedFields === undefined) return;
        const { changed } = compare(
          schema,
          { before: before as unknown as Json, after: s.live as unknown as Json },
          'withoutStatus',
        );
        for (const path of paths(changed)) expect(has(setOf(s, 'me', 'Update'), path)).toBe(true);
        for (const entry of s.entries)
          if (entry.manager !== 'me')
            expect(intersection(entry.fieldsV1 as FieldSet, changed)).toBeUndefined();
      }),
    );
  });

  it('nobody owns what is not there, except an applier by name', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
        const s = play(steps);
        const there = compare(
          schema,
          { before: {}, after: s.live as unknown as Json },
          'withoutStatus',
        ).changed;
        for (const entry of s.entries)
          if (entry.operation === 'Update')
            expect([...paths(difference(entry.fieldsV1 as FieldSet, there))].map(pathText)).toEqual([]);
      }),
    );
  });

  it('applying the same again changes nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 5 }), anyBody, (steps, body) => {
        const s = play(steps).apply('me', body, { force: true });
        const once = s.live!;
        const twice = s.apply('me', body).live!;
        expect(twice).toEqual(once);
        expect(sameOwnership(twice.metadata.managedFields, once.metadata.managedFields)).toBe(true);
      }),
    );
  });

  it('an applied configuration is in the object, owned, and takes nothing from others but what it changes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 5 }), anyBody, (steps, body) => {
        const s = play(steps);
        const before = s.live;
        s.apply('me', body, { force: true });
        expect(setOf(s, 'me', 'Apply')).toEqual(ownable(fieldsOf(schema, body), 'withoutStatus'));
        if (before === undefined) return;
        const { changed, removed } = compare(
          schema,
          { before: before as unknown as Json, after: s.live as unknown as Json },
          'withoutStatus',
        );
        const others =
          before.metadata.managedFields?.filter((e) => e.manager !== 'me' || e.operation !== 'Apply') ?? [];
        // What others own is never pruned: it goes only with a list or map that the configuration empties by name.
        for (const { fieldsV1 } of others)
          for (const path of paths(intersection(fieldsV1 as FieldSet, removed)))
            expect(has(changed, path) || named(body, path)).toBe(true);
      }),
    );
  });

  const named = (body: Json, path: readonly string[]): boolean => {
    let set: FieldSet = fieldsOf(schema, body);
    for (const edge of path) {
      if (set === undefined) return false;
      set = set[edge];
    }
    return set !== undefined;
  };
});
