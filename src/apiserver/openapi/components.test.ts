import { describe, expect, test } from 'vitest';
import { answeredKinds, kinds, Pod } from '../../api/index.ts';
import { field, type KubeObject, ObjectSchema, scalar } from '../../machinery/index.ts';
import { Components } from './components.ts';
import { pathsOf } from './paths.ts';

interface Definition {
  readonly $ref?: string;
  readonly allOf?: readonly { readonly $ref: string }[];
  readonly description?: string;
  readonly type?: string;
  readonly items?: Definition;
  readonly additionalProperties?: Definition;
  readonly properties?: Readonly<Record<string, Definition>>;
  readonly 'x-kubernetes-group-version-kind'?: readonly { readonly kind: string }[];
}

const everyKind = [...kinds, ...answeredKinds];

/** The definitions of all kinds and of what their subresources take. */
function definitionsOf(version: 2 | 3): Record<string, Definition> {
  const components = new Components(version);
  for (const kind of everyKind) pathsOf(kind, components);
  return components.definitions as Record<string, Definition>;
}

const v2 = definitionsOf(2);
const v3 = definitionsOf(3);

/** Every part of a definition that is a schema, with where it is. */
function* parts(at: string, definition: Definition): Generator<readonly [string, Definition]> {
  yield [at, definition];
  for (const [name, below] of Object.entries(definition.properties ?? {}))
    yield* parts(`${at}.${name}`, below);
  if (definition.items !== undefined) yield* parts(`${at}[]`, definition.items);
  if (definition.additionalProperties !== undefined) yield* parts(`${at}{}`, definition.additionalProperties);
}

const allParts = (definitions: Record<string, Definition>) =>
  Object.entries(definitions).flatMap(([name, definition]) => [...parts(name, definition)]);

describe.each([
  ['v2', v2],
  ['v3', v3],
])('definitions of %s', (_, definitions) => {
  test('each, and each of its fields, has a description', () => {
    const mute = Object.entries(definitions).flatMap(([name, { description, properties }]) => [
      ...(description === undefined ? [name] : []),
      ...Object.entries(properties ?? {})
        .filter(([, below]) => below.description === undefined)
        .map(([below]) => `${name}.${below}`),
    ]);
    expect(mute).toEqual([]);
  });

  test('each reference leads to a definition', () => {
    const dangling = allParts(definitions)
      .flatMap(([at, { $ref, allOf }]) => [$ref, allOf?.[0]?.$ref].map((ref) => ({ at, ref })))
      .filter(({ ref }) => ref !== undefined && !(ref.slice(ref.lastIndexOf('/') + 1) in definitions));
    expect(dangling).toEqual([]);
  });

  test('each kind is found by its name', () => {
    const named = Object.values(definitions).flatMap((d) => d['x-kubernetes-group-version-kind'] ?? []);
    const wanted = everyKind.map(({ group, version, kind }) => ({ group, kind, version }));
    const bodies = [
      { group: 'autoscaling', kind: 'Scale', version: 'v1' },
      { group: 'policy', kind: 'Eviction', version: 'v1' },
    ];
    expect(named).toEqual(expect.arrayContaining([...wanted, ...bodies]));
  });
});

test('v2 has references with siblings and no defaults, v3 neither the one nor without the other', () => {
  const siblings = allParts(v3).filter(([, part]) => part.$ref !== undefined && Object.keys(part).length > 1);
  expect(siblings).toEqual([]);
  expect(allParts(v2).filter(([, part]) => 'default' in part || 'allOf' in part)).toEqual([]);
});

const pod = 'io.k8s.api.core.v1.PodSpec';
const port = 'io.k8s.api.core.v1.ContainerPort';

test.each([
  ['a struct held by value', 'io.k8s.api.core.v1.Pod', 'spec', { default: {} }],
  ['a number that is always written', port, 'containerPort', { default: 0, format: 'int32' }],
  ['a text with a value when left out', port, 'protocol', { default: 'TCP', enum: ['SCTP', 'TCP', 'UDP'] }],
  ['a list of structs', pod, 'containers', { items: expect.objectContaining({ default: {} }) }],
  ['a list of texts', 'io.k8s.api.core.v1.Container', 'args', { items: { type: 'string', default: '' } }],
  [
    'a list of texts of a few values',
    'io.k8s.api.core.v1.PersistentVolumeClaimSpec',
    'accessModes',
    {
      items: {
        type: 'string',
        default: '',
        enum: ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'],
      },
    },
  ],
  [
    'a map of quantities',
    'io.k8s.api.core.v1.ResourceRequirements',
    'limits',
    { additionalProperties: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity' } },
  ],
  ['a bool', 'io.k8s.api.core.v1.FileKeySelector', 'optional', { default: false }],
  [
    'a reference that is merged field by field',
    'io.k8s.api.core.v1.PersistentVolumeSpec',
    'claimRef',
    { 'x-kubernetes-map-type': 'granular' },
  ],
])('v3: %s', (_, name, of, wanted) => {
  expect(v3[name]?.properties?.[of]).toMatchObject(wanted);
});

test('v3: a pointer has no default', () => {
  expect(v3[pod]?.properties).toHaveProperty('securityContext.allOf');
  expect(v3[pod]?.properties).not.toHaveProperty('securityContext.default');
});

test('a kind that is not built in has the fields that its schema has, without descriptions', () => {
  const schema = new ObjectSchema(
    'example.com.v1.Widget',
    () => new Map([['size', field('size', scalar('int32'))]]),
  );
  const components = new Components(3);
  const name = components.addKind({
    ...Pod,
    group: 'example.com',
    kind: 'Widget',
    listKind: 'Widgets',
    schema,
  });
  expect(components.definitions[name]).toEqual({
    type: 'object',
    properties: { size: { type: 'integer', format: 'int32' } },
    'x-kubernetes-group-version-kind': [{ group: 'example.com', kind: 'Widget', version: 'v1' }],
  });
});

test.each([2, 3] as const)(
  'v%d: a custom resource has the words of its author, and ours for what every object has',
  (version) => {
    const schema = {
      description: 'Theirs.',
      type: 'object',
      properties: {
        spec: { type: 'object', properties: { size: { type: 'integer', description: 'How large.' } } },
      },
    };
    const custom = { schema, storedVersion: 'v1', decode: (value: unknown) => value as KubeObject };
    const kind = { ...Pod, group: 'example.com', kind: 'Widget', listKind: 'WidgetList', custom };
    const components = new Components(version);
    expect(components.addKind(kind)).toBe('com.example.v1.Widget');
    const definition = components.definitions['com.example.v1.Widget'] as Definition;
    expect(definition).toMatchObject({
      description: 'Theirs.',
      properties: { spec: schema.properties.spec },
    });
    expect(Object.values(definition.properties ?? {}).slice(1)).toEqual([
      { description: expect.any(String), type: 'string' },
      { description: expect.any(String), type: 'string' },
      expect.objectContaining({ description: expect.any(String) }),
    ]);
    expect(components.definitions).toHaveProperty(['com.example.v1.WidgetList']);
  },
);
