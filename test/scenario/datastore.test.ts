// Whole servers on each store, in this process: what survives a restart, several servers on one etcd, and an etcd that goes away.
// Real time: another process keeps the records.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ConfigMap, Event, Pod, ReplicaSet, Service } from '../../src/api/index.ts';
import {
  copyDatastore,
  type RunningServer,
  type ServerOptions,
  serverDefaults,
  startServer,
} from '../../src/app/index.ts';
import { createLog, silentLog as log, systemClock, systemRandom } from '../../src/base/index.ts';
import { type Draft, isConflict, isExpired, StatusError } from '../../src/machinery/index.ts';
import { EtcdProcess, whyNoEtcd } from '../../src/testkit/index.ts';

/** Far beyond what anything here takes: it only ends what hangs. */
const patient = { timeout: 60_000 };

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) await cleanup();
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'jotasu-datastore-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Without controllers and scheduler, unless the test wants them: nothing but the test changes objects. */
async function start(
  datastoreEndpoint: string,
  dataDir = newDirectory(),
  options: Partial<ServerOptions> = {},
  serverLog = log,
): Promise<RunningServer> {
  const server = await startServer(
    {
      ...serverDefaults,
      dataDir,
      datastoreEndpoint,
      token: datastoreEndpoint.startsWith('etcd=') ? 'of-these-servers' : undefined,
      bindAddress: '127.0.0.1',
      httpsListenPort: 0,
      without: ['controllers', 'scheduler'],
      ...options,
    },
    { clock: systemClock, random: systemRandom(), log: serverLog },
  );
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= server.stop());
  cleanups.push(stop);
  return { ...server, stop };
}

const configMap = (name: string, value = name): Draft<ConfigMap> => ({
  metadata: { name, namespace: 'default' },
  data: { value },
});

/** What a call was refused with. */
const refusal = (call: Promise<unknown>): Promise<StatusError> =>
  call.then(
    () => {
      throw new Error('this should have been refused');
    },
    (error: unknown) => {
      if (error instanceof StatusError) return error;
      throw error;
    },
  );

/** Names as a watch told them, and how it ended. */
function watchNames(server: RunningServer, resourceVersion: string) {
  const names: string[] = [];
  const ends: unknown[] = [];
  const stop = new AbortController();
  cleanups.push(() => stop.abort());
  server.client(ConfigMap).watch(
    { namespace: 'default', resourceVersion },
    {
      onEvents: (events) => {
        for (const event of events)
          if (event.type !== 'BOOKMARK') names.push(`${event.type} ${event.object.metadata.name}`);
      },
      onEnd: (error) => void ends.push(error),
    },
    stop.signal,
  );
  return { names, ends };
}

test('lmdb: a server that starts again has what was answered, and goes on counting', async () => {
  const dataDir = newDirectory();
  const first = await start('lmdb', dataDir);
  const kept = await first.client(ConfigMap).create(configMap('kept'));
  const changed = await first.client(ConfigMap).create(configMap('changed'));
  await first.client(ConfigMap).create(configMap('gone'));
  await first.client(ConfigMap).update({ ...changed, data: { value: 'new' } });
  await first.client(ConfigMap).delete('gone', 'default');
  const before = await first.client(ConfigMap).list({ namespace: 'default' });
  const service = await first.client(Service).create({
    metadata: { name: 's', namespace: 'default' },
    spec: { ports: [{ port: 80 }] },
  } as Draft<Service>);
  await first.stop();

  const second = await start('lmdb', dataDir);
  const client = second.client(ConfigMap);
  const after = await client.list({ namespace: 'default' });
  expect(after.items).toEqual(before.items);
  expect(after.items.map((item) => item.data?.['value'])).toEqual(['new', 'kept']);
  expect(await client.get('kept', 'default')).toEqual(kept);
  // Who held the old version is told so, and whoever holds the present one may write.
  expect(isConflict(await refusal(client.update({ ...changed, data: {} })))).toBe(true);
  const next = await client.update({ ...kept, data: { value: 'again' } });
  expect(Number(next.metadata.resourceVersion)).toBeGreaterThan(Number(before.resourceVersion));
  const { ends } = watchNames(second, kept.metadata.resourceVersion);
  await vi.waitFor(() => expect(ends).toHaveLength(1), patient);
  expect(isExpired(ends[0])).toBe(true);
  const taken = { ...service, metadata: { name: 't', namespace: 'default' } };
  expect((await refusal(second.client(Service).create(taken as Draft<Service>))).message).toContain(
    'already allocated',
  );
});

