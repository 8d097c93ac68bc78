import { expect, test } from 'vitest';
import { FakeClock, silentLog as log } from '../../base/index.ts';
import { type CompactionMark, runCompactor } from './compactor.ts';

class FakeEtcd implements CompactionMark {
  revision = 100;
  round = 0;
  away = false;
  raise(round: number) {
    if (this.away) return Promise.reject(new Error('away'));
    const raised = round === this.round;
    if (raised) {
      this.round++;
      this.revision++;
    }
    return Promise.resolve({ raised, round: this.round, revision: this.revision });
  }
}

function start(servers: number) {
  const clock = new FakeClock();
  const etcd = new FakeEtcd();
  const compacted: { by: number; revision: number }[] = [];
  const stops = Array.from({ length: servers }, () => new AbortController());
  const running = stops.map((stop, by) =>
    runCompactor(
      {
        mark: etcd,
        compact: async (revision) => void compacted.push({ by, revision }),
        intervalMs: 1000,
        clock,
        log,
      },
      stop.signal,
    ),
  );
  const end = async () => {
    for (const stop of stops) stop.abort();
    await Promise.all(running);
    expect(clock.waiting).toBe(0);
  };
  return { clock, etcd, compacted, stops, end };
}

test('what was the present an interval ago goes', async () => {
  const { clock, etcd, compacted, end } = start(1);
  await clock.advance(1000);
  expect(compacted).toEqual([]);
  etcd.revision = 200;
  await clock.advance(1000);
  etcd.revision = 300;
  await clock.advance(1000);
  expect(compacted.map((c) => c.revision)).toEqual([101, 201]);
  await end();
});

test('of several servers one compacts an interval, and another takes over', async () => {
  const { clock, etcd, compacted, stops, end } = start(3);
  for (let i = 0; i < 10; i++) {
    etcd.revision += 10;
    await clock.advance(1000);
  }
  expect(compacted.length).toBeGreaterThanOrEqual(8);
  expect(compacted.length).toBeLessThanOrEqual(10);
  const before = compacted.length;
  stops[compacted.at(-1)!.by]!.abort();
  for (let i = 0; i < 3; i++) {
    etcd.revision += 10;
    await clock.advance(1000);
  }
  expect(compacted.length).toBeGreaterThan(before);
  for (const { revision } of compacted) expect(revision).toBeLessThanOrEqual(etcd.revision - 10);
  await end();
});

test('an etcd that is away is asked again an interval later', async () => {
  const { clock, etcd, compacted, end } = start(1);
  await clock.advance(1000);
  etcd.away = true;
  await clock.advance(3000);
  etcd.away = false;
  await clock.advance(1000);
  expect(compacted).toHaveLength(1);
  await end();
});
