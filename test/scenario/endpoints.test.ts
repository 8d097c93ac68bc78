// What stands behind services, in both forms, as pods come, get ready and go, and as people write Endpoints by hand.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Deployment, EndpointSlice, Endpoints, Pod, Service } from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

const labels = { app: 'web' };
const at = { name: 'web', namespace: 'default' };
let plane: ControlPlane;
beforeEach(async () => {
  plane = await ControlPlane.start();
  for (const [i, zone] of ['a', 'b'].entries()) await plane.addNode(`n${i + 1}`, { zone });
});
afterEach(() => plane.stop());

const serve = (name: string, spec: object) =>
  plane.client(Service).create({
    metadata: { name, namespace: 'default' },
    spec: { ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
  } as Draft<Service>);
const deploy = (replicas: number) =>
  plane.client(Deployment).create({
    metadata: at,
    spec: { replicas, selector: { matchLabels: labels }, template: buildTemplate(labels) },
  } as Draft<Deployment>);
const old = async (name: string) => {
  const { items } = await plane.client(Endpoints).list({ namespace: 'default' });
  const list = (which: 'addresses' | 'notReadyAddresses', subsets: Endpoints['subsets'] = []) =>
    subsets.flatMap((s) => (s[which] ?? []).map(({ ip }) => ip)).sort();
  const found = items.find((e) => e.metadata.name === name);
  return found && { ready: list('addresses', found.subsets), not: list('notReadyAddresses', found.subsets) };
};
const slices = async (name: string) =>
  (await plane.list(EndpointSlice)).filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === name);
const sliced = async (name: string) =>
  (await slices(name)).flatMap((s) => (s.endpoints ?? []).flatMap((e) => e.addresses)).sort();

test('both forms follow the pods', async () => {
  await serve('web', { selector: labels, trafficDistribution: 'PreferSameNode' });
  await deploy(4);
  await plane.until('four', async () => (await old('web'))?.ready.length === 4, 10_000);
  const ips = (await plane.pods()).map((pod) => pod.status!.podIP!).sort();
  expect(await old('web')).toEqual({ ready: ips, not: [] });
  expect(await sliced('web')).toEqual(ips);
  const [slice] = await slices('web');
  for (const { hints, zone, nodeName } of slice?.endpoints ?? [])
    expect(hints).toEqual({ forZones: [{ name: zone }], forNodes: [{ name: nodeName }] });
  expect(slice?.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time']).toMatch(/Z$/);

  const [pod] = await plane.pods();
  await plane.client(Pod).delete(pod!.metadata.name, 'default');
  await plane.rest();
  expect((await sliced('web')).length).toBeGreaterThan(0);
  const replaced = async () => {
    const { ready } = (await old('web'))!;
    return ready.length === 4 && !ready.includes(pod!.status!.podIP!);
  };
  await plane.until('replaced', replaced, 10_000);
  await plane.client(Deployment).patch(at, 'merge', { spec: { replicas: 0 } });
  await plane.until('none', async () => (await sliced('web')).length === 0, 10_000);
  await plane.advance(1000);
  expect(await old('web')).toEqual({ ready: [], not: [] });
  await plane.client(Service).delete('web', 'default');
  await plane.advance(1000);
  expect([await old('web'), await slices('web')]).toEqual([undefined, []]);
});

test('endpoints written by hand are mirrored, unless they ask not to be', async () => {
  await serve('db', {});
  const write = (ip: string, more: object = {}) =>
    plane.client(Endpoints).create({
      metadata: { name: 'db', namespace: 'default', ...more },
      subsets: [{ addresses: [{ ip }], ports: [{ name: 'sql', port: 5432 }] }],
    } as Draft<Endpoints>);
  await write('192.0.2.1');
  await plane.advance(500);
  expect(await sliced('db')).toEqual(['192.0.2.1']);
  const patch = { metadata: { labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } } };
  await plane.client(Endpoints).patch({ name: 'db', namespace: 'default' }, 'merge', patch);
  await plane.advance(500);
  expect(await sliced('db')).toEqual([]);
  await plane.client(Endpoints).patch({ name: 'db', namespace: 'default' }, 'merge', {
    metadata: { labels: null },
  });
  await plane.advance(500);
  expect(await sliced('db')).toEqual(['192.0.2.1']);
  // A selector takes over.
  await plane.client(Service).patch({ name: 'db', namespace: 'default' }, 'merge', {
    spec: { selector: labels },
  });
  await plane.advance(500);
  expect(await sliced('db')).toEqual([]);
  expect(
    (await slices('db')).map((s) => s.metadata.labels?.['endpointslice.kubernetes.io/managed-by']),
  ).toEqual(['endpointslice-controller.k8s.io']);
});

test('the kubernetes service is nobody’s to mirror', async () => {
  await plane.advance(1000);
  expect((await slices('kubernetes')).map((s) => s.metadata.name)).toEqual(['kubernetes']);
});
