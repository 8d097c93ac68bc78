// What only a remote backend does: streams that break or are compacted, revisions that move without us, answers before changes.
import { expect, test } from 'vitest';
import { FakeClock, settle, silentLog } from '../base/index.ts';
import {
  type Backend,
  type Change,
  Compacted,
  type StoredRecord,
  type Write,
  type WriteResult,
} from './backend.ts';
import { createStore } from './revision-store.ts';
import type { StoreEvent } from './store.ts';

const value = (name: string) => Buffer.from(`{"kind":"Pod","apiVersion":"v1","metadata":{"name":"${name}"}}`);

/** A backend far away: other processes write to it too, and changes arrive when `deliver` is called. */
class RemoteBackend implements Backend {
  readonly shared = true;
  readonly records = new Map<string, StoredRecord>();
  revision = 0;
  #undelivered: Change[] = [];
  #onChanges: ((changes: readonly Change[], revision: number) => void) | null = null;
  #breakStream: ((error: Error) => void) | null = null;

  change(key: string, bytes: Buffer | undefined): number {
    const revision = ++this.revision;
    if (bytes === undefined) this.records.delete(key);
    else this.records.set(key, { key, value: Buffer.from(bytes), revision });
    this.#undelivered.push({ key, value: bytes && Buffer.from(bytes), revision });
    return revision;
  }

  deliver(): void {
    this.#onChanges?.(this.#undelivered.splice(0), this.revision);
  }

  /** Ends the stream; with Compacted what was not delivered is gone. */
  break(error: Error): void {
    if (error instanceof Compacted) this.#undelivered = [];
    this.#breakStream?.(error);
  }

  load(onRecord: (record: StoredRecord) => void): Promise<{ revision: number }> {
    for (const key of [...this.records.keys()].sort()) onRecord(this.records.get(key)!);
    return Promise.resolve({ revision: this.revision });
  }

  follow(
    _revision: number,
    onChanges: (changes: readonly Change[], revision: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onChanges = onChanges;
      this.#breakStream = (error) => {
        this.#onChanges = null;
        reject(error);
      };
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  write(write: Write): Promise<WriteResult> {
    const current = this.records.get(write.key);
    if ((current?.revision ?? 0) !== write.expect) return Promise.resolve({ ok: false, current });
    return Promise.resolve({ ok: true, revision: this.change(write.key, write.value) });
  }

  currentRevision(): Promise<number> {
    return Promise.resolve(this.revision);
  }

  compact(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function start() {
  const backend = new RemoteBackend();
  backend.change('/core/pods/ns/a', value('a'));
  backend.change('/core/pods/ns/b', value('b'));
  const clock = new FakeClock();
  const store = await createStore(backend, { clock, log: silentLog });
  backend.deliver();
  const events: StoreEvent[] = [];
  let lost = 0;
  store.watch('/core/pods/', store.revision, {
    onEvents: (more) => void events.push(...more),
    onLost: () => lost++,
  });
  const shown = () => events.splice(0).map((e) => `${e.type} ${e.entry.key} ${e.entry.revision}`);
  return { backend, clock, store, shown, lost: () => lost };
}

test('a commit resolves when it is visible here, and claims its own version', async () => {
  const { backend, store, shown } = await start();
  const object = (revision: number) => ({ revision });
  let done = false;
  const commit = store.commit({ key: '/core/pods/ns/c', value: value('c'), expect: 0, object });
  void commit.then(() => (done = true));
  await settle();
  backend.change('/core/pods/ns/c', value('newer'));
  expect(done).toBe(false);
  backend.deliver();
  const result = await commit;
  expect(result).toMatchObject({ ok: true, entry: { revision: 3, object: { revision: 3 } } });
  expect(store.get('/core/pods/ns/c')).toMatchObject({ revision: 4, object: null });
  expect(shown()).toEqual(['put /core/pods/ns/c 3', 'put /core/pods/ns/c 4']);
  await store.close();
});

test('a lost compare waits until what won is visible; a stale one is answered here', async () => {
  const { backend, store } = await start();
  const revision = backend.change('/core/pods/ns/a', value('other'));
  const lost = store.commit({ key: '/core/pods/ns/a', value: value('mine'), expect: 1 });
  await settle();
  expect(store.revision).toBe(2);
  backend.deliver();
  const result = await lost;
  expect(result).toMatchObject({ ok: false, current: { revision } });
  expect(result.ok ? null : result.current).toBe(store.get('/core/pods/ns/a'));
  backend.write = () => Promise.reject(new Error('not asked'));
  const stale = await store.commit({ key: '/core/pods/ns/a', value: undefined, expect: 1 });
  expect(stale).toMatchObject({ ok: false, current: { revision } });
  await store.close();
});

test('catchUp waits for a revision that moved without changes of ours', async () => {
  const { backend, store } = await start();
  backend.revision = 10;
  const caughtUp = store.catchUp();
  await settle();
  backend.deliver();
  await caughtUp;
  expect(store.revision).toBe(10);
  await store.close();
});

test('a broken stream is followed again', async () => {
  const { backend, clock, store, shown } = await start();
  backend.break(new Error('connection reset'));
  await settle();
  backend.change('/core/pods/ns/c', value('c'));
  await clock.advance(1000);
  backend.deliver();
  expect(shown()).toEqual(['put /core/pods/ns/c 3']);
  await store.close();
});

test('after Compacted watchers get the differences and history begins anew', async () => {
  const { backend, store, shown, lost } = await start();
  backend.change('/core/pods/ns/b', undefined);
  backend.change('/core/pods/ns/c', value('c'));
  backend.change('/core/pods/ns/d', value('d'));
  backend.change('/core/pods/ns/d', undefined);
  const gone = store.get('/core/pods/ns/b');
  backend.break(new Compacted(6));
  await settle();
  expect(shown()).toEqual(['put /core/pods/ns/c 4', 'delete /core/pods/ns/b 6']);
  expect(gone).toBeDefined();
  expect(store.revision).toBe(6);
  expect(store.oldestRevision).toBe(6);
  expect(store.list('/core/pods/').map((e) => e.key)).toEqual(['/core/pods/ns/a', '/core/pods/ns/c']);
  expect(() => store.listAt('/core/pods/', 5)).toThrow(Compacted);
  backend.change('/core/pods/ns/a', value('a2'));
  backend.deliver();
  expect(shown()).toEqual(['put /core/pods/ns/a 7']);
  expect(lost()).toBe(0);
  await store.close();
});

test('when the backend went back in time, watchers are told that they are lost', async () => {
  const { backend, clock, store, lost } = await start();
  backend.revision = 1;
  backend.records.delete('/core/pods/ns/b');
  backend.break(new Compacted(1));
  await settle();
  expect(lost()).toBe(1);
  expect(store.revision).toBe(2);
  await store.close();
  expect(clock.waiting).toBe(0);
});
