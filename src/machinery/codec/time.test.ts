import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalMicroTime, canonicalTime, formatMicroTime, formatTime } from './time.ts';

const lastMs = Date.parse('9999-12-31T23:59:59.999Z');

test('times are written as the platform writes them, in any order of seconds', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: lastMs, noNaN: true })), (times) => {
      for (const ms of times) {
        const iso = new Date(ms).toISOString();
        expect(formatTime(ms)).toBe(`${iso.slice(0, 19)}Z`);
        expect(formatMicroTime(ms)).toBe(`${iso.slice(0, 23)}000Z`);
      }
    }),
  );
});

test('what is written is canonical already', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: lastMs }), (ms) => {
      expect(canonicalTime(formatTime(ms))).toBe(formatTime(ms));
      expect(canonicalMicroTime(formatMicroTime(ms))).toBe(formatMicroTime(ms));
    }),
  );
});

test.each([
  ['2026-02-28T23:59:59.000001Z', '2026-02-28T23:59:59.000001Z'],
  ['2026-02-29T00:00:00.000001Z', undefined],
  ['2026-04-31T00:00:00.000001Z', undefined],
  ['2028-02-29T00:00:00.123456Z', '2028-02-29T00:00:00.123456Z'],
  ['2026-01-02T24:00:00.000001Z', undefined],
  ['2026-01-02T03:04:60.000001Z', undefined],
  ['2026-01-02T03:04:05.1234567Z', '2026-01-02T03:04:05.123456Z'],
  ['2026-01-02T03:04:05.12Z', '2026-01-02T03:04:05.120000Z'],
  ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000000Z'],
  ['2026-01-02T03:04:05.000006+01:00', '2026-01-02T02:04:05.000006Z'],
  ['2026-01-02t03:04:05.000006z', '2026-01-02T03:04:05.000006Z'],
  ['2026-01-02', undefined],
])('%s as a MicroTime is %s', (text, canonical) => {
  expect(canonicalMicroTime(text)).toBe(canonical);
});
