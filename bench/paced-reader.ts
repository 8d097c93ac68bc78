// Asks the API server for one thing after another at a fixed pace, in a process of its own, and says how long the answers took: what
// a person with kubectl feels while the cluster is busy. Latency counts from when a request was due, so a server that stalls is not spared.
import * as https from 'node:https';

export interface ReadOrder {
  readonly port: number;
  readonly token: string;
  readonly paths: readonly string[];
  readonly everyMs: number;
}

export interface ReadResult {
  readonly count: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const agent = new https.Agent({ keepAlive: true, maxSockets: 64, rejectUnauthorized: false });
let took: number[] = [];
let failed = 0;
let timer: NodeJS.Timeout | null = null;

function ask({ port, token }: ReadOrder, path: string): void {
  const began = performance.now();
  const request = https.get(
    { host: '127.0.0.1', port, path, agent, headers: { authorization: `Bearer ${token}` } },
    (response) => {
      if (response.statusCode !== 200) failed++;
      response.resume().on('end', () => took.push(performance.now() - began));
    },
  );
  request.on('error', () => failed++);
}

process.on('message', (order: ReadOrder | 'report') => {
  if (order === 'report') {
    const sorted = took.sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    const result: ReadResult = {
      count: sorted.length,
      failed,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      maxMs: at(1),
    };
    process.send?.(result);
    took = [];
    failed = 0;
    return;
  }
  if (timer !== null) return;
  let next = 0;
  timer = setInterval(() => ask(order, order.paths[next++ % order.paths.length]!), order.everyMs);
});
process.on('disconnect', () => process.exit());
