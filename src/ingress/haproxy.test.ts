// The configuration as text, and what a real HAProxy does with it where there is one.
import { accessSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { request as requestTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog, systemClock } from '../base/index.ts';
import { createCa, issueCertificate } from '../http/index.ts';
import { systemExec } from '../os/index.ts';
import { freePort } from '../testkit/index.ts';
import { type Arrangement, arrange, planStep } from './arrangement.ts';
import { Haproxy } from './haproxy.ts';
import { configFiles, defaultCertificateName, mapText, type ProxySettings } from './haproxy-config.ts';
import type { IngressPlan, Route } from './plan.ts';

const route = (backend: string, more: Partial<Route> = {}): Route => ({
  backend,
  timeoutMs: 60_000,
  maxBodyBytes: 0,
  redirects: false,
  ...more,
});
const settings: ProxySettings = {
  directory: '/run/ingress',
  httpPort: 80,
  httpsPort: 443,
  metricsPort: 10254,
  maxConnections: 8000,
  threads: 2,
  ipv6: true,
  user: 'haproxy',
};

const small: IngressPlan = {
  backends: [
    { name: 'd_grpc_50051', protocol: 'h2', sticky: false, endpoints: ['fd00::1:50051'] },
    { name: 'd_web_http', protocol: 'h1', sticky: true, endpoints: ['10.0.0.1:80', '10.0.0.2:80'] },
  ],
  exact: new Map([['a.example/login', route('d_web_http', { redirects: true, maxBodyBytes: 10 })]]),
  prefix: new Map([
    ['a.example/', route('d_web_http')],
    ['*.b.example/x/', route('d_grpc_50051', { timeoutMs: 5000 })],
  ]),
  certificates: [{ name: 'd_tls', pem: 'PEM\n', hosts: ['a.example', '*.b.example'] }],
  problems: [],
};

test('the files of a small plan', () => {
  expect(configFiles(arrange(small, undefined), settings, 'g1')).toMatchSnapshot();
});

const found = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/usr/bin/haproxy'].some((file) => {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
});
if (!found) console.warn('SKIPPED: what HAProxy does with its configuration; apt-get install haproxy');

const ports = { httpPort: await freePort(), httpsPort: await freePort(), metricsPort: await freePort() };

