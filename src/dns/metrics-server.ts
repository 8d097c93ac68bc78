// What DNS counts, over HTTP on the loopback, at the port where CoreDNS has it.
import { createServer } from 'node:http';
import { type Log, type MetricRegistry, metricsContentType } from '../base/index.ts';

export interface MetricsServerOptions {
  readonly registry: MetricRegistry;
  readonly port: number;
  readonly log: Log;
}

/** A port that cannot be had is told and no failure: names are answered without it. */
export function serveDnsMetrics({ registry, port, log }: MetricsServerOptions): { stop(): Promise<void> } {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end('404 page not found\n');
      return;
    }
    response.writeHead(200, { 'content-type': metricsContentType }).end(registry.text());
  });
  server.on('error', (error) => log.warn('the metrics of DNS cannot be served', { port, error }));
  server.listen(port, '127.0.0.1');
  return {
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
