// That whoever holds the certificates of a server holds those in use, also after they were renewed.
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock, Scope, silentLog } from '../base/index.ts';
import { loadOrCreatePki, type Pki } from '../http/index.ts';
import { ServerCertificates } from './server-certificates.ts';

let directory: string;
let clock: FakeClock;
let scope: Scope;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'jotasu-certificates-'));
  clock = new FakeClock(Date.UTC(2026, 0, 1));
  scope = new Scope(silentLog);
});
afterEach(async () => {
  await scope.stop();
  rmSync(directory, { recursive: true });
});

const open = () =>
  ServerCertificates.open(() =>
    loadOrCreatePki(directory, {
      clusterDomain: 'cluster.local',
      firstServiceIp: '10.96.0.1',
      hosts: ['server.example', '10.0.0.5'],
      nowMs: clock.nowMs(),
      log: silentLog,
    }),
  );

test('the authority is shown behind the certificate', async () => {
  const { serving, pki } = await open();
  expect(serving).toEqual({ cert: `${pki.serving.cert}${pki.ca.cert}`, key: pki.serving.key });
  expect(new X509Certificate(serving.cert).checkHost('server.example')).toBe('server.example');
});

test('its names are told without their kinds', async () => {
  const { servingNames } = await open();
  expect(servingNames).toEqual(
    expect.arrayContaining([
      'server.example',
      '10.0.0.5',
      '10.96.0.1',
      'kubernetes.default.svc.cluster.local',
    ]),
  );
});

test('renewed ones take the place of the old ones', async () => {
  const certificates = await open();
  const { toNodes, toServers, pki: first } = certificates;
  const set: string[] = [];
  const renewed: Pki[] = [];
  await clock.advance(336 * 86_400_000);
  scope.run('certificates', (signal) =>
    certificates.keep(
      {
        https: { setCertificate: (cert) => void set.push(cert) },
        onRenewed: async (next) => void renewed.push(next),
        clock,
        log: silentLog,
      },
      signal,
    ),
  );
  await clock.advance(86_400_000);
  await expect.poll(() => renewed.length, { interval: 5 }).toBe(1);
  const { pki } = certificates;
  expect(renewed).toEqual([pki]);
  expect(pki.kubeletClient.cert).not.toBe(first.kubeletClient.cert);
  expect({ ...toNodes }).toEqual({ ...pki.kubeletClient, ca: first.ca.cert });
  expect({ ...toServers }).toEqual({ ...pki.frontProxy.client, ca: pki.frontProxy.ca });
  expect(toServers.cert).not.toBe(first.frontProxy.client.cert);
  expect(set).toEqual([`${pki.serving.cert}${first.ca.cert}`]);
});
