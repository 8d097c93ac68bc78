// What every cluster has is put back, and the `kubernetes` service names every server that is there.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigMap, EndpointSlice, Endpoints, Lease, Service } from '../api/index.ts';
import { FakeClock, settle } from '../base/index.ts';
import { isNotFound } from '../machinery/index.ts';
import { ApiFixture } from '../testkit/index.ts';
import { keepClientAuthentication } from './client-authentication.ts';
import { KubernetesService, planKubernetesEndpoints } from './kubernetes-service.ts';

let f: ApiFixture;
let clock: FakeClock;
beforeEach(async () => {
  clock = new FakeClock(Date.parse('2026-01-02T03:04:05Z'));
  f = await ApiFixture.create({ clock, server: { clientCa: 'PEM' } });
});
afterEach(() => f.close());

const addresses = async () => {
  const { subsets } = await f.api.client(Endpoints).get('kubernetes', 'default');
  const { endpoints } = await f.api.client(EndpointSlice).get('kubernetes', 'default');
  const old = (subsets ?? []).flatMap((s) => (s.addresses ?? []).map(({ ip }) => ip));
  expect((endpoints ?? []).flatMap((e) => e.addresses)).toEqual(old);
  return old;
};
const authentication = () => f.api.client(ConfigMap).get('extension-apiserver-authentication', 'kube-system');

describe('one server', () => {
  it('has the service, its endpoints in both forms, and what clients are known by', async () => {
    const { spec } = await f.api.client(Service).get('kubernetes', 'default');
    expect(spec).toMatchObject({ clusterIP: '10.96.0.1', ports: [{ port: 443, targetPort: 6443 }] });
    expect(await addresses()).toEqual(['192.0.2.1']);
    const { metadata } = await f.api.client(Endpoints).get('kubernetes', 'default');
    expect(metadata.labels).toEqual({ 'endpointslice.kubernetes.io/skip-mirror': 'true' });
    expect((await authentication()).data).toEqual({ 'client-ca-file': 'PEM' });
    expect((await f.api.client(Lease).list({ namespace: 'kube-system' })).items).toEqual([]);
  });

  it.each([['is not there'], ['is another']])(
    'two that write at once what clients are known by when it %s',
    async (how) => {
      const known = { clientCa: 'PEM', frontProxyCa: undefined, frontProxyName: '', nowMs: 0 };
      const maps = f.api.client(ConfigMap);
      const map = await authentication();
      if (how === 'is another') await maps.update({ ...map, data: {} });
      else await maps.delete(map.metadata.name, map.metadata.namespace);
      await Promise.all([1, 2].map(() => keepClientAuthentication(f.api.client, known)));
      expect((await authentication()).data).toEqual({ 'client-ca-file': 'PEM' });
    },
  );

  it('puts back what somebody takes away or changes, within ten seconds, and rests otherwise', async () => {
    const stop = new AbortController();
    const kept = f.api.keepUp(stop.signal);
    await clock.advance(10_000);
    await settle(20);
    const { revision } = f.store;
    await clock.advance(10_000);
    await settle(20);
    expect(f.store.revision).toBe(revision);

    await f.api.client(Service).delete('kubernetes', 'default');
    await f.api.client(Endpoints).delete('kubernetes', 'default');
    await f.api.client(EndpointSlice).delete('kubernetes', 'default');
    const map = await authentication();
    await f.api.client(ConfigMap).update({ ...map, data: { 'client-ca-file': 'other', more: 'x' } });
    await clock.advance(10_000);
    await settle(50);
    expect((await f.api.client(Service).get('kubernetes', 'default')).spec.clusterIP).toBe('10.96.0.1');
    expect(await addresses()).toEqual(['192.0.2.1']);
    expect((await authentication()).data).toEqual({ 'client-ca-file': 'PEM', more: 'x' });
    stop.abort();
    await kept;
  });
});

describe('several servers', () => {
  const server = (address: string, itsClock = clock) =>
    new KubernetesService(f.api.client, {
      serviceIp: '10.96.0.1',
      address,
      port: 6443,
      shared: true,
      clock: itsClock,
    });

  it('are all named, for as long as they are there', async () => {
    const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => server(address));
    for (const one of [b!, c!, a!]) await one.start();
    expect(await addresses()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    await c!.leave();
    expect(await addresses()).toEqual(['10.0.0.1', '10.0.0.2']);
    // One dies without a word.
    const pass = async (seconds: number, ...alive: KubernetesService[]) => {
      for (let i = 0; i < seconds; i++) {
        await clock.advance(1000);
        for (const one of alive) await one.keepAddresses();
      }
    };
    await pass(4, a!);
    expect(await addresses()).toEqual(['10.0.0.1', '10.0.0.2']);
    await pass(1, a!);
    expect(await addresses()).toEqual(['10.0.0.1']);
    await b!.keepAddresses();
    expect(await addresses()).toEqual(['10.0.0.1', '10.0.0.2']);
    await pass(200, a!);
    expect((await f.api.client(Lease).list({ namespace: 'kube-system' })).items).toHaveLength(1);
  });

  it('need no common clock', async () => {
    const behind = new FakeClock(clock.nowMs() - 3_600_000);
    const [a, b] = [server('10.0.0.1'), server('10.0.0.2', behind)];
    for (let i = 0; i < 10; i++) {
      for (const one of [a, b]) await (i === 0 ? one.start() : one.keepAddresses());
      expect(await addresses()).toEqual(['10.0.0.1', '10.0.0.2']);
      await clock.advance(1000);
      await behind.advance(1000);
    }
  });

  it('that notice an end at different moments do not name it again', async () => {
    const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => server(address));
    for (const one of [a!, c!]) await one.start();
    await clock.advance(2000);
    // It sees the Lease of the lost one only now.
    await b!.start();
    const seen: string[] = [];
    for (let i = 0; i < 8; i++) {
      for (const one of [a!, b!]) {
        await one.keepAddresses();
        seen.push((await addresses()).length === 3 ? 'named' : 'gone');
      }
      await clock.advance(1000);
    }
    expect(seen.indexOf('gone')).toBeGreaterThan(0);
    expect(seen.lastIndexOf('named')).toBe(seen.indexOf('gone') - 1);
  });

  it('can be reached only where others can: a loopback address is no endpoint', async () => {
    await f.api.client(EndpointSlice).delete('kubernetes', 'default');
    await server('127.0.0.1').keep();
    await expect(f.api.client(EndpointSlice).get('kubernetes', 'default')).rejects.toSatisfy(isNotFound);
  });

  it('agree on the endpoints, in whatever order they see each other', () => {
    const one = fc.record({
      address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '2001:db8::1', '2001:db8::2'),
      port: fc.constantFrom(6443, 16443),
    });
    const some = fc
      .uniqueArray(one, { selector: ({ address, port }) => `${address} ${port}` })
      .chain((servers) =>
        fc.tuple(
          fc.constant(servers),
          fc.shuffledSubarray(servers, { minLength: servers.length, maxLength: servers.length }),
        ),
      );
    fc.assert(
      fc.property(some, ([servers, again]) => {
        const { endpoints, slice } = planKubernetesEndpoints(servers);
        expect(planKubernetesEndpoints(again)).toEqual({ endpoints, slice });
        expect(slice.endpoints.length > 0).toBe(servers.length > 0);
        const named = slice.endpoints.map((e) => e.addresses[0]!);
        expect(new Set(named.map((ip) => ip.includes(':'))).size).toBeLessThan(2);
        for (const address of named)
          expect(servers).toContainEqual({ address, port: slice.ports?.[0]?.port });
      }),
    );
  });
});
