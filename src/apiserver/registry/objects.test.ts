// The stored text of an object is its JSON, whether its field sets are shared or not.
import { describe, expect, it } from 'vitest';
import { Pod } from '../../api/index.ts';
import { decodeObject, type KubeObject, noteUpdate } from '../../machinery/index.ts';
import { encodeForStore } from './objects.ts';

const view = { schema: Pod.schema, fromStored: (o: KubeObject) => o, toStored: (o: KubeObject) => o };

function created(name: string, members: object, subresource = ''): KubeObject {
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: 'ü "x"' } }, ...members };
  const object = decodeObject(Pod.schema, body, []) as unknown as KubeObject;
  const manager = { name: 'me', operation: 'Update', apiVersion: 'v1', subresource } as const;
  noteUpdate({ manager, part: 'all', nowMs: 0, view: () => view }, undefined, object);
  return object;
}

/** The members in the order in which they are stored. */
const sorted = ({ kind, apiVersion, metadata, ...rest }: KubeObject): unknown => {
  const { resourceVersion: _, managedFields, ...meta } = metadata;
  return { kind, apiVersion, metadata: { ...meta, managedFields }, ...rest };
};

describe('the stored text', () => {
  const spec = { spec: { containers: [{ name: 'c', image: 'i' }] } };
  it.each<[string, KubeObject]>([
    ['with owners that share their set', created('b', spec)],
    ['with a subresource', created('b', spec, 'status')],
    ['without owners', { ...created('b', spec), metadata: { name: 'b' } } as KubeObject],
    [
      'with no member but metadata',
      { apiVersion: 'v1', kind: 'Pod', metadata: created('b', {}).metadata } as KubeObject,
    ],
    [
      'with a set of its own',
      {
        ...created('b', spec),
        metadata: {
          name: 'b',
          managedFields: [
            { manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsV1: { 'f:spec': {} } },
          ],
        },
      } as KubeObject,
    ],
    [
      'with an empty list of owners',
      { ...created('b', spec), metadata: { name: 'b', managedFields: [] } } as unknown as KubeObject,
    ],
  ])('%s', (_, object) => {
    object.metadata.resourceVersion = '7';
    expect(encodeForStore(object).toString()).toBe(JSON.stringify(sorted(object)));
  });
});
