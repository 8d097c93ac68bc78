import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CertificateSigningRequest } from '../../api/index.ts';
import { FakeClock, Scope, seededRandom, silentLog } from '../../base/index.ts';
import { createClient } from '../../client/index.ts';
import { createCa, issueCertificate, type KeyPairPem, signCertificateRequest } from '../../http/index.ts';
import { FakeTransport } from '../../testkit/index.ts';
import { CertificateStore } from './certificate-store.ts';
import { nodeClient, nodeServing } from './request-certificate.ts';
import { covers, keepCertificate, planReplacement } from './rotation.ts';

const hourMs = 3_600_000;

test('a certificate is replaced between 70 and 90 % of its life', () => {
  const life = { notBeforeMs: 1000, notAfterMs: 2000 };
  expect(planReplacement(life, 0)).toBe(1700);
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (chance) => {
      const atMs = planReplacement(life, chance);
      expect(atMs).toBeGreaterThanOrEqual(1700);
      expect(atMs).toBeLessThanOrEqual(1900);
    }),
  );
});

let clock: FakeClock;
let scope: Scope;
let transport: FakeTransport;
let ca: KeyPairPem;
let directory: string;
let store: CertificateStore;
beforeEach(async () => {
  clock = new FakeClock();
  scope = new Scope(silentLog);
  transport = new FakeTransport({ clock, random: seededRandom(1) });
  ca = await createCa({ commonName: 'ca', days: 100, nowMs: clock.nowMs() });
  directory = mkdtempSync(join(tmpdir(), 'jotasu-rotation-'));
  store = new CertificateStore(directory);
});
afterEach(async () => {
  await scope.stop();
  await transport.close();
  rmSync(directory, { recursive: true });
});

const issue = (nowMs: number) =>
  issueCertificate(
    ca,
    { commonName: 'system:node:a', dnsNames: ['a'], ips: ['10.0.0.1'], usage: 'both', days: 10 },
    nowMs,
  );

describe('what is kept', () => {
  test('is good for its names and addresses until it ends', async () => {
    const pair = await issue(clock.nowMs());
    const nowMs = clock.nowMs();
    expect(covers(pair, nodeServing('a', ['10.0.0.1']), nowMs)).toBe(true);
    expect(covers(pair, nodeServing('a', ['10.0.0.2']), nowMs)).toBe(false);
    expect(covers(pair, nodeServing('b', ['10.0.0.1']), nowMs)).toBe(false);
    expect(covers(pair, nodeServing('a', ['10.0.0.1']), nowMs + 11 * 24 * hourMs)).toBe(false);
  });
  test('is read as it was written', async () => {
    const pair = await issue(clock.nowMs());
    store.write('client', pair);
    expect(store.read('client')).toEqual(pair);
    expect(store.read('serving')).toBeUndefined();
  });
});

/** Answers every request that is open, as a server would. */
async function sign(days: number): Promise<number> {
  const client = createClient(transport);
  const { items } = await client(CertificateSigningRequest).list();
  const open = items.filter(({ status }) => !status?.certificate);
  for (const csr of open) {
    const cert = await signCertificateRequest(ca, Buffer.from(csr.spec.request, 'base64').toString(), {
      usages: csr.spec.usages ?? [],
      notBeforeMs: clock.nowMs(),
      notAfterMs: clock.nowMs() + days * 24 * hourMs,
    });
    const status = { certificate: Buffer.from(cert).toString('base64') };
    await client(CertificateSigningRequest).updateStatus({ ...csr, status });
  }
  return open.length;
}

/** Keys take real time, which the fake clock does not know of. */
const eventually = (look: () => Promise<unknown> | unknown) => expect.poll(look, { interval: 5 });

test('replaced late in its life, again and again, and tried again when it fails', async () => {
  const replaced: KeyPairPem[] = [];
  let failures = 0;
  const first = await issue(clock.nowMs());
  scope.run('keep', (signal) =>
    keepCertificate(
      {
        name: 'client',
        wanted: nodeClient('a'),
        current: first,
        client: createClient(transport),
        store,
        onReplaced: (pair) => void replaced.push(pair),
        onFailed: () => void failures++,
        clock,
        random: { ...seededRandom(1), next: () => 0.5 },
        log: silentLog,
      },
      signal,
    ),
  );
  const asked = async () => (await createClient(transport)(CertificateSigningRequest).list()).items.length;
  await clock.advance(7.9 * 24 * hourMs);
  expect(await asked()).toBe(0);
  transport.failWith = () => new Error('away');
  await clock.advance(0.2 * 24 * hourMs);
  await eventually(() => failures).toBeGreaterThanOrEqual(1);
  transport.failWith = null;
  await eventually(async () => {
    await clock.advance(1000);
    return asked();
  }).toBeGreaterThanOrEqual(1);
  expect(await sign(10)).toBeGreaterThanOrEqual(1);
  await eventually(async () => {
    await clock.advance(500);
    return replaced.length;
  }).toBe(1);
  const [second] = replaced as [KeyPairPem];
  expect(store.read('client')).toEqual(second);
  expect(new X509Certificate(second.cert).subject).toContain('CN=system:node:a');
  expect(second.key).not.toBe(first.key);
  // And once more, from the life of the new one.
  const before = await asked();
  await clock.advance(7 * 24 * hourMs);
  expect(await asked()).toBe(before);
  // In small steps: who has waited for an answer for a quarter of an hour asks again.
  await eventually(async () => {
    await clock.advance(hourMs / 6);
    return asked();
  }).toBeGreaterThan(before);
  expect(clock.nowMs()).toBeLessThan(Date.parse(new X509Certificate(second.cert).validTo));
});
