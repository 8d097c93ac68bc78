// Two servers on one store, to whom changes come late: nothing is given twice, and nothing is kept for nobody.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock, silentLog as log, seededRandom } from '../../base/index.ts';
import { type Backend, createMemoryBackend, createStore } from '../../storage/index.ts';
import { ApiFixture } from '../../testkit/index.ts';

const services = '/api/v1/namespaces/default/services';
const small = { serviceCidr: '10.0.0.0/29', nodePorts: [30000, 30001] as const };

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
