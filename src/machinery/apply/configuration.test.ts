// What applies own, change, take away and dispute. Expected sets and texts are those of Kubernetes.
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../meta/object-meta.ts';
import type { Json } from './fields.ts';
import { frozen, type Story, schema, spec, story, web } from './story.ts';
import { typeFaults } from './typed.ts';

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
