// What only a real etcd shows: others that write to it, its end and return, several endpoints, TLS, a full quota. Real time.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { silentLog as log, systemClock } from '../../base/index.ts';
import { EtcdProcess, type EtcdProcessOptions, whyNoEtcd } from '../../testkit/index.ts';
import { type Backend, BackendUnavailable, Compacted } from '../backend.ts';
import { createStore } from '../revision-store.ts';
import type { Store, StoreEvent } from '../store.ts';
import { type EtcdBackendOptions, openEtcdBackend } from './index.ts';

/** Far beyond what anything here takes: it only ends what hangs. */
const patient = { timeout: 60_000 };

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) await cleanup();
});

async function startEtcd(options?: EtcdProcessOptions): Promise<EtcdProcess> {
  const etcd = await EtcdProcess.start(options);
  cleanups.push(() => etcd.remove());
  return etcd;
}

async function open(
  endpoints: readonly string[],
  options: Partial<EtcdBackendOptions> = {},
): Promise<Backend> {
  const backend = await openEtcdBackend({
    endpoints,
    prefix: '/jotasu',
    tls: {},
    compactionIntervalMs: 0,
    startTimeoutMs: 60_000,
    clock: systemClock,
    log,
    ...options,
  });
  cleanups.push(() => backend.close());
  return backend;
}

