// Watch fan-out over TLS: how soon every watcher knows of a change, and what that costs the server.
//
//   node --import tsx bench/watch.ts [SECONDS]
//
// The watchers are in a process of their own; the changes come from this one, through the in-process client.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { ConfigMap } from '../src/api/index.ts';
import { cpuMs, serve, token } from './served.ts';
import type { WatchCount } from './watch-client.ts';

const seconds = Number(process.argv[2] ?? 5);

async function measure(watchers: number, changesPerSecond: number): Promise<void> {
  const server = await serve();
  const child = fork(new URL('./watch-client.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
  child.send({ port: server.port, token, watchers });
  await once(child, 'message');
  const cpu = process.cpuUsage();
  const total = seconds * changesPerSecond;
  const started = performance.now();
  const writes: Promise<unknown>[] = [];
  for (let i = 0; i < total; i++) {
    const early = started + (i * 1000) / changesPerSecond - performance.now();
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
    const metadata = { name: `c${i}`, namespace: 'default', labels: { watched: 'yes' } };
    writes.push(server.client(ConfigMap).create({ metadata, data: { sent: String(Date.now()) } }));
  }
  await Promise.all(writes);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const spent = cpuMs(cpu);
  child.send('count');
  const [count] = (await once(child, 'message')) as [WatchCount];
  child.kill();
  const wanted = total * watchers;
  console.log(
    `${`${watchers} watchers, ${changesPerSecond} changes/s`.padEnd(32)} ${count.events}/${wanted} events  p50 ${count.p50Ms} ms  p99 ${count.p99Ms} ms  ${((spent * 1000) / wanted).toFixed(1)} µs CPU an event`,
  );
  await server.stop();
}

await measure(100, 300);
await measure(1000, 20);
