// Two servers on one store, to whom changes come late: together they give no more than there is.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeClock, silentLog as log, seededRandom } from '../../../base/index.ts';
import { type Backend, createMemoryBackend, createStore } from '../../../storage/index.ts';
import { ApiFixture } from '../../../testkit/index.ts';

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

let backend: Backend;
let servers: ApiFixture[];
beforeEach(async () => {
  const clock = new FakeClock();
  backend = await createMemoryBackend({ clock, log });
  servers = [];
  for (let i = 0; i < 2; i++) {
    const store = await createStore(new SharedBackend(backend), { clock, log });
    servers.push(await ApiFixture.create({ store, clock, random: seededRandom(i) }));
  }
});
afterEach(async () => {
  for (const server of servers) await server.close();
  await backend.close();
});

it('of many that ask both at once exactly as many get something as there is room for', async () => {
  const [first] = servers as [ApiFixture, ApiFixture];
  const quotas = '/api/v1/namespaces/default/resourcequotas';
  const hard = { configmaps: '9', 'count/configmaps': '7' };
  for (const name of ['a', 'b']) {
    await first.ask('POST', quotas, { body: { metadata: { name }, spec: { hard } } });
    await first.ask('PATCH', `${quotas}/${name}/status`, {
      type: 'application/merge-patch+json',
      body: { status: { hard, used: { configmaps: '0', 'count/configmaps': '0' } } },
    });
  }
  const told = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      servers[i % 2]!.ask('POST', '/api/v1/namespaces/default/configmaps', {
        body: { metadata: { name: `m${i}` } },
      }),
    ),
  );
  const codes = told.map(({ code }) => code);
  expect([codes.filter((code) => code === 201).length, codes.filter((code) => code === 403).length]).toEqual([
    7, 23,
  ]);
  for (const name of ['a', 'b']) {
    const { status } = (await first.ask('GET', `${quotas}/${name}`)).json;
    expect(status.used).toEqual({ configmaps: '7', 'count/configmaps': '7' });
  }
});