describe.skipIf(!found)('a real HAProxy', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ingress-test-'));
  const haproxy = new Haproxy({
    directory,
    logFile: join(directory, 'log'),
    exec: systemExec,
    clock: systemClock,
    log: silentLog,
  });
  const own = { ...settings, ...ports, directory, user: undefined, maxConnections: 200 };
  const servers: Server[] = [];
  const addresses: string[] = [];
  let now: Arrangement | undefined;
  let generation = 0;
  let pems: string[] = [];

  /** Says how it was done. */
  async function apply(plan: IngressPlan): Promise<string> {
    const next = arrange(plan, now);
    const step = planStep(now, next);
    if (step.kind === 'restart') {
      generation++;
      await haproxy.load(configFiles(next, own, String(generation)), String(generation));
    } else if (step.kind === 'runtime') {
      await haproxy.runtime.setServers(step.commands);
      for (const name of step.maps)
        await haproxy.runtime.replaceMap(join(directory, `${name}.map`), next[name]);
      for (const { name, pem } of step.certificates)
        await haproxy.runtime.replaceCertificate(join(directory, `${name}.pem`), pem);
    }
    now = next;
    return step.kind;
  }

  interface Answer {
    readonly status: number | undefined;
    readonly text: string;
    readonly location: string | undefined;
    readonly certificate: string | undefined;
  }
  function ask(host: string, path: string, more: { tls?: boolean; body?: string } = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const common = {
        host: '127.0.0.1',
        path,
        agent: false as const,
        headers: { host },
        method: more.body === undefined ? 'GET' : 'POST',
      };
      const asked = more.tls
        ? requestTls({ ...common, port: ports.httpsPort, servername: host, rejectUnauthorized: false })
        : request({ ...common, port: ports.httpPort });
      asked.on('response', (response) => {
        let text = '';
        const certificate = more.tls
          ? (response.socket as TLSSocket).getPeerCertificate().subject.CN
          : undefined;
        response.on('data', (data) => (text += data));
        response.on('end', () =>
          resolve({
            status: response.statusCode,
            text,
            location: response.headers.location,
            certificate: certificate as string | undefined,
          }),
        );
      });
      asked.on('error', reject);
      asked.end(more.body);
    });
  }

  beforeAll(async () => {
    for (const name of ['a', 'b', 'c']) {
      const server = createServer((req, res) => {
        res.end(`${name} ${req.url} ${req.headers['x-forwarded-proto']} ${req.headers['x-forwarded-for']}`);
      });
      server.on('upgrade', (_, socket) => {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello',
        );
        socket.on('data', (data: Buffer) => socket.end(data));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      servers.push(server);
      addresses.push(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    }
    const nowMs = Date.now();
    const ca = await createCa({ commonName: 'ca', days: 10, nowMs });
    pems = await Promise.all(
      ['default', 'first', 'second'].map(async (commonName) => {
        const pair = await issueCertificate(ca, { commonName, usage: 'server', days: 5 }, nowMs);
        return `${pair.cert}${pair.key}`;
      }),
    );
    haproxy.write([{ name: defaultCertificateName, text: pems[0]! }]);
  });
  afterAll(async () => {
    await haproxy.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(directory, { recursive: true });
  });

  const backend = (name: string, ...endpoints: string[]) => ({
    name,
    protocol: 'h1' as const,
    sticky: false,
    endpoints,
  });
  const plan = (more: Partial<IngressPlan> = {}): IngressPlan => ({
    backends: [
      backend('d_a_80', addresses[0]!),
      backend('d_b_80', addresses[1]!),
      backend('d_c_80', addresses[2]!),
      backend('d_none_80'),
    ],
    exact: new Map([
      ['a.example/x', route('d_b_80')],
      ['a.example/secure', route('d_b_80', { redirects: true })],
    ]),
    prefix: new Map([
      ['a.example/', route('d_a_80')],
      ['a.example/x/', route('d_c_80')],
      ['a.example/small/', route('d_a_80', { maxBodyBytes: 3 })],
      ['*.b.example/', route('d_b_80')],
      ['/any/', route('d_c_80')],
      ['/none/', route('d_none_80')],
    ]),
    certificates: [{ name: 'd_tls', pem: pems[1]!, hosts: ['a.example'] }],
    problems: [],
    ...more,
  });

  test('hosts and paths', async () => {
    expect(await apply(plan())).toBe('restart');
    const cases: [string, string, string][] = [
      ['a.example', '/', 'a'],
      ['A.example.:80', '/q?x=/x', 'a'],
      ['a.example', '/x', 'b'],
      ['a.example', '/x/', 'c'],
      ['a.example', '/x/y', 'c'],
      ['a.example', '/xy', 'a'],
      ['w.b.example', '/', 'b'],
      ['w.w.b.example', '/', '404'],
      ['b.example', '/', '404'],
      ['b.example', '/any', 'c'],
      ['w.b.example', '/any', 'b'],
      ['other', '/none', '503'],
    ];
    const got = await Promise.all(
      cases.map(async ([host, path]) => {
        const { status, text } = await ask(host, path);
        return [host, path, status === 200 ? text[0] : String(status)];
      }),
    );
    expect(got).toEqual(cases);
    expect((await ask('a.example', '/')).text).toBe('a / http 127.0.0.1');
    expect(await ask('a.example', '/secure')).toMatchObject({
      status: 308,
      location: 'https://a.example/secure',
    });
    expect((await ask('a.example', '/small', { body: '1234' })).status).toBe(413);
    expect((await ask('a.example', '/small', { body: '123' })).status).toBe(200);
  });

  test('certificates by name, and a renewed one', async () => {
    expect(await ask('a.example', '/', { tls: true })).toMatchObject({
      certificate: 'first',
      text: 'a / https 127.0.0.1',
    });
    expect((await ask('other.example', '/any', { tls: true })).certificate).toBe('default');
    expect(
      await apply(plan({ certificates: [{ name: 'd_tls', pem: pems[2]!, hosts: ['a.example'] }] })),
    ).toBe('runtime');
    expect((await ask('a.example', '/', { tls: true })).certificate).toBe('second');
    expect(await apply(plan())).toBe('runtime');
  });

  test('HTTP/2 from clients', async () => {
    const session = connectHttp2(`https://127.0.0.1:${ports.httpsPort}`, {
      servername: 'a.example',
      rejectUnauthorized: false,
    });
    const stream = session.request({ ':path': '/x', ':authority': 'a.example' });
    const text = await new Promise<string>((resolve, reject) => {
      let all = '';
      stream.on('data', (data) => (all += data));
      stream.on('end', () => resolve(all));
      stream.on('error', reject);
    });
    expect([session.alpnProtocol, text]).toEqual(['h2', 'b /x https 127.0.0.1']);
    await new Promise<void>((resolve) => session.close(resolve));
  });

  test('servers and rules change while it runs', async () => {
    const wanted = plan({
      backends: [backend('d_a_80', addresses[1]!), backend('d_none_80', addresses[2]!)],
      prefix: new Map([
        ['/', route('d_a_80')],
        ['/none/', route('d_none_80')],
      ]),
      exact: new Map(),
    });
    expect(await apply(wanted)).toBe('runtime');
    expect((await ask('new', '/')).text[0]).toBe('b');
    expect((await ask('new', '/none')).text[0]).toBe('c');
    expect((await haproxy.runtime.ask(`show map ${join(directory, 'prefix.map')}`)).split('\n')).toHaveLength(
      2,
    );
  });

  test('many rules at once', async () => {
    const prefix = new Map(Array.from({ length: 2000 }, (_, i) => [`h${i}.example/`, route('d_a_80')]));
    expect(await apply(plan({ prefix }))).toBe('restart');
    expect(await apply(plan({ prefix: new Map([...prefix, ['last/', route('d_c_80')]]) }))).toBe('runtime');
    expect((await ask('last', '/')).text[0]).toBe('c');
    expect((await ask('h1999.example', '/')).text[0]).toBe('a');
  });

  test('an endpoint that is not there is not noticed', async () => {
    await apply(plan({ backends: [backend('d_a_80', '127.0.0.1:9', addresses[0]!)] }));
    for (let i = 0; i < 10; i++) expect((await ask('a.example', '/')).status).toBe(200);
  });

  test('a WebSocket, and HTTP/2 to the endpoint', async () => {
    const h2 = createHttp2Server((req, res) => res.end(`h${req.httpVersionMajor}`));
    await new Promise<void>((resolve) => h2.listen(0, '127.0.0.1', resolve));
    const at = `127.0.0.1:${(h2.address() as AddressInfo).port}`;
    await apply(
      plan({
        backends: [backend('d_a_80', addresses[0]!), { ...backend('d_g_80', at), protocol: 'h2' }],
        prefix: new Map([
          ['/', route('d_a_80')],
          ['/g/', route('d_g_80')],
        ]),
        exact: new Map(),
      }),
    );
    expect((await ask('x', '/g')).text).toBe('h2');
    const echoed = await new Promise<string>((resolve, reject) => {
      const asked = request({
        host: '127.0.0.1',
        port: ports.httpPort,
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-version': '13',
        },
      });
      asked.on('upgrade', (_, socket, head) => {
        let text = head.toString();
        socket.on('data', (data: Buffer) => (text += data));
        socket.on('end', () => resolve(text));
        socket.write(' you');
      });
      asked.on('response', (response) => reject(new Error(`status ${response.statusCode}`)));
      asked.on('error', reject);
      asked.end();
    });
    expect(echoed).toBe('hello you');
    h2.close();
  });

  test('a broken configuration is refused, and what runs goes on', async () => {
    const files = [{ name: 'haproxy.cfg', text: 'nonsense\n' }];
    await expect(haproxy.load(files, 'x')).rejects.toThrow(/haproxy -c/);
    expect((await ask('x', '/')).status).toBe(200);
    expect(readFileSync(join(directory, 'prefix.map'), 'utf8')).toBe(mapText(now!.prefix));
  });
});
