// Failure and grouping, on a medium that does as it is told.
import { expect, test } from 'vitest';
import { FakeClock, settle, silentLog } from '../base/index.ts';
import { BackendUnavailable, type Change } from './backend.ts';
import { Ledger, type LedgerChange } from './ledger.ts';
import { MemoryMedium } from './memory.ts';

class FakeMedium extends MemoryMedium {
  readonly commits: number[] = [];
  /** What the next commits do: fail after having happened, or without. */
  failing: 'no' | 'before' | 'after' = 'no';
  /** Set to hold commits until called. */
  hold: Promise<void> | null = null;

  override async commit(changes: readonly LedgerChange[], revision: number): Promise<void> {
    this.commits.push(changes.length);
    await this.hold;
    if (this.failing !== 'before') await super.commit(changes, revision);
    if (this.failing !== 'no') throw new Error('no space left on device');
  }
}

const write = (key: string, expectRevision = 0, ttlSeconds = 0) => ({
  key,
  value: Buffer.from('v'),
  expect: expectRevision,
  ttlSeconds,
});

async function start() {
  const clock = new FakeClock();
  const medium = new FakeMedium();
  const ledger = await Ledger.open(medium, { clock, log: silentLog });
  await ledger.load(() => {});
  const seen: Change[] = [];
  const stop = new AbortController();
  const following = ledger.follow(0, (changes) => void seen.push(...changes), stop.signal);
  const end = async () => {
    stop.abort();
    await following;
    await ledger.close();
    expect(clock.waiting).toBe(0);
  };
  return { clock, medium, ledger, seen, end };
}

test('writes that arrive during a commit share the next one, and see what it did', async () => {
  const { medium, ledger, end } = await start();
  let release = () => {};
  medium.hold = new Promise((resolve) => (release = resolve));
  const first = ledger.write(write('/a'));
  await settle();
  const others = ['/b', '/c', '/a', '/d'].map((key) => ledger.write(write(key)));
  await settle();
  expect(medium.commits).toEqual([1]);
  medium.hold = null;
  release();
  expect(await first).toEqual({ ok: true, revision: 1 });
  expect((await Promise.all(others)).map((r) => r.ok)).toEqual([true, true, false, true]);
  expect(medium.commits).toEqual([1, 3]);
  await end();
});

test('a failed commit: nothing more is accepted, then all is well again, and its revision is not used twice', async () => {
  const { clock, medium, ledger, seen, end } = await start();
  await ledger.write(write('/a'));
  medium.failing = 'before';
  const refused = await Promise.allSettled([ledger.write(write('/b')), ledger.write(write('/a'))]);
  for (const r of refused) {
    expect(r.status).toBe('rejected');
    if (r.status === 'rejected') expect(r.reason).toBeInstanceOf(BackendUnavailable);
  }
  await expect(ledger.write(write('/c'))).rejects.toThrow('no space left on device');
  await expect(ledger.load(() => {})).rejects.toThrow(BackendUnavailable);
  await clock.advance(5000);
  await expect(ledger.write(write('/c'))).rejects.toThrow(BackendUnavailable);
  medium.failing = 'no';
  await clock.advance(1000);
  expect(await ledger.currentRevision()).toBe(1);
  expect(await ledger.write(write('/b'))).toEqual({ ok: true, revision: 3 });
  expect(seen.map((c) => c.revision)).toEqual([1, 3]);
  await end();
});

test('a commit that failed after it happened is seen once the medium has been reopened', async () => {
  const { clock, medium, ledger, seen, end } = await start();
  medium.failing = 'after';
  await expect(ledger.write(write('/a'))).rejects.toThrow(BackendUnavailable);
  expect(seen).toEqual([]);
  medium.failing = 'no';
  await clock.advance(1000);
  expect(seen.map((c) => c.revision)).toEqual([1]);
  expect(await ledger.write(write('/a'))).toMatchObject({ ok: false, current: { revision: 1 } });
  await end();
});

test('what expires while the medium is broken expires afterwards', async () => {
  const { clock, medium, ledger, seen, end } = await start();
  await ledger.write(write('/a', 0, 10));
  medium.failing = 'before';
  await expect(ledger.write(write('/b'))).rejects.toThrow(BackendUnavailable);
  await clock.advance(20_000);
  expect(seen).toHaveLength(1);
  medium.failing = 'no';
  await clock.advance(61_000);
  expect(seen.map((c) => [c.key, c.value === undefined])).toEqual([
    ['/a', false],
    ['/a', true],
  ]);
  await end();
});

test('closed while broken it ends cleanly', async () => {
  const { medium, ledger, end } = await start();
  medium.failing = 'before';
  await expect(ledger.write(write('/b'))).rejects.toThrow(BackendUnavailable);
  await end();
  await expect(ledger.write(write('/b'))).rejects.toThrow('closed');
});
