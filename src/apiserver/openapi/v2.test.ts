import { expect, test } from 'vitest';
import { ConfigMap, Deployment } from '../../api/index.ts';
import { documentV2, encodeDocumentV2 } from './v2.ts';

const tiny = {
  swagger: '2.0',
  info: { title: 'T', version: 'v1' },
  paths: {
    '/a': {
      patch: { parameters: [{ name: 'p', in: 'query', type: 'string' }], 'x-k': { v: 1 } },
      parameters: [{ name: 'n', in: 'path', required: true, type: 'string' }],
    },
  },
  definitions: { D: { type: 'object', required: ['f'], properties: { f: { $ref: '#/definitions/E' } } } },
};

/** Fields of one message: number → bodies in order. */
function fields(bytes: Buffer): Map<number, Buffer[]> {
  const out = new Map<number, Buffer[]>();
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  let at = 0;
  while (at < bytes.length) {
    const tag = varint();
    expect(tag & 7).toBe(2);
    const length = varint();
    const list = out.get(tag >> 3) ?? [];
    list.push(bytes.subarray(at, at + length));
    out.set(tag >> 3, list);
    at += length;
  }
  expect(at).toBe(bytes.length);
  return out;
}

const follow = (bytes: Buffer, ...path: readonly number[]): Buffer =>
  path.reduce((inner, number) => fields(inner).get(number)![0]!, bytes);

test('the protobuf form holds what the document says, under the numbers of openapi.v2', () => {
  const bytes = encodeDocumentV2(tiny);
  expect(follow(bytes, 1).toString()).toBe('2.0');
  expect(follow(bytes, 2, 2).toString()).toBe('v1');
  expect(follow(bytes, 8, 2, 1).toString()).toBe('/a');
  const patch = follow(bytes, 8, 2, 2, 8);
  expect(follow(patch, 8, 1, 2, 3, 4).toString()).toBe('p');
  expect([follow(patch, 13, 1).toString(), follow(patch, 13, 2, 2).toString()]).toEqual(['x-k', '{"v":1}']);
  const inPath = follow(bytes, 8, 2, 2, 9, 1, 2, 4);
  expect([...inPath.subarray(0, 2)]).toEqual([0x08, 1]);
  const said = fields(inPath.subarray(2));
  expect([2, 4, 5].map((number) => said.get(number)?.[0]?.toString())).toEqual(['path', 'n', 'string']);
  const schema = follow(bytes, 9, 1, 2);
  expect(follow(schema, 22, 1).toString()).toBe('object');
  expect(follow(schema, 25, 1, 2, 1).toString()).toBe('#/definitions/E');
});

test('every kind is there with its paths, parameters and definitions', () => {
  const document = documentV2([ConfigMap, Deployment], 'v1.35.0');
  const path = document.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'] as Record<
    string,
    { parameters: { name: string }[]; 'x-kubernetes-group-version-kind': unknown }
  >;
  expect(path['patch']!.parameters.map((p) => p.name)).toContain('fieldValidation');
  expect(path['patch']!['x-kubernetes-group-version-kind']).toEqual({
    group: 'apps',
    kind: 'Deployment',
    version: 'v1',
  });
  expect(document.paths).toHaveProperty(
    ['/api/v1/namespaces/{namespace}/configmaps/{name}', 'parameters'],
    ['namespace', 'name'].map((name) => ({
      name,
      in: 'path',
      required: true,
      type: 'string',
      uniqueItems: true,
    })),
  );
  expect(document.definitions).toHaveProperty(['io.k8s.api.core.v1.ConfigMap']);
  const definitions = fields(follow(encodeDocumentV2(document), 9)).get(1)!;
  expect(definitions.map((d) => follow(d, 1).toString())).toEqual(Object.keys(document.definitions));
});
