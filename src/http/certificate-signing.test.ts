// Requests of our own and of openssl, answered by a CA and read again by node.
import { execFileSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createCertificateRequest,
  readCertificateRequest,
  signCertificateRequest,
} from './certificate-signing.ts';
import { createCa, createKeyPair, type KeyPairPem } from './pki.ts';

const nowMs = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;
let ca: KeyPairPem;
const directory = mkdtempSync(join(tmpdir(), 'jotasu-requests-'));
beforeAll(async () => {
  ca = await createCa({ commonName: 'kubernetes', days: 10, nowMs });
});
afterAll(() => rmSync(directory, { recursive: true }));

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const subject = {
  commonName: 'system:node:a "quoted", #1',
  organizations: ['system:nodes', 'more'],
  dnsNames: ['a', 'a.example.org'],
  ips: ['10.0.0.1', 'fd00::1'],
};

it('says what it asks for', async () => {
  const pem = await createCertificateRequest(createKeyPair().privateKey, subject);
  expect(await readCertificateRequest(pem)).toEqual({ ...subject, emails: [], uris: [] });
  const bare = await createCertificateRequest(createKeyPair().privateKey, { commonName: 'zoe' });
  expect(await readCertificateRequest(bare)).toMatchObject({ commonName: 'zoe', organizations: [], ips: [] });
});

it('is answered with its own names and key, for the usages and times of the policy', async () => {
  const { privateKey, publicKey } = createKeyPair();
  const pem = await createCertificateRequest(privateKey, subject);
  const cert = await signCertificateRequest(ca, pem, {
    usages: ['digital signature', 'server auth'],
    notBeforeMs: nowMs,
    notAfterMs: nowMs + hourMs,
  });
  const read = new X509Certificate(cert);
  expect(read.verify(createPublicKey(ca.cert))).toBe(true);
  expect(read.checkIssued(new X509Certificate(ca.cert))).toBe(true);
  expect(read.publicKey.export({ type: 'spki', format: 'pem' })).toBe(publicKey);
  // As they are: node's own print escapes them.
  expect(read.toLegacyObject().subject).toEqual({
    CN: subject.commonName,
    O: subject.organizations,
  });
  expect(read.subjectAltName).toBe(
    'DNS:a, DNS:a.example.org, IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1',
  );
  expect(read.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  expect(Date.parse(read.validFrom)).toBe(nowMs);
  expect(Date.parse(read.validTo)).toBe(nowMs + hourMs);
  expect(read.ca).toBe(false);
});

it('ends with its CA', async () => {
  const pem = await createCertificateRequest(createKeyPair().privateKey, { commonName: 'a' });
  const policy = { usages: ['client auth'], notBeforeMs: nowMs, notAfterMs: nowMs + 1000 * 24 * hourMs };
  const cert = new X509Certificate(await signCertificateRequest(ca, pem, policy));
  expect(cert.validTo).toBe(new X509Certificate(ca.cert).validTo);
});

it('is not signed for usages that nobody knows', async () => {
  const pem = await createCertificateRequest(createKeyPair().privateKey, { commonName: 'a' });
  const policy = { usages: ['client auth', 'tea'], notBeforeMs: nowMs, notAfterMs: nowMs };
  await expect(signCertificateRequest(ca, pem, policy)).rejects.toThrow('unrecognized usage values: ["tea"]');
});

describe.skipIf(!hasOpenssl)('of openssl', () => {
  it.each([
    ['RSA', ['-newkey', 'rsa:2048']],
    ['Ed25519', ['-newkey', 'ed25519']],
    ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
  ])('with a key of %s is answered, and openssl trusts the answer', async (name, key) => {
    const file = (what: string) => join(directory, `${name}.${what}`);
    const extra = ['-subj', '/O=dev/CN=zoe', '-addext', 'subjectAltName=DNS:z,email:z@example.org'];
    execFileSync(
      'openssl',
      ['req', '-new', '-nodes', ...key, ...extra, '-keyout', file('key'), '-out', file('csr')],
      { stdio: 'ignore' },
    );
    const pem = readFileSync(file('csr'), 'utf8');
    expect(await readCertificateRequest(pem)).toMatchObject({
      commonName: 'zoe',
      dnsNames: ['z'],
      emails: ['z@example.org'],
    });
    const cert = new X509Certificate(
      await signCertificateRequest(ca, pem, {
        usages: ['client auth', 'key encipherment'],
        notBeforeMs: nowMs,
        notAfterMs: nowMs + hourMs,
      }),
    );
    expect(cert.verify(createPublicKey(ca.cert))).toBe(true);
    expect(cert.subjectAltName).toBe('DNS:z, email:z@example.org');
  });
});
