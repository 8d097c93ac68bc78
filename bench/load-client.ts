// The other side of the API benches, in a process of its own so that the server has one to itself: a small HTTP/1.1 client over
// TLS. It reads only what it must (status, length), so that it costs less than what it measures.
import * as tls from 'node:tls';

export interface LoadOrder {
  readonly port: number;
  readonly token: string;
  readonly connections: number;
  readonly seconds: number;
  /** `post pods`, `post configmaps`, `get PATH`, `list PATH` */
  readonly what: string;
}

export interface LoadResult {
  readonly count: number;
  readonly failed: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const filler = 'x'.repeat(256);
const bodies: Readonly<Record<string, (name: string) => object>> = {
  configmaps: (name) => ({ metadata: { name }, data: { k: filler } }),
  pods: (name) => ({
    metadata: { name, labels: { app: 'bench', pod: name } },
    spec: {
      schedulerName: 'none',
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'c',
          image: 'nginx:1.25',
          ports: [{ containerPort: 80 }],
          resources: { requests: { cpu: '10m', memory: '32Mi' } },
          env: [{ name: 'A', value: 'b' }],
        },
      ],
    },
  }),
};

/** One connection that asks again as soon as it has been answered. */
function drive(
  socket: tls.TLSSocket,
  next: () => string | undefined,
  done: (ms: number, ok: boolean) => void,
) {
  return new Promise<void>((resolve, reject) => {
    let from = 0;
    let left = -1;
    let head = '';
    let good = false;
    const ask = () => {
      const request = next();
      if (request === undefined) {
        socket.end();
        resolve();
        return;
      }
      from = performance.now();
      left = -1;
      head = '';
      socket.write(request);
    };
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      let rest = chunk.length;
      if (left < 0) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        good = head.charCodeAt(9) === 0x32;
        left = Number(/content-length: (\d+)/i.exec(head)?.[1]);
        rest = head.length - end - 4;
      }
      left -= rest;
      if (left > 0) return;
      done(performance.now() - from, good);
      ask();
    });
    ask();
  });
}

async function work(order: LoadOrder): Promise<LoadResult> {
  const [verb, target] = order.what.split(' ') as [string, string];
  const common = `Host: x\r\nAuthorization: Bearer ${order.token}\r\nAccept: application/json\r\n`;
  const begin = performance.now();
  const end = begin + order.seconds * 1000;
  const series = Math.random().toString(36).slice(2, 8);
  let made = 0;
  const next = (): string | undefined => {
    if (performance.now() > end) return undefined;
    if (verb !== 'post') return `GET ${target} HTTP/1.1\r\n${common}\r\n`;
    const body = JSON.stringify(bodies[target]!(`w${series}-${made++}`));
    const path = `/api/v1/namespaces/default/${target}`;
    return `POST ${path} HTTP/1.1\r\n${common}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  const delays: number[] = [];
  let failed = 0;
  await Promise.all(
    Array.from({ length: order.connections }, async () => {
      const socket = tls.connect({ host: '127.0.0.1', port: order.port, rejectUnauthorized: false });
      socket.setNoDelay(true);
      await drive(socket, next, (ms, ok) => {
        delays.push(ms);
        if (!ok) failed++;
      });
    }),
  );
  delays.sort((a, b) => a - b);
  const at = (q: number) => delays[Math.floor(delays.length * q)] ?? 0;
  const seconds = (performance.now() - begin) / 1000;
  return {
    count: delays.length,
    failed,
    seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: delays.at(-1) ?? 0,
  };
}

process.on('message', (order: LoadOrder) => {
  work(order).then((result) => process.send!(result));
});
