import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { describe, expect, test } from 'vitest';
import { WireMemory } from './wire-memory.ts';

interface Collection extends PerformanceEntry {
  readonly detail: { readonly kind: number };
}

const mebibyte = 1024 * 1024;

function counted() {
  let marked = 0;
  return { memory: new WireMemory(() => void marked++), marked: () => marked };
}

describe('wire memory', () => {
  test('a buffer has just its own memory, of which V8 is not told', () => {
    const buffer = new WireMemory().allocate(10);
    expect([buffer.length, buffer.byteOffset, buffer.buffer.byteLength]).toEqual([10, 0, 10]);
    expect(buffer.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  test.each([
    { held: 0, marked: 8 },
    { held: 64, marked: 8 },
    { held: 128, marked: 4 },
    { held: 500, marked: 1 },
    { held: 600, marked: 0 },
  ])('of a store that holds $held MiB, 256 MiB of writes have the heap marked $marked times', (row) => {
    const { memory, marked } = counted();
    memory.hold(row.held * mebibyte);
    for (let i = 0; i < 1024; i++) memory.allocate(mebibyte / 4);
    expect(marked()).toBe(row.marked);
  });

  test('what goes is no longer held', () => {
    const { memory, marked } = counted();
    memory.hold(600 * mebibyte);
    memory.hold(-600 * mebibyte);
    for (let i = 0; i < 128; i++) memory.allocate(mebibyte / 4);
    expect(marked()).toBe(1);
  });

  test('V8 marks when it is asked', async () => {
    let marked = false;
    const observer = new PerformanceObserver((list) => {
      const kinds = list.getEntries().map((entry) => (entry as Collection).detail.kind);
      marked ||= kinds.some((kind) => kind !== constants.NODE_PERFORMANCE_GC_MINOR);
    });
    observer.observe({ entryTypes: ['gc'] });
    const memory = new WireMemory();
    // Once is not always enough: V8 does not count what lived when it marked last, and an asking that is dead may have been among that.
    await expect
      .poll(() => {
        if (!marked) memory.allocate(32 * mebibyte);
        return marked;
      })
      .toBe(true);
    observer.disconnect();
  });
});
