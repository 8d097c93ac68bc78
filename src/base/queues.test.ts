import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backoff, backoffMs } from './backoff.ts';
import { Heap } from './heap.ts';
import { RingQueue } from './ring-queue.ts';

describe('Heap', () => {
  it('gives back what went in, least first', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (numbers) => {
        const heap = new Heap<number>((a, b) => a < b);
        for (const n of numbers) heap.push(n);
        expect(heap.size).toBe(numbers.length);
        const out = numbers.map(() => heap.pop());
        expect(out).toEqual([...numbers].sort((a, b) => a - b));
        expect([heap.pop(), heap.peek(), heap.size]).toEqual([undefined, undefined, 0]);
      }),
    );
  });

  it('holds its order through mixed pushes and pops', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer(), { freq: 3 })), (steps) => {
        const heap = new Heap<number>((a, b) => a < b);
        let model: number[] = [];
        for (const step of steps) {
          if (step === null) {
            model.sort((a, b) => a - b);
            expect(heap.peek()).toBe(model[0]);
            expect(heap.pop()).toBe(model[0]);
            model = model.slice(1);
          } else {
            heap.push(step);
            model.push(step);
          }
        }
      }),
    );
  });
});

describe('RingQueue', () => {
  it('is first in, first out, whatever its size was', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer(), { freq: 2 }), { maxLength: 200 }), (steps) => {
        const queue = new RingQueue<number>(2);
        const model: number[] = [];
        for (const step of steps) {
          if (step === null) expect(queue.shift()).toBe(model.shift());
          else {
            queue.push(step);
            model.push(step);
          }
          expect([queue.size, queue.peek()]).toEqual([model.length, model[0]]);
        }
      }),
    );
  });
});

describe('Backoff', () => {
  it('doubles to its limit and starts again after a reset', () => {
    const backoff = new Backoff({ initialMs: 100, maxMs: 1000 });
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.nextMs())).toEqual([100, 200, 400, 800, 1000, 1000]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(100);
  });

  it('adds jitter on top', () => {
    const random = { next: () => 0.5, uuid: () => '' };
    expect(new Backoff({ initialMs: 100, maxMs: 1000, jitter: 0.5, random }).nextMs()).toBe(125);
  });

  it('stays at its limit for any number of failures', () => {
    expect(backoffMs(5000, { initialMs: 5, maxMs: 1_000_000 })).toBe(1_000_000);
  });
});
