import { afterEach, expect, test } from 'vitest';
import { ConfigMap, kinds, Pod, ResourceQuota } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { ControllerHarness, disorderly } from '../../testkit/index.ts';
import { resourceQuotaController } from './controller.ts';

let harness: ControllerHarness;
afterEach(() => harness.stop());

const quota = (hard: Record<string, string>, more: object = {}) =>
  harness.create(ResourceQuota, { metadata: { name: 'q' }, spec: { hard, ...more } } as Draft<ResourceQuota>);
const used = async () => (await harness.list(ResourceQuota))[0]?.status?.used;
const pod = (name: string, requests: Record<string, string>, spec: object = {}) =>
  harness.create(Pod, {
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests } }], ...spec },
  } as Draft<Pod>);

test.each([1, 2, 3, 4])('in disorder %d it comes to the right count and rests', async (seed) => {
  const delivery = disorderly(seededRandom(seed), { maxMs: 150, twice: true });
  harness = new ControllerHarness({ seed, delivery });
  await harness.start(resourceQuotaController({ kinds }));
  for (let i = 0; i < 5; i++) await pod(`p${i}`, { cpu: '250m', memory: '64Mi' });
  await harness.create(ConfigMap, { metadata: { name: 'm' } });
  await quota({ pods: '10', 'requests.cpu': '4', memory: '1Gi', 'count/configmaps': '3', configmaps: '3' });
  await harness.advance(2000);
  expect(await used()).toEqual({
    pods: '5',
    'requests.cpu': '1250m',
    memory: '320Mi',
    'count/configmaps': '1',
    configmaps: '1',
  });
  for (const name of ['p0', 'p1'])
    await harness.client(Pod).delete(name, 'default', { gracePeriodSeconds: 0 });
  const at = { name: 'p2', namespace: 'default', subresource: 'status' };
  await harness.client(Pod).patch(at, 'merge', { status: { phase: 'Succeeded' } });
  await harness.advance(2000);
  expect(await used()).toMatchObject({ pods: '2', 'requests.cpu': '500m', memory: '128Mi' });
  const before = harness.transport.calls.length;
  await harness.advance(1_000_000);
  expect(harness.transport.calls.length).toBe(before);
});

test('charges and new objects are no reason to count; the time is', async () => {
  harness = new ControllerHarness();
  await quota({ pods: '10' });
  await harness.start(resourceQuotaController({ kinds }));
  await harness.advance(1000);
  const before = harness.stats()[0]!.reconciles;
  for (let i = 0; i < 5; i++) await pod(`p${i}`, {});
  await harness
    .client(ResourceQuota)
    .patch({ name: 'q', namespace: 'default', subresource: 'status' }, 'merge', {
      status: { used: { pods: '6' } },
    });
  await harness.advance(1000);
  expect(harness.stats()[0]!.reconciles).toBe(before);
  await harness.advance(301_000);
  expect(await used()).toEqual({ pods: '5' });
});

test('a quota with scopes counts what is in them', async () => {
  harness = new ControllerHarness();
  await pod('burst', { cpu: '1' });
  await pod('best', {});
  await pod('short', { cpu: '2' }, { activeDeadlineSeconds: 5 });
  await quota({ pods: '10', cpu: '10' }, { scopes: ['NotBestEffort', 'NotTerminating'] });
  await harness.start(resourceQuotaController({ kinds }));
  expect(await used()).toEqual({ pods: '1', cpu: '1' });
});
