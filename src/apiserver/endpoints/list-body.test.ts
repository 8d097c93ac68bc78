import { expect, test } from 'vitest';
import { ConfigMap, kinds } from '../../api/index.ts';
import { FakeClock } from '../../base/index.ts';
import type { Entry } from '../../storage/index.ts';
import { type BlockBody, listBody, textBody } from './list-body.ts';

const clock = new FakeClock();

function entry(i: number, bytes: number): Entry {
  const wire = Buffer.from(
    `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"${i}","name":"c${i}"},"data":{"k":"${'x'.repeat(bytes)}"}}`,
  );
  return { key: `/core/configmaps/default/c${i}`, revision: i, wire, object: null, derived: null } as Entry;
}

const entries = (count: number, bytes: number): Entry[] =>
  Array.from({ length: count }, (_, i) => entry(i + 1, bytes));

function read(body: BlockBody) {
  const blocks = [...body.blocks];
  const bytes = Buffer.concat(blocks);
  expect(bytes.length).toBe(body.length);
  return { blocks, json: JSON.parse(bytes.toString('utf8')) };
}

const list = (of: readonly Entry[]) => ({
  entries: of,
  revision: 9,
  continue: undefined,
  remaining: undefined,
});

test.each([
  ['none', 0, 10],
  ['one', 1, 10],
  ['a few', 3, 10],
  ['as many as are remembered', 100, 10],
  ['more than a block', 40, 50_000],
  ['items larger than a block', 3, 700_000],
] as const)('a list of %s has all its items, in the length it said', async (_, count, bytes) => {
  const of = entries(count, bytes);
  for (let again = 0; again < 2; again++) {
    const { json } = read(await listBody({ kind: ConfigMap, list: list(of), listMeta: '{"a":1}' }, clock));
    expect(json).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1', metadata: { a: 1 } });
    expect(json.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual(
      of.map((_, i) => `c${i + 1}`),
    );
    expect(json.items.every((item: object) => !('kind' in item))).toBe(true);
  }
});

test('a large list comes in blocks, which are shared while the collection stays as it is', async () => {
  const of = entries(100, 50_000);
  const body = () => listBody({ kind: ConfigMap, list: list(of), listMeta: '{}' }, clock);
  const first = read(await body()).blocks;
  expect(first.length).toBeGreaterThan(8);
  expect(Math.max(...first.map((block) => block.length))).toBeLessThan(600_000);
  const second = read(await body()).blocks;
  expect(second.slice(1, -1).every((block, i) => block === first[i + 1])).toBe(true);
});

test('items made for the answer come in blocks too', async () => {
  const of = entries(3000, 10);
  const body = await textBody(
    {
      head: '{"rows":[',
      entries: of,
      itemOf: (o) => JSON.stringify({ name: o.metadata.name, é: 'x'.repeat(500) }),
      tail: ']}',
    },
    clock,
  );
  const { blocks, json } = read(body);
  expect(blocks.length).toBeGreaterThan(2);
  expect(json.rows.map((row: { name: string }) => row.name)).toEqual(of.map((_, i) => `c${i + 1}`));
});

test('a kind that is stored in another version goes out in its own', async () => {
  const kind = kinds.find((k) => k.kind === 'HorizontalPodAutoscaler' && k.version === 'v1')!;
  const stored = {
    kind: 'HorizontalPodAutoscaler',
    apiVersion: 'autoscaling/v2',
    metadata: { resourceVersion: '3', name: 'web', namespace: 'default' },
    spec: {
      maxReplicas: 3,
      scaleTargetRef: { kind: 'Deployment', name: 'web' },
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } },
        },
      ],
    },
  };
  const one = { ...entry(3, 1), wire: Buffer.from(JSON.stringify(stored)) } as Entry;
  const { json } = read(await listBody({ kind, list: list([one]), listMeta: '{}' }, clock));
  expect(json).toMatchObject({
    apiVersion: 'autoscaling/v1',
    items: [{ metadata: { name: 'web' }, spec: { targetCPUUtilizationPercentage: 60 } }],
  });
});
