// Cluster IPs and node ports through the API: taken on create, given back when the service lets go of them, known after a restart.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock, silentLog as log, seededRandom } from '../base/index.ts';
import { type Backend, createMemoryBackend, createStore } from '../storage/index.ts';
import { ApiFixture } from '../testkit/index.ts';
import { firstServiceIp, parseIpv4Range, toAddress } from './service-ips.ts';

let f: ApiFixture;
const services = '/api/v1/namespaces/default/services';
const create = (name: string, spec: object = {}) =>
  f.ask('POST', services, { body: { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } } });
const small = { serviceCidr: '10.0.0.0/29', nodePorts: [30000, 30001] as const };

beforeEach(async () => {
  f = await ApiFixture.create({ server: small });
});
afterEach(() => f.close());

it('reads ranges', () => {
  const { first, last } = parseIpv4Range('10.0.0.0/29');
  expect([toAddress(first), toAddress(last)]).toEqual(['10.0.0.1', '10.0.0.6']);
  expect(firstServiceIp('10.96.0.0/12')).toBe('10.96.0.1');
  for (const bad of ['10.0.0.0', '10.0.0.0/33', '10.0.0.300/24', 'fd00::/64'])
    expect(() => parseIpv4Range(bad)).toThrow(/no IPv4 range/);
});

it('gives each service an address until there is none, and takes it back', async () => {
  const ips: string[] = ['10.0.0.1'];
  for (let i = 0; i < 5; i++) ips.push((await create(`s${i}`)).json.spec.clusterIP);
  expect([...ips].sort()).toEqual([1, 2, 3, 4, 5, 6].map((n) => `10.0.0.${n}`));
  const full = await create('full');
  expect([full.code, full.json.message]).toEqual([
    422,
    'Service "full" is invalid: spec.clusterIPs: Invalid value: []: failed to allocate a serviceIP: range is full',
  ]);
  await f.ask('DELETE', `${services}/s0`);
  expect((await create('after')).json.spec.clusterIP).toBe(ips[1]);
});

it('refuses what is taken or outside', async () => {
  await create('one', { clusterIP: '10.0.0.3' });
  expect((await create('two', { clusterIP: '10.0.0.3' })).json.message).toContain(
    'provided IP is already allocated',
  );
  expect((await create('two', { clusterIP: '10.1.0.3' })).json.message).toContain(
    'is not in the valid range',
  );
});

it('a create that fails or is dry keeps nothing', async () => {
  const spec = { type: 'NodePort', clusterIP: '10.0.0.4', ports: [{ port: 80, nodePort: 30000 }] };
  await f.ask('POST', `${services}?dryRun=All`, { body: { metadata: { name: 'dry' }, spec } });
  expect((await create('bad!', spec)).code).toBe(422);
  expect((await create('kubernetes', spec)).code).toBe(409);
  expect((await create('good', spec)).code).toBe(201);
});

it('node ports go when the type changes', async () => {
  const made = (await create('np', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] })).json;
  expect(
    (await create('np2', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] })).json.message,
  ).toContain('provided port is already allocated');
  const { nodePort: _, ...port } = made.spec.ports[0];
  const changed = await f.ask('PUT', `${services}/np`, {
    body: { ...made, spec: { ...made.spec, type: 'ClusterIP', ports: [port] } },
  });
  expect([changed.code, changed.json.spec.ports[0].nodePort]).toEqual([200, undefined]);
  expect((await create('np2', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] })).code).toBe(201);
});

it('an ExternalName service gives its address back', async () => {
  const made = (await create('ext', { clusterIP: '10.0.0.5' })).json;
  const told = await f.ask('PUT', `${services}/ext`, {
    body: { metadata: made.metadata, spec: { type: 'ExternalName', externalName: 'a.b' } },
  });
  expect([told.code, told.json.spec.clusterIP]).toEqual([200, undefined]);
  expect((await create('next', { clusterIP: '10.0.0.5' })).code).toBe(201);
});

