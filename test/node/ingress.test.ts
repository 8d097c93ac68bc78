// Ingress on real nodes: a web server behind it, a steady load from outside, and what happens to it meanwhile. Every request counts.
import { rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCa, issueCertificate } from '../../src/http/index.ts';
import { busyboxImage, staysPut, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cluster = new TourCluster('jt-ingress');

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 3
  selector: { matchLabels: { app: web } }
  strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }
  template:
    metadata: { labels: { app: web } }
    spec:
      # Longer than a machine with much else to do needs to tell every node.
      terminationGracePeriodSeconds: 15
      tolerations: ${staysPut}
      automountServiceAccountToken: false
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway
        labelSelector: { matchLabels: { app: web } }
      containers:
      - name: main
        image: ${busyboxImage}
        ports: [{ name: http, containerPort: 8080 }]
        command: [sh, -c, "mkdir /w; hostname >/w/index.html; exec httpd -f -p 8080 -h /w"]
        readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web }
spec:
  tls: [{ hosts: [web.example], secretName: web-tls }]
  rules:
  - host: web.example
    http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { name: http } } } }] }
`;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly certificate: string;
}
function ask(address: string, more: { host?: string; tls?: boolean; agent?: Agent } = {}): Promise<Answer> {
  const { host = 'web.example', tls = false } = more;
  return new Promise((resolve, reject) => {
    const options = { host: address, path: '/', headers: { host }, timeout: 60_000 };
    const asked = tls
      ? requestTls({ ...options, agent: false, servername: host, rejectUnauthorized: false })
      : request({ ...options, agent: more.agent });
    asked.on('response', (response) => {
      let text = '';
      const peer = tls ? (response.socket as TLSSocket).getPeerCertificate() : undefined;
      response.on('data', (data) => (text += data));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text, certificate: String(peer?.subject?.CN ?? '') }),
      );
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('timeout')));
    asked.on('error', reject);
    asked.end();
  });
}

/** Clients that keep their connections and ask one request after the other, until told to end. */
class Load {
  readonly failed: string[] = [];
  count = 0;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #clients: Promise<void>[];
  #running = true;

  constructor(address: string, clients: number) {
    this.#clients = Array.from({ length: clients }, async () => {
      while (this.#running) {
        const startedMs = Date.now();
        try {
          const { status } = await ask(address, { agent: this.#agent });
          if (status !== 200) this.failed.push(`status ${status} after ${Date.now() - startedMs} ms`);
        } catch (error) {
          this.failed.push(`${(error as Error).message} after ${Date.now() - startedMs} ms`);
        }
        this.count++;
        await sleep(5);
      }
    });
  }

  async end(): Promise<{ count: number; failed: readonly string[] }> {
    this.#running = false;
    await Promise.all(this.#clients);
    this.#agent.destroy();
    return this;
  }
}

interface Status {
  readonly status: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
}
const addressesNow = async (): Promise<string[]> =>
  ((await cluster.json<Status>('get', 'ingress', 'web')).status.loadBalancer?.ingress ?? []).map(
    ({ ip }) => ip,
  );

const podsNow = async (): Promise<number> =>
  (await cluster.json<{ items: unknown[] }>('get', 'pods', '-l', 'app=web')).items.length;

/** The last that was seen, good or not; what could not be looked at is looked at again. */
async function eventually<T>(look: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (const untilMs = Date.now() + 60_000; ; ) {
    const late = Date.now() > untilMs;
    try {
      const value = await look();
      if (good(value) || late) return value;
    } catch (error) {
      if (late) throw error;
    }
    await sleep(250);
  }
}

let addresses: string[] = [];
async function applySecret(commonName: string): Promise<void> {
  const nowMs = Date.now();
  const ca = await createCa({ commonName: 'ca', days: 10, nowMs });
  const request = { commonName, dnsNames: ['web.example'], usage: 'server', days: 5 } as const;
  const { cert, key } = await issueCertificate(ca, request, nowMs);
  const file = join(cluster.directory, 'secret.json');
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/tls',
      metadata: { name: 'web-tls' },
      stringData: { 'tls.crt': cert, 'tls.key': key },
    }),
  );
  await cluster.kubectl('apply', '-f', file);
}

beforeAll(async () => {
  if (why !== undefined) return;
  await cluster.down();
  await cluster.up('--nodes', '2', '--image', await cluster.busyboxArchive());
  await cluster.apply(deployment);
  await applySecret('first');
  await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
  addresses = await eventually(addressesNow, (all) => all.length === 2);
});
afterAll(async () => {
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

describe.skipIf(why !== undefined)('ingress', () => {
  test('every node answers at the addresses that the ingress shows', async () => {
    expect(addresses).toHaveLength(2);
    for (const address of addresses) {
      const names = await eventually(
        async () =>
          new Set(await Promise.all(Array.from({ length: 12 }, async () => (await ask(address)).text))),
        (all) => all.size === 3 && [...all].every((name) => name.startsWith('web-')),
      );
      expect([...names]).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/^web-/)));
      expect((await ask(address, { host: 'other.example' })).status).toBe(404);
    }
  });

  test('certificates come from the secret, and are renewed with it', async () => {
    const certificate = async () => (await ask(addresses[0]!, { tls: true })).certificate;
    expect(await eventually(certificate, (name) => name === 'first')).toBe('first');
    await applySecret('second');
    expect(await eventually(certificate, (name) => name === 'second')).toBe('second');
  });

  test('no request fails while its deployment is rolled and scaled, and rules come and go', async () => {
    const load = new Load(addresses[0]!, 8);
    await cluster.kubectl('rollout', 'restart', 'deployment/web');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    await cluster.kubectl('scale', 'deployment/web', '--replicas=6');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    const more = ['--rule=more.example/*=more:80', '--class=jotasu'];
    await cluster.kubectl('create', 'ingress', 'more', ...more);
    await cluster.kubectl('scale', 'deployment/web', '--replicas=2');
    expect(
      await eventually(
        async () => (await ask(addresses[0]!, { host: 'more.example' })).status,
        (code) => code === 503,
      ),
    ).toBe(503);
    await cluster.kubectl('delete', 'ingress', 'more');
    // Until the last of those that are let go has ended: it does so by SIGKILL, when its time is over.
    await eventually(podsNow, (count) => count === 2);
    await sleep(500);
    const { count, failed } = await load.end();
    console.log(`${count} requests while rolled and scaled`);
    expect(failed).toEqual([]);
    expect(count).toBeGreaterThan(100);
  });

  test('a node that loses its power takes only its address with it', async () => {
    // Whatever the node's fate, they stayed; now they are to run elsewhere at once.
    const leaving = '{"spec":{"replicas":4,"template":{"spec":{"tolerations":null}}}}';
    await cluster.kubectl('patch', 'deployment', 'web', '-p', leaving);
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    const load = new Load(addresses[0]!, 8);
    await expect.poll(() => load.count).toBeGreaterThan(50);
    await cluster.jotasu('node', 'kill', 'jt-ingress-node-2');
    const left = await eventually(addressesNow, (all) => all.length === 1);
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    const answered = load.count;
    await expect.poll(() => load.count).toBeGreaterThan(answered + 50);
    const { count, failed } = await load.end();
    console.log(`${count} requests while a node was lost`);
    expect(left).toEqual([addresses[0]]);
    expect(failed).toEqual([]);
  });
});
