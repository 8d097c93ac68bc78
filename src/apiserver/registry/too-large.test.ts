// An object that the store cannot hold with the notes of who owns what is stored without them; larger ones are refused.
import { expect, it } from 'vitest';
import { FakeClock, silentLog } from '../../base/index.ts';
import { createMemoryBackend, createStore, RecordTooLarge } from '../../storage/index.ts';
import { ApiFixture } from '../../testkit/index.ts';

it('notes of owners go before the object is refused', async () => {
  const clock = new FakeClock(Date.parse('2026-01-02T03:04:05Z'));
  const backend = await createMemoryBackend({ clock, log: silentLog });
  const write = backend.write.bind(backend);
  let limit = Number.POSITIVE_INFINITY;
  backend.write = (record) => {
    if (record.value !== undefined && record.value.length > limit)
      return Promise.reject(new RecordTooLarge('too large'));
    return write(record);
  };
  const f = await ApiFixture.create({ clock, store: await createStore(backend, { clock, log: silentLog }) });
  const cms = '/api/v1/namespaces/default/configmaps';
  const body = (size: number) => ({ metadata: { name: 'a' }, data: { k: 'x'.repeat(size) } });
  limit = 1500;
  const kept = await f.ask('POST', cms, { body: body(1000) });
  expect([kept.code, kept.json.metadata.managedFields?.length]).toEqual([201, 1]);
  const dropped = await f.ask('PUT', `${cms}/a`, { body: body(1300) });
  expect([dropped.code, dropped.json.metadata.managedFields]).toEqual([200, undefined]);
  expect((await f.ask('GET', `${cms}/a`)).json.data.k).toHaveLength(1300);
  expect((await f.ask('PUT', `${cms}/a`, { body: body(2000) })).code).toBe(413);
  await f.close();
});
