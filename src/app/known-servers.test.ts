// Which servers an agent learns of, from endpoint slices and from what it has kept.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EndpointSlice } from '../api/index.ts';
import { FakeClock, Scope, seededRandom, settle, silentLog } from '../base/index.ts';
import { createClient, createInformers } from '../client/index.ts';
import type { Draft } from '../machinery/index.ts';
import { FakeTransport } from '../testkit/index.ts';
import { followServers, planKnownServers, readKnownServers } from './known-servers.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'jotasu-servers-'));
});
afterEach(() => rmSync(stateDir, { recursive: true }));

const slice = (
  name: string,
  addresses: string[],
  more: Partial<EndpointSlice> = {},
): Draft<EndpointSlice> => ({
  metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
  addressType: 'IPv4',
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
  ...more,
});

it.each<[string, Draft<EndpointSlice>[], string[]]>([
  [
    'servers',
    [slice('kubernetes', ['10.0.0.2', '10.0.0.1'])],
    ['https://10.0.0.1:6443', 'https://10.0.0.2:6443'],
  ],
  ['IPv6', [slice('kubernetes', ['fd00::1'], { addressType: 'IPv6' })], ['https://[fd00::1]:6443']],
  ['slices with the same', [slice('a', ['10.0.0.1']), slice('b', ['10.0.0.1'])], ['https://10.0.0.1:6443']],
  ['names, which no certificate need have', [slice('kubernetes', ['a'], { addressType: 'FQDN' })], []],
  [
    'none that takes requests',
    [slice('kubernetes', [], { endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: false } }] })],
    [],
  ],
  ['another port', [slice('kubernetes', ['10.0.0.1'], { ports: [{ name: 'metrics', port: 1 }] })], []],
  [
    'another service',
    [{ ...slice('web', ['10.0.0.9']), metadata: { name: 'web', namespace: 'default' } }],
    [],
  ],
])('%s', (_, slices, wanted) => expect(planKnownServers(slices as EndpointSlice[])).toEqual(wanted));

it.each([
  ['', []],
  ['{', []],
  ['{"a":1}', []],
  ['["https://a:1", 2, "http://b:1", "c"]', ['https://a:1']],
])('a file with %j', (text, wanted) => {
  writeFileSync(join(stateDir, 'servers.json'), text);
  expect(readKnownServers(stateDir, silentLog)).toEqual(wanted);
});

describe('an agent', () => {
  it('learns of servers, keeps them, and forgets none because nothing is said', async () => {
    const clock = new FakeClock();
    const client = createClient(new FakeTransport({ clock, random: seededRandom(1) }));
    const scope = new Scope(silentLog);
    const learnt: (readonly string[])[] = [];
    followServers({
      informers: createInformers(client, { scope, log: silentLog, clock }),
      servers: { learn: (servers) => learnt.push(servers) },
      stateDir,
      log: silentLog,
    });
    await settle();
    const slices = client(EndpointSlice);
    const made = await slices.create(slice('kubernetes', ['10.0.0.1']));
    await slices.create({ ...slice('web', ['10.0.0.7']), metadata: { name: 'web', namespace: 'default' } });
    await clock.advance(1000);
    await slices.update({
      ...made,
      ...slice('kubernetes', ['10.0.0.1', '10.0.0.2']),
      metadata: made.metadata,
    });
    await clock.advance(1000);
    await slices.delete('kubernetes', 'default');
    await clock.advance(1000);
    const both = ['https://10.0.0.1:6443', 'https://10.0.0.2:6443'];
    expect(learnt).toEqual([['https://10.0.0.1:6443'], both]);
    expect(JSON.parse(readFileSync(join(stateDir, 'servers.json'), 'utf8'))).toEqual(both);
    expect(readKnownServers(stateDir, silentLog)).toEqual(both);
    await scope.stop();
  });
});
