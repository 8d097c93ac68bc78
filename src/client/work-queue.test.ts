import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock, MetricRegistry, settle } from '../base/index.ts';
import { sampleOf } from '../testkit/index.ts';
import { WorkQueue } from './work-queue.ts';

function begin() {
  const clock = new FakeClock();
  return { clock, queue: new WorkQueue({ clock }) };
}

const drain = (queue: WorkQueue): string[] => {
  const out: string[] = [];
  for (let key = queue.take(); key !== undefined; key = queue.take()) {
    out.push(key);
    queue.done(key);
  }
  return out;
};

describe('WorkQueue', () => {
  it('hands out each waiting key once, in order', () => {
    const { queue } = begin();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.size).toBe(3);
    expect(drain(queue)).toEqual(['a', 'b', 'c']);
  });

  it('keeps a key back while it is worked on, and brings it again when it was added meanwhile', () => {
    const { queue } = begin();
    queue.add('a');
    expect(queue.take()).toBe('a');
    queue.add('a');
    queue.add('a');
    expect([queue.take(), queue.size]).toEqual([undefined, 0]);
    queue.done('a');
    expect(drain(queue)).toEqual(['a']);
  });

  it('gives a waiting taker the next key', async () => {
    const { queue } = begin();
    const first = queue.next();
    const second = queue.next();
    queue.add('a');
    queue.add('b');
    expect([await first, await second, queue.processing]).toEqual(['a', 'b', 2]);
  });

  it('adds after a delay; the earliest of several counts', async () => {
    const { clock, queue } = begin();
    queue.addAfter('a', 1000);
    queue.addAfter('b', 500);
    queue.addAfter('a', 200);
    queue.addAfter('a', 700);
    expect(clock.waiting).toBe(1);
    await clock.advance(199);
    expect(drain(queue)).toEqual([]);
    await clock.advance(1);
    expect(drain(queue)).toEqual(['a']);
    await clock.advance(300);
    expect(drain(queue)).toEqual(['b']);
    await clock.advance(1000);
    expect([drain(queue), clock.waiting, queue.delayed]).toEqual([[], 0, 0]);
  });

  it('adds at a time that may move on, and asks for it only when it has come', async () => {
    const { clock, queue } = begin();
    let dueMs = clock.monotonicMs() + 100;
    let asked = 0;
    const at = () => {
      asked++;
      return dueMs;
    };
    queue.addAt('a', at);
    for (let i = 0; i < 9; i++) {
      await clock.advance(10);
      dueMs += 10;
    }
    expect([drain(queue), asked]).toEqual([[], 1]);
    await clock.advance(99);
    expect([drain(queue), asked, clock.waiting]).toEqual([[], 2, 1]);
    await clock.advance(1);
    expect(drain(queue)).toEqual(['a']);
    queue.addAt('a', at);
    expect(drain(queue)).toEqual(['a']);
    expect([clock.waiting, queue.delayed]).toEqual([0, 0]);
  });

  it('keeps the earliest of a time that moves and a delay', async () => {
    const { clock, queue } = begin();
    const from = clock.monotonicMs();
    queue.addAt('early', () => from + 100);
    queue.addAfter('early', 500);
    queue.addAt('late', () => from + 500);
    queue.addAfter('late', 100);
    await clock.advance(100);
    expect(drain(queue).sort()).toEqual(['early', 'late']);
    await clock.advance(1000);
    expect([drain(queue), clock.waiting]).toEqual([[], 0]);
  });

  it('waits longer after each failure, per key, until forgotten', async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue({ clock, retryMaxMs: 60 });
    expect([1, 2, 3, 4, 5, 6].map(() => queue.addRateLimited('a'))).toEqual([5, 10, 20, 40, 60, 60]);
    expect(queue.addRateLimited('b')).toBe(5);
    expect(queue.addRateLimited('b', 1000)).toBe(1000);
    expect(queue.failures('a')).toBe(6);
    queue.forget('a');
    expect(queue.addRateLimited('a')).toBe(5);
    queue.shutDown();
  });

  it('reaches 1000 seconds by default', () => {
    const { queue } = begin();
    let delay = 0;
    for (let i = 0; i < 40; i++) delay = queue.addRateLimited('a');
    expect(delay).toBe(1_000_000);
    queue.shutDown();
  });

  it('shuts down: no more adds, what is ready can be taken, no timer stays', async () => {
    const { clock, queue } = begin();
    queue.add('a');
    queue.addAfter('b', 100);
    queue.shutDown();
    queue.add('c');
    queue.addAfter('c', 1);
    expect(clock.waiting).toBe(0);
    expect([await queue.next(), await queue.next()]).toEqual(['a', undefined]);
    const empty = begin().queue;
    const taker = empty.next();
    empty.shutDown();
    expect(await taker).toBe(undefined);
  });

  it('never loses a key, never works on one twice at once', async () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('add'), key: fc.nat(3), ms: fc.constant(0) }),
      fc.record({ what: fc.constant('after'), key: fc.nat(3), ms: fc.nat(50) }),
      fc.record({ what: fc.constantFrom('take', 'done'), key: fc.nat(3), ms: fc.constant(0) }),
      fc.record({ what: fc.constant('time'), key: fc.constant(0), ms: fc.nat(30) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { clock, queue } = begin();
        const held = new Set<string>();
        /** Added since it was last taken: must be handed out again. */
        const owed = new Set<string>();
        const dueMs = new Map<string, number>();
        const lapse = () => {
          for (const [key, due] of dueMs)
            if (due <= clock.monotonicMs()) {
              owed.add(key);
              dueMs.delete(key);
            }
        };
        for (const { what, key: n, ms } of steps) {
          const key = `k${n}`;
          if (what === 'add') {
            queue.add(key);
            owed.add(key);
          } else if (what === 'after') {
            queue.addAfter(key, ms);
            if (ms === 0) owed.add(key);
            else dueMs.set(key, Math.min(dueMs.get(key) ?? Infinity, clock.monotonicMs() + ms));
          } else if (what === 'take') {
            const taken = queue.take();
            if (taken === undefined) {
              for (const o of owed) expect(held.has(o)).toBe(true);
              continue;
            }
            expect(held.has(taken)).toBe(false);
            expect(owed.delete(taken)).toBe(true);
            held.add(taken);
          } else if (what === 'done') {
            queue.done(key);
            held.delete(key);
          } else {
            await clock.advance(ms);
            lapse();
          }
        }
        for (const key of held) queue.done(key);
        await clock.advance(100);
        lapse();
        await settle(1);
        expect(drain(queue).sort()).toEqual([...owed].sort());
      }),
      { numRuns: 60 },
    );
  });
});

