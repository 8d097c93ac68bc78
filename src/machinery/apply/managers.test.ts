// What creates and updates own. Expected sets are those that Kubernetes writes.
import { describe, expect, it } from 'vitest';
import type { ManagedFieldsEntry } from '../meta/object-meta.ts';
import type { Json } from './fields.ts';
import { frozen, read, spec, story, web } from './story.ts';

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
