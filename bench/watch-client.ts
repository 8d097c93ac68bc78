// Watchers in a process of their own: they count events and measure how long the slowest took from the change on.
import * as tls from 'node:tls';

export interface WatchOrder {
  readonly port: number;
  readonly token: string;
  readonly watchers: number;
}

export interface WatchCount {
  readonly events: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const delays: number[] = [];
let events = 0;
const mark = '"sent":"';

function watch({ port, token }: WatchOrder): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
    const path = '/api/v1/namespaces/default/configmaps?watch=1&labelSelector=watched%3Dyes';
    socket.on('error', reject);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nAccept: application/json\r\n\r\n`,
    );
    socket.once('data', () => resolve());
    socket.on('data', (chunk: Buffer) => {
      const now = Date.now();
      const text = chunk.toString('latin1');
      for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) {
        events++;
        if (events % 16 === 0) delays.push(now - Number(text.slice(at + mark.length, at + mark.length + 13)));
      }
    });
  });
}

process.on('message', (order: WatchOrder | 'count') => {
  if (order !== 'count') {
    Promise.all(Array.from({ length: order.watchers }, () => watch(order))).then(() =>
      process.send!('ready'),
    );
    return;
  }
  delays.sort((a, b) => a - b);
  const at = (q: number) => delays[Math.floor(delays.length * q)] ?? 0;
  process.send!({ events, p50Ms: at(0.5), p99Ms: at(0.99) } satisfies WatchCount);
});