const storeOver = (backend: Backend): Promise<Store> => createStore(backend, { clock: systemClock, log });
const podKey = (name: string) => `/core/pods/ns/${name}`;
const pod = (name: string) =>
  Buffer.from(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"${name}"},"spec":{}}`);
const put = (store: Store, name: string, expectRevision = 0) =>
  store.commit({ key: podKey(name), value: pod(name), expect: expectRevision });
const write = (backend: Backend, key: string, ttlSeconds = 0) =>
  backend.write({ key, value: pod('x'), expect: 0, ttlSeconds });

describe.skipIf(whyNoEtcd() !== undefined)('etcd', () => {
  test('what one server has answered, the other reads and watches', async () => {
    const { url } = await startEtcd();
    const one = await storeOver(await open([url]));
    const two = await storeOver(await open([url]));
    const seen: StoreEvent[] = [];
    two.watch('/core/pods/', two.revision, { onEvents: (e) => void seen.push(...e), onLost: () => {} });
    for (let i = 0; i < 50; i++) {
      const made = await put(i % 2 === 0 ? one : two, `p${i}`);
      const other = i % 2 === 0 ? two : one;
      await other.catchUp();
      expect(other.get(podKey(`p${i}`))?.revision).toBe(made.ok && made.entry?.revision);
    }
    await one.commit({ key: podKey('p0'), value: undefined, expect: one.get(podKey('p0'))!.revision });
    await two.catchUp();
    expect(two.get(podKey('p0'))).toBeUndefined();
    expect(seen).toHaveLength(51);
    // Two that update one record at once: one wins each time, and no update is lost.
    let revision = (await put(one, 'shared')).ok ? one.get(podKey('shared'))!.revision : 0;
    for (let i = 0; i < 20; i++) {
      await Promise.all([one.catchUp(), two.catchUp()]);
      const results = await Promise.all([put(one, 'shared', revision), put(two, 'shared', revision)]);
      expect(results.filter((r) => r.ok)).toHaveLength(1);
      revision = results.find((r) => r.ok)!.entry!.revision;
      expect(results.find((r) => !r.ok)).toMatchObject({ current: { revision } });
    }
  });

  test('writes of others under other prefixes do not keep an exact read waiting', async () => {
    const { url } = await startEtcd();
    const store = await storeOver(await open([url]));
    const stranger = await open([url], { prefix: '/stranger' });
    await put(store, 'mine');
    for (let i = 0; i < 20; i++) {
      await write(stranger, `/x/y/${i}`);
      await Promise.all([store.catchUp(), store.catchUp(), store.catchUp()]);
      expect(store.revision).toBeGreaterThanOrEqual(await stranger.currentRevision());
    }
    expect(store.list('/')).toHaveLength(1);
    expect((await put(store, 'mine', store.get(podKey('mine'))!.revision)).ok).toBe(true);
  });

  test('while it is down reads and writes are refused clearly; when it is back all goes on', async () => {
    const etcd = await startEtcd();
    const backend = await open([etcd.url]);
    const store = await storeOver(backend);
    const seen: string[] = [];
    let lost = 0;
    store.watch('/core/pods/', store.revision, {
      onEvents: (events) => void seen.push(...events.map((e) => e.entry.key)),
      onLost: () => lost++,
    });
    await put(store, 'before');
    await etcd.kill();
    for (const attempt of [() => put(store, 'now'), () => store.catchUp()]) {
      const error = await attempt().then(
        () => undefined,
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(BackendUnavailable);
      expect(error).toMatchObject({ retryable: true, full: false });
    }
    expect((await put(store, 'again').catch((e: Error) => e.message)) as string).toContain(
      `etcd cannot be reached at ${etcd.url}`,
    );
    expect(store.get(podKey('before'))).toBeDefined();
    await etcd.restart();
    await vi.waitFor(() => store.catchUp(), patient);
    expect((await put(store, 'after')).ok).toBe(true);
    await store.catchUp();
    expect(seen).toEqual([podKey('before'), podKey('after')]);
    expect(lost).toBe(0);
  });

  test('an endpoint that is dead at the start, and one that dies, are left for another', async () => {
    const etcd = await startEtcd();
    const dead = await startEtcd();
    await dead.kill();
    const store = await storeOver(await open([dead.url, etcd.url]));
    expect((await put(store, 'a')).ok).toBe(true);
    await etcd.kill();
    await expect(put(store, 'b')).rejects.toThrow(BackendUnavailable);
    await etcd.restart();
    await vi.waitFor(() => store.catchUp(), patient);
    expect((await put(store, 'c')).ok).toBe(true);
  });

  test('compaction by two servers: history goes, the present stays', async () => {
    const { url } = await startEtcd();
    const backends = [
      await open([url], { compactionIntervalMs: 300 }),
      await open([url], { compactionIntervalMs: 300 }),
    ];
    const [one, two] = [await storeOver(backends[0]!), await storeOver(backends[1]!)];
    await put(one, 'old');
    const { revision } = two;
    await vi.waitFor(async () => {
      await expect(
        Promise.race([
          backends[0]!.follow(revision - 1, () => {}, new AbortController().signal),
          new Promise((resolve) => setTimeout(resolve, 100)),
        ]),
      ).rejects.toThrow(Compacted);
    }, patient);
    expect((await put(two, 'new')).ok).toBe(true);
    await one.catchUp();
    expect(one.list('/core/pods/').map((e) => e.key)).toEqual([podKey('new'), podKey('old')]);
  });

  test('a lease that is lost is replaced', async () => {
    const etcd = await startEtcd();
    const backend = await open([etcd.url]);
    expect((await write(backend, '/core/events/ns/a', 3600)).ok).toBe(true);
    // Its data are gone, and the leases with them.
    await etcd.reset();
    await vi.waitFor(
      async () => expect((await write(backend, '/core/events/ns/b', 3600)).ok).toBe(true),
      patient,
    );
  });

  test('a quota that is used up is a store without room', async () => {
    const { url } = await startEtcd({ args: ['--quota-backend-bytes=8388608'] });
    const backend = await open([url]);
    const value = Buffer.alloc(1024 * 1024, 'x');
    let refusal: unknown;
    for (let i = 0; refusal === undefined && i < 40; i++)
      await backend
        .write({ key: `/a/b/${i}`, value, expect: 0, ttlSeconds: 0 })
        .catch((error: unknown) => (refusal = error));
    expect(refusal).toBeInstanceOf(BackendUnavailable);
    expect(refusal).toMatchObject({ full: true, message: 'etcdserver: mvcc: database space exceeded' });
    expect(await backend.currentRevision()).toBeGreaterThan(1);
  });

  test('TLS with client certificates; without one nobody gets in', async () => {
    const files = makeCertificates();
    const { url } = await startEtcd({ tls: files });
    const [ca, cert, key] = [files.caFile, files.certFile, files.keyFile].map((file) =>
      fs.readFileSync(file),
    ) as [Buffer, Buffer, Buffer];
    const backend = await open([url], { tls: { ca, cert, key } });
    expect((await write(backend, '/a/b/c')).ok).toBe(true);
    for (const tls of [{ ca }, {}])
      await expect(open([url], { tls, startTimeoutMs: 0 })).rejects.toThrow(BackendUnavailable);
  });
});

function makeCertificates() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-etcd-tls-'));
  cleanups.push(() => fs.rmSync(directory, { recursive: true }));
  const file = (name: string) => path.join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=ca', '-days', '1');
  openssl('req', ...key, '-keyout', 'etcd.key', '-out', 'etcd.csr', '-subj', '/CN=etcd');
  fs.writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
  openssl(
    ...['x509', '-req', '-in', 'etcd.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-days', '1', '-extfile', 'names', '-out', 'etcd.crt'],
  );
  return { caFile: file('ca.crt'), certFile: file('etcd.crt'), keyFile: file('etcd.key') };
}
