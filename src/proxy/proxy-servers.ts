// The ports that a proxy opens: health check node ports of services, its own health, its metrics.
import { type Log, type MetricRegistry, metricsContentType } from '../base/index.ts';
import {
  answerWith,
  HealthServers,
  type ProxyHealth,
  proxyHealthAnswer,
  serviceHealthAnswer,
} from './health-checks.ts';

export interface ProxyServersOptions {
  readonly healthPort?: number | undefined;
  readonly metricsPort?: number | undefined;
  readonly registry: MetricRegistry;
  readonly health: () => ProxyHealth;
  readonly log: Log;
}

interface CheckedService {
  readonly port: number;
  readonly localEndpoints: number;
}

export class ProxyServers {
  readonly #servers: HealthServers;
  readonly #health: () => ProxyHealth;
  /** By port: whose it is. */
  readonly #open = new Map<number, string>();
  #services: ReadonlyMap<string, CheckedService> = new Map();

  constructor({ healthPort, metricsPort, registry, health, log }: ProxyServersOptions) {
    this.#servers = new HealthServers(log);
    this.#health = health;
    if (healthPort !== undefined)
      this.#servers.open(
        healthPort,
        answerWith((path) =>
          path === '/healthz' || path === '/livez' ? proxyHealthAnswer(path, health()) : undefined,
        ),
      );
    if (metricsPort === undefined) return;
    const text = { 'content-type': 'text/plain; charset=utf-8' };
    this.#servers.open(
      metricsPort,
      answerWith((path) => {
        if (path === '/metrics')
          return { status: 200, headers: { 'content-type': metricsContentType }, body: registry.text() };
        if (path === '/proxyMode') return { status: 200, headers: text, body: 'nftables' };
        if (path === '/healthz') return { status: 200, headers: text, body: 'ok' };
        return undefined;
      }),
      '127.0.0.1',
    );
  }

  /** By service key: its port and how many of its endpoints run here. */
  setServices(services: ReadonlyMap<string, CheckedService>): void {
    this.#services = services;
    for (const [port, key] of this.#open)
      if (services.get(key)?.port !== port) {
        this.#servers.close(port);
        this.#open.delete(port);
      }
    for (const [key, { port }] of services) if (!this.#open.has(port)) this.#serve(port, key);
  }

  #serve(port: number, key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    this.#open.set(port, key);
    this.#servers.open(
      port,
      answerWith(() =>
        serviceHealthAnswer(
          { namespace, name, localEndpoints: this.#services.get(key)?.localEndpoints ?? 0 },
          this.#health().healthy,
        ),
      ),
    );
  }

  close(): void {
    this.#servers.closeAll();
  }
}
