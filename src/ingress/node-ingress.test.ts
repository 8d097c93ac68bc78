// The whole of a node's ingress over a fake API, with the machine's HAProxy where there is one.
import { accessSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EndpointSlice, Ingress, IngressClass, Secret, Service } from '../api/index.ts';
import { Scope, seededRandom, silentLog, systemClock } from '../base/index.ts';
import { type Client, createClient, createInformers } from '../client/index.ts';
import type { Draft } from '../machinery/index.ts';
import { systemExec } from '../os/index.ts';
import { FakeTransport, freePort } from '../testkit/index.ts';
import { ensureIngressClass } from './default-class.ts';
import { Haproxy } from './haproxy.ts';
import { type NodeIngress, startNodeIngress } from './node-ingress.ts';

const found = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/usr/bin/haproxy'].some((file) => {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
});
if (!found) console.warn('SKIPPED: ingress of a node; apt-get install haproxy');

const ports = { httpPort: await freePort(), httpsPort: await freePort(), metricsPort: await freePort() };

/** 0 = nobody answers. */
function ask(host: string): Promise<number> {
  return new Promise((resolve) => {
    const asked = request(
      { host: '127.0.0.1', port: ports.httpPort, headers: { host }, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    asked.on('error', () => resolve(0));
    asked.end();
  });
}

async function eventually<T>(look: () => T | Promise<T>, wanted: T): Promise<void> {
  let value = await look();
  for (let tries = 0; tries < 1200 && value !== wanted; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    value = await look();
  }
  expect(value).toBe(wanted);
}

describe.skipIf(!found)('ingress of a node', () => {
  const random = seededRandom(1);
  const transport = new FakeTransport({ clock: systemClock, random });
  const client: Client = createClient(transport, 'test');
  const directory = mkdtempSync(join(tmpdir(), 'node-ingress-'));
  const announced: boolean[] = [];
  let scope = new Scope(silentLog);
  let running: NodeIngress;
  let server: Server;

  function start(): void {
    scope = new Scope(silentLog);
    const informers = createInformers(client, { scope, log: silentLog, clock: systemClock, random });
    running = startNodeIngress({
      client,
      informers,
      settings: {
        directory,
        ...ports,
        maxConnections: 100,
        threads: 1,
        ipv6: false,
        user: undefined,
      },
      logFile: join(directory, 'log'),
      exec: systemExec,
      clock: systemClock,
      log: silentLog,
      announce: async (serves) => void announced.push(serves),
    });
  }
  async function stop(): Promise<void> {
    await running.stop();
    await scope.stop();
  }
  beforeAll(async () => {
    server = createServer((_, response) => response.end('ok'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(stop);
  afterAll(async () => {
    // Of a test that failed: it outlives who started it.
    const log = silentLog;
    await new Haproxy({
      directory,
      logFile: join(directory, 'log'),
      exec: systemExec,
      clock: systemClock,
      log,
    }).stop();
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });

  const ingress = (name: string, host: string): Draft<Ingress> => ({
    metadata: { name, namespace: 'd' },
    spec: {
      ingressClassName: 'jotasu',
      rules: [
        {
          host,
          http: {
            paths: [
              { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } },
            ],
          },
        },
      ],
      tls: [{ hosts: [host], secretName: `${name}-tls` }],
    },
  });

  test('runs while there is an ingress, outlives the agent, follows what changes', async () => {
    await ensureIngressClass(client);
    await ensureIngressClass(client);
    expect((await client(IngressClass).list()).items.map(({ metadata }) => metadata.annotations)).toEqual([
      { 'ingressclass.kubernetes.io/is-default-class': 'true' },
    ]);
    await client(Service).create({
      metadata: { name: 'web', namespace: 'd' },
      spec: { ports: [{ name: 'http', port: 80 }] },
    } as Draft<Service>);
    start();
    await eventually(() => announced.at(-1), false);
    expect(await ask('a.example')).toBe(0);

    await client(Ingress).create(ingress('a', 'a.example'));
    await eventually(() => ask('a.example'), 503);
    await eventually(() => announced.at(-1), true);
    await client(EndpointSlice).create({
      metadata: { name: 'web-1', namespace: 'd', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: (server.address() as AddressInfo).port, protocol: 'TCP' }],
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    } as Draft<EndpointSlice>);
    await eventually(() => ask('a.example'), 200);
    // Only what ingresses name is asked for.
    const asked = transport.calls.filter(({ target }) => target.kind.kind === Secret.kind);
    expect(new Set(asked.map(({ target }) => target.namespace))).toEqual(new Set(['d']));

    await stop();
    expect(await ask('a.example')).toBe(200);
    await client(Ingress).create(ingress('b', 'b.example'));
    start();
    await eventually(() => ask('b.example'), 200);
    expect(await ask('a.example')).toBe(200);

    await client(Ingress).delete('b', 'd');
    await eventually(() => ask('b.example'), 404);
    await client(Ingress).delete('a', 'd');
    await eventually(() => ask('a.example'), 0);
    await eventually(() => announced.at(-1), false);
  });
});
