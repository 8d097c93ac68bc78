// The API server over TLS on the durable store: creates, reads and lists, with a client in a process of its own.
//
//   node --import tsx bench/api.ts [SECONDS] [GROUP]
//
// GROUP is of the user who asks (system:masters): others than masters have seats of a priority level (system:authenticated).
// Each line: requests a second, delays, CPU of the server's process a request.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { LoadOrder, LoadResult } from './load-client.ts';
import { cpuMs, serve, token } from './served.ts';

const seconds = Number(process.argv[2] ?? 5);
const server = await serve(process.argv[3]);
const child = fork(new URL('./load-client.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });

async function measure(title: string, what: string, connections: number): Promise<void> {
  const order: LoadOrder = { port: server.port, token, connections, seconds, what };
  const cpu = process.cpuUsage();
  child.send(order);
  const [result] = (await once(child, 'message')) as [LoadResult];
  const rate = Math.round(result.count / result.seconds);
  const each = (cpuMs(cpu) / result.count).toFixed(3);
  const failed = result.failed > 0 ? `, ${result.failed} FAILED` : '';
  console.log(
    `${title.padEnd(28)} ${String(rate).padStart(6)}/s  p50 ${result.p50Ms.toFixed(2)} ms  p99 ${result.p99Ms.toFixed(2)} ms  ${each} ms CPU${failed}`,
  );
}

await measure('POST pod, 32 at once', 'post pods', 32);
await measure('POST configmap, 32 at once', 'post configmaps', 32);
await measure('GET service, 32 at once', 'get /api/v1/namespaces/default/services/kubernetes', 32);
const pods = '/api/v1/namespaces/default/pods';
await measure('LIST 500 pods, 2 at once', `get ${pods}?limit=500`, 2);
await measure('LIST all pods, 2 at once', `get ${pods}`, 2);
child.disconnect();
await server.stop();
