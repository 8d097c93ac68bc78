import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog, FakeClock, Scope, settle, silentLog, systemClock } from '../base/index.ts';
import { createCa, loadOrCreatePki, type Pki, startHttpsServer } from '../http/index.ts';
import { keepCertificates, planNextCheck } from './certificate-renewal.ts';

const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 0, 1);
let dir: string;
let scope: Scope;
let clock: FakeClock;
let pki: Pki;
let lines: string;
const set: string[] = [];
const renewed: Pki[] = [];
const load = () =>
  loadOrCreatePki(dir, {
    clusterDomain: 'cluster.local',
    firstServiceIp: '10.96.0.1',
    hosts: [],
    nowMs: clock.nowMs(),
    log: silentLog,
  });
const days = (certificate: string) =>
  Math.round((Date.parse(new X509Certificate(certificate).validTo) - startMs) / dayMs);

/** Making keys takes real time, which the fake clock does not know of. */
async function pass(ms: number, until: () => boolean): Promise<void> {
  await clock.advance(ms);
  await expect.poll(() => until() && clock.waiting === 1, { interval: 5 }).toBe(true);
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'jotasu-renewal-'));
  clock = new FakeClock(startMs);
  scope = new Scope(silentLog);
  lines = '';
  set.length = renewed.length = 0;
  pki = await load();
});
afterEach(async () => {
  await scope.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Begins to look after the certificates when they are this old. */
async function begin(ageDays: number): Promise<void> {
  await clock.advance(ageDays * dayMs);
  const log = createLog({ level: 'info', write: (line) => void (lines += line), nowMs: () => clock.nowMs() });
  const https = { setCertificate: (cert: string) => void set.push(cert) };
  const onRenewed = async (next: Pki) => void renewed.push(next);
  scope.run('certificates', (signal) =>
    keepCertificates({ pki, load, https, onRenewed, clock, log }, signal),
  );
  await settle();
}

test('what expires soon is made anew and served, under the same authority', async () => {
  expect(days(pki.serving.cert)).toBe(365);
  await begin(333);
  await pass(2 * dayMs, () => true);
  expect(set).toEqual([]);
  await pass(dayMs, () => renewed.length === 1);
  expect(set.map(days)).toEqual([336 + 365]);
  expect(renewed[0]!.ca.cert).toBe(pki.ca.cert);
  expect(renewed[0]!.admin.cert).not.toBe(pki.admin.cert);
  await pass(2 * dayMs, () => true);
  expect([set.length, renewed.length]).toEqual([1, 1]);
});

test('a directory that is broken for a while does no harm', async () => {
  await begin(0);
  const cert = join(dir, 'ca.crt');
  rmSync(cert);
  await pass(dayMs, () => lines.includes('cannot renew certificates'));
  expect(lines).toContain('ca.crt is missing');
  writeFileSync(cert, pki.ca.cert);
  rmSync(join(dir, 'apiserver.crt'));
  await pass(dayMs, () => set.length === 1);
  expect(days(set[0]!)).toBe(367);
});

test('another authority is not mixed in', async () => {
  await begin(0);
  const other = await createCa({ commonName: 'kubernetes', days: 3650, nowMs: clock.nowMs() });
  writeFileSync(join(dir, 'ca.crt'), other.cert);
  writeFileSync(join(dir, 'ca.key'), other.key);
  await pass(dayMs, () => lines.includes('restart the server'));
  await pass(dayMs, () => true);
  expect(lines.match(/restart the server/g)).toHaveLength(1);
  expect([set, renewed]).toEqual([[], []]);
});

test('looks daily, and more often when there is little left', () => {
  expect(planNextCheck(startMs + 365 * dayMs, startMs)).toBe(dayMs);
  expect(planNextCheck(startMs + dayMs, startMs)).toBe(dayMs / 3);
  expect(planNextCheck(startMs - 1, startMs)).toBe(60_000);
});

test('a running server shows the new one to new connections, and still asks for client certificates', async () => {
  // Sockets check against the machine's time, at which the second certificate will be made.
  clock = new FakeClock(systemClock.nowMs() - dayMs);
  rmSync(dir, { recursive: true });
  const first = await load();
  const server = await startHttpsServer({
    host: '127.0.0.1',
    port: 0,
    cert: first.serving.cert,
    key: first.serving.key,
    clientCa: first.ca.cert,
    onRequest: (_, response) => void response.end(),
    clock: systemClock,
    log: silentLog,
  });
  const shown = (alpn: string) =>
    new Promise<[fingerprint: string, protocol: unknown]>((resolve, reject) => {
      const { cert, key } = first.admin;
      const options = { host: '127.0.0.1', port: server.port, ca: first.ca.cert, cert, key };
      const socket = connect({ ...options, ALPNProtocols: [alpn] }, () => {
        resolve([socket.getPeerX509Certificate()!.fingerprint256, socket.alpnProtocol]);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  const printOf = (cert: string) => new X509Certificate(cert).fingerprint256;
  const own = new Scope(silentLog);
  try {
    expect(await shown('h2')).toEqual([printOf(first.serving.cert), 'h2']);
    let next: Pki | undefined;
    own.run('certificates', (signal) =>
      keepCertificates(
        {
          pki: first,
          load,
          https: server,
          onRenewed: async (made) => void (next = made),
          clock,
          log: silentLog,
        },
        signal,
      ),
    );
    rmSync(join(dir, 'apiserver.crt'));
    await clock.advance(dayMs);
    await expect.poll(() => next !== undefined).toBe(true);
    for (const alpn of ['h2', 'http/1.1'])
      expect(await shown(alpn)).toEqual([printOf(next!.serving.cert), alpn]);
  } finally {
    await own.stop();
    await server.close(0);
  }
});
