import { describe, expect, test } from 'vitest';
import { WireMemory } from './wire-memory.ts';

const counted = (buffer: Buffer) => buffer.buffer instanceof ArrayBuffer;

describe('wire memory', () => {
  test('a buffer has just its own memory', () => {
    for (const memory of [new WireMemory(1000), new WireMemory(0)]) {
      memory.hold(1);
      const buffer = memory.allocate(10);
      expect([buffer.length, buffer.byteOffset, buffer.buffer.byteLength]).toEqual([10, 0, 10]);
    }
  });

  test('up to the limit V8 is told of everything', () => {
    const memory = new WireMemory(1000);
    memory.hold(1000);
    for (let i = 0; i < 100; i++) expect(counted(memory.allocate(50))).toBe(true);
  });

  test.each([
    { held: 2_000, bytes: 500_000 },
    { held: 10_000, bytes: 100_000 },
    { held: 1_000_000, bytes: 1_000 },
  ])(
    'of a store that holds $held, it is told of the limit each time as much was written',
    ({ held, bytes }) => {
      const memory = new WireMemory(1000);
      memory.hold(held);
      let told = 0;
      // Sizes as they come: small and large ones are counted alike.
      for (let written = 0, i = 0; written < 1_000_000; i++) {
        const size = 20 + ((i * 37) % 80);
        if (counted(memory.allocate(size))) told += size;
        written += size;
      }
      expect(told).toBeGreaterThan(bytes - 100);
      expect(told).toBeLessThan(bytes + 100);
    },
  );

  test('what goes is no longer held', () => {
    const memory = new WireMemory(1000);
    memory.hold(5_000);
    expect(counted(memory.allocate(10))).toBe(false);
    memory.hold(-4_500);
    expect(counted(memory.allocate(10))).toBe(true);
  });
});