describe.skipIf(whyNoEtcd() !== undefined)('etcd', () => {
  async function startEtcd() {
    const etcd = await EtcdProcess.start();
    cleanups.push(() => etcd.remove());
    return { etcd, endpoint: `etcd=${etcd.url}` };
  }

  test('two servers that start at once serve the same objects, and see each other’s writes', async () => {
    const { endpoint } = await startEtcd();
    const [one, two] = await Promise.all([start(endpoint), start(endpoint)]);
    const { resourceVersion } = await two.client(ConfigMap).list({ namespace: 'default' });
    const watched = watchNames(two, resourceVersion);
    for (let i = 0; i < 20; i++) {
      const [here, there] = i % 2 === 0 ? [one, two] : [two, one];
      const made = await here.client(ConfigMap).create(configMap(`c${i}`));
      // At once and from the other: an exact read sees every answered write.
      expect(await there.client(ConfigMap).get(`c${i}`, 'default')).toEqual(made);
      expect((await there.client(ConfigMap).list({ namespace: 'default' })).items).toHaveLength(i + 1);
    }
    await one.client(ConfigMap).delete('c0', 'default');
    await vi.waitFor(() => expect(watched.names).toHaveLength(21), patient);
    expect(watched.names.slice(0, 2)).toEqual(['ADDED c0', 'ADDED c1']);
    expect(watched.names.at(-1)).toBe('DELETED c0');

    const current = await two.client(ConfigMap).get('c1', 'default');
    const updates = await Promise.allSettled(
      [one, two].map((server) => server.client(ConfigMap).update({ ...current, data: { by: server.url } })),
    );
    expect(updates.map((u) => u.status).sort()).toEqual(['fulfilled', 'rejected']);
    for (const update of updates)
      if (update.status === 'rejected') expect(isConflict(update.reason)).toBe(true);

    const services = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        [one, two][i % 2]!.client(Service).create({
          metadata: { name: `s${i}`, namespace: 'default' },
          spec: { type: 'NodePort', ports: [{ port: 80 }] },
        } as Draft<Service>),
      ),
    );
    expect(new Set(services.map((s) => s.spec.clusterIP)).size).toBe(20);
    expect(new Set(services.map((s) => s.spec.ports?.[0]?.nodePort)).size).toBe(20);
  });

  test('down: reads and writes are 503 and say why; back: the same server and its watches go on', async () => {
    const { etcd, endpoint } = await startEtcd();
    const server = await start(endpoint);
    const client = server.client(ConfigMap);
    const { resourceVersion } = await client.list({ namespace: 'default' });
    const watched = watchNames(server, resourceVersion);
    await client.create(configMap('before'));
    await etcd.kill();
    // All at once, and each listened to from the start: they do not fail in an order.
    const errors = await Promise.all([
      refusal(client.create(configMap('now'))),
      refusal(client.list({ namespace: 'default' })),
      refusal(client.delete('before', 'default')),
    ]);
    for (const { code, reason } of errors) expect([code, reason]).toEqual([503, 'ServiceUnavailable']);
    expect((await refusal(client.create(configMap('now')))).message).toContain(
      `etcd cannot be reached at ${etcd.url}`,
    );
    // From memory, for who asks for no more than that.
    expect((await client.list({ namespace: 'default', resourceVersion: '0' })).items).toHaveLength(1);
    await etcd.restart();
    await vi.waitFor(() => client.list({ namespace: 'default' }), patient);
    await client.create(configMap('after'));
    await vi.waitFor(() => expect(watched.names).toEqual(['ADDED before', 'ADDED after']), patient);
    expect(watched.ends).toEqual([]);
    expect((await client.list({ namespace: 'default' })).items).toHaveLength(2);
  });

  test('a cluster grows from lmdb to etcd and back: objects, authorities and tokens stay, old revisions are over', async () => {
    const { endpoint } = await startEtcd();
    const [first, second] = [newDirectory(), newDirectory()];
    const said: string[] = [];
    const copy = (from: string, to: string) =>
      copyDatastore({ from, to }, { clock: systemClock, log }, (line) => said.push(line));
    let server = await start('lmdb', first);
    const made = await server.client(ConfigMap).create(configMap('kept'));
    for (let i = 0; i < 50; i++) await server.client(ConfigMap).create(configMap(`more-${i}`));
    const { items, resourceVersion: old } = await server.client(ConfigMap).list({ namespace: 'default' });
    await expect(copy(`lmdb=${first}`, endpoint)).rejects.toThrow(/is used by|in use/);
    const { ca } = server.pki;
    await server.stop();

    await copy(`lmdb=${first}`, endpoint);
    expect(said.join()).toContain(`data directory, ${first}`);
    // Without the directory that has the certificates nothing is started, least of all with new ones.
    await expect(start(endpoint, second)).rejects.toThrow('without its certificates');
    server = await start(endpoint, first);
    const other = await start(endpoint, second);
    expect([server.pki.ca, other.pki.ca]).toEqual([ca, ca]);
    const list = await other.client(ConfigMap).list({ namespace: 'default' });
    const names = (all: readonly ConfigMap[]) => all.map(({ metadata: { name, uid } }) => [name, uid]);
    expect(names(list.items)).toEqual(names(items));
    expect(Number(list.resourceVersion)).toBeGreaterThan(Number(old));
    const { ends } = watchNames(other, old);
    await vi.waitFor(() => expect(ends).toHaveLength(1), patient);
    expect(isExpired(ends[0])).toBe(true);
    expect(isConflict(await refusal(other.client(ConfigMap).update({ ...made, data: {} })))).toBe(true);
    await other.client(ConfigMap).create(configMap('of-etcd'));
    await Promise.all([server.stop(), other.stop()]);

    await expect(copy(endpoint, `lmdb=${first}`)).rejects.toThrow(/it holds \d+ records already/);
    rmSync(join(first, 'db'), { recursive: true });
    await copy(endpoint, `lmdb=${first}`);
    server = await start('lmdb', first);
    expect(server.pki.ca).toEqual(ca);
    expect((await server.client(ConfigMap).list({ namespace: 'default' })).items).toHaveLength(
      items.length + 1,
    );
  });

  test('who lost its roles while etcd was away does all of their work when it has them again', async () => {
    const { etcd, endpoint } = await startEtcd();
    const lines: string[] = [];
    const server = await start(
      endpoint,
      newDirectory(),
      {
        without: ['scheduler'],
        leaderElectLeaseDurationMs: 1000,
        leaderElectRenewDeadlineMs: 600,
        leaderElectRetryPeriodMs: 100,
      },
      createLog({ level: 'info', write: (line) => lines.push(line), nowMs: () => Date.now() }),
    );
    const told = (text: string) => lines.filter((line) => line.includes(text)).length;
    // A machine with much else to do may keep it from renewing in time: it becomes the leader again by itself.
    const leads = () => told('became leader') - told('lost the lead');
    await vi.waitFor(() => expect(leads()).toBe(1), patient);
    const podsOf = async (name: string) =>
      (await server.client(Pod).list({ namespace: 'default', labelSelector: `app=${name}` })).items.length;
    const make = async (name: string) => {
      await server.client(ReplicaSet).create({
        metadata: { name, namespace: 'default' },
        spec: {
          replicas: 1,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name } },
            spec: { containers: [{ name: 'c', image: 'i' }] },
          },
        },
      } as Draft<ReplicaSet>);
      await vi.waitFor(async () => expect(await podsOf(name)).toBe(1), patient);
    };
    await make('before');
    await etcd.kill();
    await vi.waitFor(() => expect(leads()).toBe(0), patient);
    await etcd.restart();
    await vi.waitFor(() => expect(leads()).toBe(1), patient);
    await make('after');
    // By the garbage collector.
    await server.client(ReplicaSet).delete('before', 'default');
    await vi.waitFor(async () => expect(await podsOf('before')).toBe(0), patient);
    expect(lines.filter((line) => line.includes('background task failed'))).toEqual([]);
  });

  test('a record that etcd cannot hold is 413; events go by a lease', async () => {
    const { endpoint } = await startEtcd();
    const server = await start(endpoint);
    const env = Array.from({ length: 40 }, (_, i) => ({ name: `E${i}`, value: 'x'.repeat(50_000) }));
    const pod = { metadata: { name: 'large', namespace: 'default' } };
    const containers = [{ name: 'c', image: 'i', env }];
    const error = await refusal(server.client(Pod).create({ ...pod, spec: { containers } } as Draft<Pod>));
    expect([error.code, error.reason]).toEqual([413, 'RequestEntityTooLarge']);
    expect(error.message).toContain('request is too large');
    const made = await server.client(Event).create({
      metadata: { name: 'e', namespace: 'default' },
      involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
      reason: 'Tested',
    } as Draft<Event>);
    expect(await server.client(Event).get('e', 'default')).toEqual(made);
  });

  test('the same server on the same etcd starts again', async () => {
    const { endpoint } = await startEtcd();
    const dataDir = newDirectory();
    const first = await start(endpoint, dataDir);
    const made = await first.client(ConfigMap).create(configMap('kept'));
    await first.stop();
    const second = await start(endpoint, dataDir);
    expect(await second.client(ConfigMap).get('kept', 'default')).toEqual(made);
    // The first said as its last word that it goes, so the history of the second begins after what was made.
    const { resourceVersion } = await second.client(ConfigMap).list({ namespace: 'default' });
    expect(Number(resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion));
    const { names } = watchNames(second, resourceVersion);
    await second.client(ConfigMap).create(configMap('next'));
    await vi.waitFor(() => expect(names).toEqual(['ADDED next']), patient);
  });
});
