// What load balancers ask a node: whether it has endpoints of a service (the health check node port), and whether its proxy works
// (/healthz). Paths, bodies and codes are kube-proxy's.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Log } from '../base/index.ts';

export interface ServiceHealth {
  readonly namespace: string;
  readonly name: string;
  readonly localEndpoints: number;
}

export interface HealthAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const headers = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' };

/** Pure. */
export function serviceHealthAnswer(health: ServiceHealth, proxyHealthy: boolean): HealthAnswer {
  const { namespace, name, localEndpoints } = health;
  return {
    status: localEndpoints > 0 && proxyHealthy ? 200 : 503,
    headers: { ...headers, 'x-load-balancing-endpoint-weight': String(localEndpoints) },
    body: JSON.stringify({
      service: { namespace, name },
      localEndpoints,
      serviceProxyHealthy: proxyHealthy,
    }),
  };
}

export interface ProxyHealth {
  /** ISO time of the last transaction, or of now when nothing waits for one. */
  readonly lastUpdated: string;
  readonly currentTime: string;
  readonly healthy: boolean;
  /** False while the node is about to go: load balancers shall send nothing new. */
  readonly nodeEligible: boolean;
}

/** `/healthz` counts the node in, `/livez` does not. Pure. */
export function proxyHealthAnswer(path: string, health: ProxyHealth): HealthAnswer {
  const { lastUpdated, currentTime, healthy, nodeEligible } = health;
  const ok = healthy && (path === '/livez' || nodeEligible);
  return {
    status: ok ? 200 : 503,
    headers,
    body: JSON.stringify({ lastUpdated, currentTime, nodeEligible }),
  };
}

export const answerWith =
  (answer: (path: string) => HealthAnswer | undefined): RequestListener =>
  (request, response) => {
    const found = answer((request.url ?? '').split('?')[0]!);
    if (found === undefined) response.writeHead(404).end();
    else response.writeHead(found.status, found.headers).end(found.body);
  };

/** Plain HTTP on ports of the node; a port that cannot be had is said and left out. */
export class HealthServers {
  readonly #log: Log;
  readonly #servers = new Map<number, Server>();

  constructor(log: Log) {
    this.#log = log;
  }

  get ports(): readonly number[] {
    return [...this.#servers.keys()];
  }

  open(port: number, listener: RequestListener, host?: string): void {
    const server = createServer(listener);
    server.keepAliveTimeout = 5_000;
    server.on('error', (error) => {
      this.#log.warn('cannot serve a health check', { port, error });
      if (this.#servers.get(port) === server) this.#servers.delete(port);
    });
    this.#servers.set(port, server);
    if (host === undefined) server.listen(port);
    else server.listen(port, host);
    // It ends with the process, and keeps nothing alive.
    server.unref();
  }

  close(port: number): void {
    const server = this.#servers.get(port);
    this.#servers.delete(port);
    server?.close();
    server?.closeAllConnections();
  }

  closeAll(): void {
    for (const port of this.ports) this.close(port);
  }
}
