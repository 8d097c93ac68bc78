import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ExpiryQueue } from './expiry-queue.ts';

test('gives out what is due, earliest first', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100)), fc.nat(100), (times, nowMs) => {
      const queue = new ExpiryQueue();
      times.forEach((dueMs, revision) => void queue.add({ dueMs, key: `/${revision}`, revision }));
      const taken: number[] = [];
      for (let due = queue.takeDue(nowMs); due !== undefined; due = queue.takeDue(nowMs))
        taken.push(due.dueMs);
      expect(taken).toEqual(times.filter((t) => t <= nowMs).sort((a, b) => a - b));
      expect(queue.nextDueMs).toBe(Math.min(...times.filter((t) => t > nowMs)));
    }),
  );
});
