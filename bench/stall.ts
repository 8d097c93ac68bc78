// What a large list or a slow reader does to everybody else: the delay of a GET while one client lists 100,000 objects over and over,
// and while another never reads its watch.
//
//   node --import tsx bench/stall.ts [OBJECTS]
//
// The clients are in processes of their own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import * as tls from 'node:tls';
import { ConfigMap } from '../src/api/index.ts';
import type { LoadOrder, LoadResult } from './load-client.ts';
import { serve, token } from './served.ts';

const objects = Number(process.argv[2] ?? 100_000);
const seconds = 5;
const server = await serve();

for (let made = 0; made < objects; ) {
  const group: Promise<unknown>[] = [];
  for (let i = 0; i < 500 && made < objects; i++, made++)
    group.push(
      server.client(ConfigMap).create({
        metadata: { name: `c${made}`, namespace: 'default', labels: { app: `a${made % 100}` } },
        data: { k: 'x'.repeat(256) },
      }),
    );
  await Promise.all(group);
}

const getter = fork(new URL('./load-client.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
const lister = fork(new URL('./load-client.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });

async function drive(child: typeof getter, what: string, connections: number): Promise<LoadResult> {
  const order: LoadOrder = { port: server.port, token, connections, seconds, what };
  child.send(order);
  return ((await once(child, 'message')) as [LoadResult])[0];
}

const get = 'get /api/v1/namespaces/default/services/kubernetes';
const all = '/api/v1/namespaces/default/configmaps';

async function measure(title: string, meanwhile?: string): Promise<void> {
  const [gets, lists] = await Promise.all([
    drive(getter, get, 4),
    meanwhile === undefined ? undefined : drive(lister, meanwhile, 1),
  ]);
  const other =
    lists === undefined
      ? ''
      : `, ${(lists.count / lists.seconds).toFixed(1)} lists/s${lists.failed > 0 ? ', FAILED' : ''}`;
  console.log(
    `${title.padEnd(40)} GET p50 ${gets.p50Ms.toFixed(2)} ms  p99 ${gets.p99Ms.toFixed(2)} ms  max ${gets.maxMs.toFixed(0)} ms${other}`,
  );
}

await measure('nothing else');
await measure(`list of ${objects}`, `get ${all}`);
await measure(`list of ${objects} by label`, `get ${all}?labelSelector=app%3Da1`);

let touched = 0;
let lastChange: Promise<unknown> = Promise.resolve();
const changes = setInterval(() => {
  const annotations = { at: String(touched++) };
  lastChange = server
    .client(ConfigMap)
    .patch({ name: 'c1', namespace: 'default' }, 'merge', { metadata: { annotations } })
    // One may overtake another; there are enough of them.
    .catch(() => {});
}, 5);
await measure(`list of ${objects}, changed all the time`, `get ${all}`);

const slow = tls.connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false });
slow.pause();
slow.write(
  `GET ${all}?watch=true&resourceVersion=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
);
await measure('a watch that nobody reads, with all objects');
clearInterval(changes);
slow.destroy();
await lastChange;
getter.disconnect();
lister.disconnect();
await server.stop();