it('remembers after a restart what is held', async () => {
  await create('kept', { clusterIP: '10.0.0.6' });
  const g = await ApiFixture.create({ store: f.store, server: small });
  const told = await g.ask('POST', services, {
    body: { metadata: { name: 'x' }, spec: { clusterIP: '10.0.0.6', ports: [{ port: 1 }] } },
  });
  expect(told.json.message).toContain('already allocated');
});

/** One of several servers on the same records, to whom changes come late. */
class SharedBackend implements Backend {
  readonly shared = true;
  readonly #backend: Backend;
  constructor(backend: Backend) {
    this.#backend = backend;
  }
  load: Backend['load'] = (onRecord) => this.#backend.load(onRecord);
  write: Backend['write'] = (write) => this.#backend.write(write);
  currentRevision = () => this.#backend.currentRevision();
  compact = (revision: number) => this.#backend.compact(revision);
  close = () => Promise.resolve();
  follow: Backend['follow'] = (revision, onChanges, signal) =>
    this.#backend.follow(
      revision,
      (changes, reached) => void setTimeout(() => signal.aborted || onChanges(changes, reached), 1),
      signal,
    );
}

describe('two servers on one store', () => {
  let backend: Backend;
  let servers: ApiFixture[];
  beforeEach(async () => {
    const clock = new FakeClock();
    backend = await createMemoryBackend({ clock, log });
    servers = [];
    for (let i = 0; i < 2; i++) {
      const store = await createStore(new SharedBackend(backend), { clock, log });
      // Both choose the same at random.
      servers.push(await ApiFixture.create({ store, clock, server: small, random: seededRandom(1) }));
    }
  });
  afterEach(async () => {
    for (const server of servers) await server.close();
    await backend.close();
  });
  const createOn = (server: number, name: string, spec: object = {}) =>
    servers[server]!.ask('POST', services, {
      body: { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } },
    });

  it('never give an address or a port twice', async () => {
    const told = await Promise.all([0, 1, 0, 1, 0].map((server, i) => createOn(server, `s${i}`)));
    expect(told.map((t) => t.code)).toEqual([201, 201, 201, 201, 201]);
    expect(new Set(told.map((t) => t.json.spec.clusterIP)).size).toBe(5);
    const nodePort = { type: 'NodePort', clusterIP: undefined };
    await servers[0]!.ask('DELETE', `${services}/s0`);
    await servers[1]!.ask('DELETE', `${services}/s1`);
    const ports = await Promise.all([createOn(0, 'p0', nodePort), createOn(1, 'p1', nodePort)]);
    expect(ports.map((t) => t.json.spec.ports[0].nodePort).sort()).toEqual([30000, 30001]);
    expect((await createOn(0, 'full')).json.message).toContain('range is full');
  });

  it('of two that insist on one address one is refused, and it is free again for both', async () => {
    const spec = { clusterIP: '10.0.0.4' };
    for (let i = 0; i < 5; i++) {
      const told = await Promise.all([createOn(0, 'a', spec), createOn(1, 'b', spec)]);
      expect(told.map((t) => t.code).sort()).toEqual([201, 422]);
      expect(told.find((t) => t.code === 422)!.json.message).toContain('provided IP is already allocated');
      const name = told[0]!.code === 201 ? 'a' : 'b';
      await servers[(i + 1) % 2]!.ask('DELETE', `${services}/${name}`);
    }
    expect((await createOn(1, 'c', spec)).code).toBe(201);
  });

  it('leave no claims behind', async () => {
    await Promise.all([createOn(0, 'x'), createOn(1, 'y'), createOn(0, 'bad!')]);
    const keys: string[] = [];
    await backend.load(({ key }) => void keys.push(key));
    expect(keys.filter((key) => key.includes('claims'))).toEqual([]);
  });
});
