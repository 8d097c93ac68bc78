// What a cluster has of flow control from its start, and what becomes of changes to it.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiFixture } from '../testkit/index.ts';
import { ensureFlowControl } from './bootstrap-flow-control.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

const base = '/apis/flowcontrol.apiserver.k8s.io/v1';
const merge = (url: string, body: object) =>
  f.ask('PATCH', url, { body, type: 'application/merge-patch+json' });

it('has the flow schemas of Kubernetes, each with a level that exists', async () => {
  const levels = (await f.ask('GET', `${base}/prioritylevelconfigurations`)).json.items;
  const names = levels.map((level: { metadata: { name: string } }) => level.metadata.name);
  expect(names).toEqual([
    'catch-all',
    'exempt',
    'global-default',
    'leader-election',
    'node-high',
    'system',
    'workload-high',
    'workload-low',
  ]);
  const { items } = (await f.ask('GET', `${base}/flowschemas`)).json;
  expect(items.length).toBe(13);
  for (const { spec, status } of items) {
    expect(names).toContain(spec.priorityLevelConfiguration.name);
    expect(status.conditions[0]).toMatchObject({ type: 'Dangling', status: 'False', reason: 'Found' });
  }
  expect(levels[0].spec).toEqual({
    type: 'Limited',
    limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } },
  });
});

it('puts back what is mandatory or follows the table, and nothing else', async () => {
  const shares = { spec: { limited: { nominalConcurrencyShares: 77 } } };
  const own = { metadata: { annotations: { 'apf.kubernetes.io/autoupdate-spec': 'false' } } };
  const level = (name: string) => `${base}/prioritylevelconfigurations/${name}`;
  await merge(level('system'), shares);
  await merge(level('workload-low'), { ...shares, ...own });
  await f.ask('DELETE', `${base}/flowschemas/probes`);
  const revision = f.store.revision;
  await ensureFlowControl(f.api.client);
  expect(f.store.revision).toBe(revision + 3);
  const now = async (name: string) =>
    (await f.ask('GET', level(name))).json.spec.limited.nominalConcurrencyShares;
  expect([await now('system'), await now('workload-low')]).toEqual([30, 77]);
  expect((await f.ask('GET', `${base}/flowschemas/probes`)).code).toBe(200);
});