it('counts what passes through it, as client-go does', async () => {
  const clock = new FakeClock(0);
  const registry = new MetricRegistry();
  const queue = new WorkQueue({ clock, metrics: { registry, name: 'q' } });
  const value = (name: string, labels = {}) =>
    sampleOf(registry.text(), `workqueue_${name}`, { name: 'q', ...labels });
  queue.add('a');
  queue.add('a');
  queue.add('b');
  expect([value('depth'), value('adds_total')]).toEqual([2, 2]);
  await clock.advance(2000);
  expect(queue.take()).toBe('a');
  await clock.advance(500);
  expect(queue.take()).toBe('b');
  expect([value('queue_duration_seconds_sum'), value('queue_duration_seconds_count')]).toEqual([4.5, 2]);
  await clock.advance(1500);
  expect(value('depth')).toBe(0);
  expect([value('unfinished_work_seconds'), value('longest_running_processor_seconds')]).toEqual([3.5, 2]);
  // Added while it is worked on: it waits from then on.
  queue.add('a');
  queue.addRateLimited('c');
  await clock.advance(1000);
  queue.done('a');
  queue.done('b');
  expect([value('work_duration_seconds_sum'), value('work_duration_seconds_count')]).toEqual([5.5, 2]);
  expect([value('unfinished_work_seconds'), value('longest_running_processor_seconds')]).toEqual([0, 0]);
  expect([value('retries_total'), value('adds_total'), value('depth')]).toEqual([1, 4, 2]);
  expect(queue.take()).toBe('c');
  expect(queue.take()).toBe('a');
  expect(value('queue_duration_seconds_bucket', { le: '1' })).toBe(2);
  expect(value('queue_duration_seconds_bucket', { le: '1e-06' })).toBe(0);
  // Its successor, of the same name, goes on counting.
  queue.shutDown();
  expect([value('unfinished_work_seconds'), value('depth')]).toEqual([0, 0]);
  new WorkQueue({ clock, metrics: { registry, name: 'q' } }).add('d');
  expect([value('adds_total'), value('depth')]).toEqual([5, 1]);
});
