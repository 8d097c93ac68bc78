import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../base/index.ts';
import { loadOrCreatePki, PkiError, type PkiOptions } from './pki-directory.ts';

const nowMs = Date.UTC(2026, 5, 1);
const dayMs = 86_400_000;
const options: PkiOptions = {
  clusterDomain: 'cluster.local',
  firstServiceIp: '10.96.0.1',
  hosts: ['server.example', '192.0.2.7', 'fd00::7'],
  nowMs,
  log: silentLog,
};
const at = (path: string) => join(directory, path);
const read = (name: string) => fs.readFileSync(at(name), 'utf8');
let directory: string;

beforeEach(() => {
  directory = join(fs.mkdtempSync(join(tmpdir(), 'jotasu-pki-')), 'pki');
});
afterEach(() => fs.rmSync(join(directory, '..'), { recursive: true }));

describe('a new directory', () => {
  test('holds everything, private to its owner', async () => {
    const pki = await loadOrCreatePki(directory, options);
    expect(fs.readdirSync(directory).sort()).toEqual(
      ['admin', 'apiserver', 'apiserver-kubelet-client', 'ca', 'front-proxy-ca', 'front-proxy-client']
        .flatMap((n) => [`${n}.crt`, `${n}.key`])
        .concat('sa.key', 'sa.pub')
        .sort(),
    );
    expect(fs.statSync(directory).mode & 0o777).toBe(0o700);
    for (const name of fs.readdirSync(directory)) expect(fs.statSync(at(name)).mode & 0o777).toBe(0o600);

    const ca = new X509Certificate(pki.ca.cert);
    expect(ca.ca).toBe(true);
    expect(Date.parse(ca.validTo)).toBe(nowMs + 3650 * dayMs);
    const serving = new X509Certificate(pki.serving.cert);
    expect(serving.verify(ca.publicKey)).toBe(true);
    for (const host of ['kubernetes', 'kubernetes.default.svc.cluster.local', 'localhost', 'server.example'])
      expect(serving.checkHost(host), host).toBe(host);
    for (const ip of ['127.0.0.1', '10.96.0.1', '192.0.2.7', 'fd00::7'])
      expect(serving.checkIP(ip), ip).toBe(ip);
    expect(new X509Certificate(pki.admin.cert).subject).toBe('O=system:masters\nCN=kubernetes-admin');
  });

  test('the authority of the front proxy is another, made anew when it is broken', async () => {
    const first = await loadOrCreatePki(directory, options);
    const ca = new X509Certificate(first.frontProxy.ca);
    const client = new X509Certificate(first.frontProxy.client.cert);
    expect(client.subject).toBe('CN=front-proxy-client');
    expect(client.verify(ca.publicKey)).toBe(true);
    expect(client.verify(new X509Certificate(first.ca.cert).publicKey)).toBe(false);
    fs.writeFileSync(at('front-proxy-ca.key'), 'broken');
    const second = await loadOrCreatePki(directory, options);
    expect(second.frontProxy.ca).not.toBe(first.frontProxy.ca);
    expect(
      new X509Certificate(second.frontProxy.client.cert).checkIssued(
        new X509Certificate(second.frontProxy.ca),
      ),
    ).toBe(true);
    expect((await loadOrCreatePki(directory, options)).frontProxy).toEqual(second.frontProxy);
  });

  test('is used again as it is', async () => {
    const first = await loadOrCreatePki(directory, options);
    const node = {
      commonName: 'system:node:n1',
      organizations: ['system:nodes'],
      usage: 'client',
      days: 365,
    } as const;
    const issued = await first.ensure('node-n1', node);
    const second = await loadOrCreatePki(directory, options);
    expect({ ...second, ensure: 0 }).toEqual({ ...first, ensure: 0 });
    expect(await second.ensure('node-n1', node)).toEqual(issued);
  });
});

describe('the serving certificate is reissued when', () => {
  const cases: [string, Partial<PkiOptions>, () => void][] = [
    ['a host is added', { hosts: [...options.hosts, 'new.example'] }, () => {}],
    ['the service network changes', { firstServiceIp: '10.0.0.1' }, () => {}],
    ['it is about to expire', { nowMs: nowMs + 340 * dayMs }, () => {}],
    ['its key is missing', {}, () => fs.rmSync(at('apiserver.key'))],
    ['it is half written', {}, () => fs.truncateSync(at('apiserver.crt'), 100)],
    ['the key is that of another', {}, () => fs.copyFileSync(at('admin.key'), at('apiserver.key'))],
  ];
  test.each(cases)('%s', async (_, changed, damage) => {
    const before = await loadOrCreatePki(directory, options);
    damage();
    const after = await loadOrCreatePki(directory, { ...options, ...changed });
    expect(after.serving.cert).not.toBe(before.serving.cert);
    expect(after.ca).toEqual(before.ca);
    expect(after.serviceAccount).toEqual(before.serviceAccount);
    expect(read('apiserver.crt')).toBe(after.serving.cert);
  });
});

describe('after a crash', () => {
  test('a CA key without its certificate is made anew, before anything was signed with it', async () => {
    fs.mkdirSync(directory, { recursive: true });
    fs.writeFileSync(at('ca.key'), 'half');
    fs.writeFileSync(at('ca.crt.tmp-0123abcd'), 'half');
    await loadOrCreatePki(directory, options);
    expect(fs.readdirSync(directory).some((n) => n.includes('tmp'))).toBe(false);
  });
  test('a missing public key of service accounts is derived again', async () => {
    const before = await loadOrCreatePki(directory, options);
    fs.rmSync(at('sa.pub'));
    await loadOrCreatePki(directory, options);
    expect(read('sa.pub')).toBe(before.serviceAccount.publicKey);
  });
});

describe('is refused, with what to do about it, when', () => {
  const cases: [string, () => void, RegExp][] = [
    [
      'the CA certificate was lost',
      () => fs.rmSync(at('ca.crt')),
      /ca\.crt is missing, but admin\.crt.*restore it/,
    ],
    ['the CA key was lost', () => fs.rmSync(at('ca.key')), /ca\.key is missing: restore it/],
    ['the CA cannot be read', () => fs.writeFileSync(at('ca.crt'), 'x'), /certificate cannot be read/],
    ['the CA key is another', () => fs.copyFileSync(at('admin.key'), at('ca.key')), /key is not that of/],
    ['the token key was lost', () => fs.rmSync(at('sa.key')), /sa\.key is missing/],
  ];
  test.each(cases)('%s', async (_, damage, message) => {
    await loadOrCreatePki(directory, options);
    damage();
    const again = loadOrCreatePki(directory, options);
    await expect(again).rejects.toThrow(PkiError);
    await expect(again).rejects.toThrow(message);
  });
  test('the CA has expired', async () => {
    await loadOrCreatePki(directory, options);
    const later = { ...options, nowMs: nowMs + 3651 * dayMs };
    await expect(loadOrCreatePki(directory, later)).rejects.toThrow(/has expired/);
  });
  test('a file stands in its place', async () => {
    fs.writeFileSync(directory, '');
    await expect(loadOrCreatePki(directory, options)).rejects.toThrow(PkiError);
  });
});
