// Storage alone, without API server: durable commits, lists, watches, memory, start.
//
//   node --import tsx bench/storage.ts [lmdb|etcd]
//
// With etcd: Debian's, one member, its data on a disk beside LMDB's, and fewer records.
//
// Figures of a build machine stand in src/storage/README.md.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { silentLog, systemClock } from '../src/base/index.ts';
import { createStore, openEtcdBackend, openLmdbBackend, type Store } from '../src/storage/index.ts';
import { EtcdProcess } from '../src/testkit/index.ts';

const options = { clock: systemClock, log: silentLog };
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-bench-'));
const filler = 'x'.repeat(1900);
const valueFor = (name: string) =>
  Buffer.from(
    `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"${name}","namespace":"default"},"spec":{"filler":"${filler}"}}`,
  );

function report(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(64)} ${figure}\n`);
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`;

const etcd =
  process.argv[2] === 'etcd'
    ? await EtcdProcess.start({ parent: os.tmpdir(), args: ['--quota-backend-bytes=8589934592'] })
    : undefined;

async function open(): Promise<Store> {
  if (etcd === undefined) return createStore(await openLmdbBackend(directory, options), options);
  const backend = await openEtcdBackend({
    ...options,
    endpoints: [etcd.url],
    prefix: '/bench',
    tls: {},
    compactionIntervalMs: 0,
    startTimeoutMs: 10_000,
  });
  return createStore(backend, options);
}

/** Runs `write` from `writers` places until `count` are done. */
async function writeMany(store: Store, how: { writers: number; count: number; key: (i: number) => string }) {
  const delays: number[] = [];
  let next = 0;
  const cpu = process.cpuUsage();
  const started = performance.now();
  await Promise.all(
    Array.from({ length: how.writers }, async () => {
      while (next < how.count) {
        const key = how.key(next++);
        const from = performance.now();
        const result = await store.commit({
          key,
          value: valueFor(key),
          expect: store.get(key)?.revision ?? 0,
        });
        if (!result.ok) throw new Error(`${key}: lost its compare`);
        delays.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  delays.sort((a, b) => a - b);
  const at = (q: number) => `${delays[Math.floor(delays.length * q)]!.toFixed(2)} ms`;
  return `${Math.round(how.count / seconds)}/s, p50 ${at(0.5)}, p99 ${at(0.99)}, ${((user + system) / 1000 / how.count).toFixed(3)} ms CPU each`;
}

function perSecond(count: number, run: () => void): string {
  const started = performance.now();
  for (let i = 0; i < count; i++) run();
  return `${Math.round((count * 1000) / (performance.now() - started))}/s`;
}

const key = (kind: string, i: number) => `/core/${kind}/default/pod-${((i * 7919) % 1_000_003).toString(36)}`;

let store = await open();
report(
  'create 1,000 of 2 KB, 1 writer',
  await writeMany(store, { writers: 1, count: 1000, key: (i) => key('a', i) }),
);
report(
  'create 13,800 of 2 KB, 32 writers',
  await writeMany(store, { writers: 32, count: 13_800, key: (i) => key('pods', i) }),
);
report(
  'update 30,000 of 2 KB, 32 writers',
  await writeMany(store, { writers: 32, count: 30_000, key: (i) => key('pods', i % 13_800) }),
);
report(
  'list 13,800, nothing changed',
  perSecond(1_000_000, () => store.list('/core/pods/')),
);
const some = store.get(key('pods', 5))!;
report(
  'commit, then list 13,800 (the list is made anew each time)',
  await (async () => {
    const started = performance.now();
    for (let i = 0; i < 500; i++) {
      const expect = store.get(some.key)!.revision;
      await store.commit({ key: some.key, value: valueFor('again'), expect });
      if (store.list('/core/pods/').length !== 13_800) throw new Error('the list is not whole');
    }
    return `${Math.round(500_000 / (performance.now() - started))}/s`;
  })(),
);
if (etcd !== undefined) {
  const exact = async (readers: number) => {
    const count = 5000;
    let left = count;
    const started = performance.now();
    await Promise.all(
      Array.from({ length: readers }, async () => {
        while (left-- > 0) {
          await store.catchUp();
          if (store.get(some.key) === undefined) throw new Error('the record is missing');
        }
      }),
    );
    return `${Math.round((count * 1000) / (performance.now() - started))}/s`;
  };
  report('exact get, 1 reader', await exact(1));
  report('exact get, 64 readers', await exact(64));
  await store.close();
  const opening = performance.now();
  store = await open();
  report('open again with 14,800', `${Math.round(performance.now() - opening)} ms`);
  await store.close();
  await etcd.remove();
  fs.rmSync(directory, { recursive: true });
  process.exit(0);
}
const old = store.revision - 5000;
const from = performance.now();
store.listAt('/core/pods/', old);
report('list 13,800 as of 5,000 changes ago', `${(performance.now() - from).toFixed(1)} ms`);
for (let i = 0; i < 5000; i++)
  store.watch(`/core/other-${i % 50}/`, store.revision, { onEvents: () => {}, onLost: () => {} });
let delivered = 0;
for (let i = 0; i < 100; i++)
  store.watch('/core/pods/', store.revision, {
    onEvents: (e) => void (delivered += e.length),
    onLost: () => {},
  });
report(
  'update 30,000, with 5,000 watches of other kinds and 100 of this',
  await writeMany(store, { writers: 32, count: 30_000, key: (i) => key('pods', i % 13_800) }),
);
if (delivered !== 3_000_000) throw new Error('watches missed changes');
report(
  'create 86,200 more, 128 writers',
  await writeMany(store, { writers: 128, count: 86_200, key: (i) => key('pods', 13_800 + i) }),
);
report(
  'update 30,000 among 100,000, 32 writers',
  await writeMany(store, { writers: 32, count: 30_000, key: (i) => key('pods', i) }),
);
report('resident memory with 101,000 of 2 KB and history', megabytes(process.memoryUsage().rss));
await store.close();
const opening = performance.now();
store = await open();
report('open again with 101,000', `${Math.round(performance.now() - opening)} ms`);
if (store.count('/core/pods/') !== 100_000) throw new Error('records are missing');
await store.close();
fs.rmSync(directory, { recursive: true });
