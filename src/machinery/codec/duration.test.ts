import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { humanDuration, translateTimestampSince } from './age.ts';
import { durationError, formatDuration, parseDuration } from './duration.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

describe('durations', () => {
  it.each([
    ['0', 0],
    ['5s', 5 * second],
    ['1h30m', 90 * minute],
    ['1.5h', 90 * minute],
    ['-1.5h', -90 * minute],
    ['+5s', 5 * second],
    ['.5s', 500],
    ['5.s', 5 * second],
    ['100ms', 100],
    ['1us', 0.001],
    ['1µs', 0.001],
    ['1ns', 0.000001],
    ['1h15m30.918s', hour + 15 * minute + 30_918],
    ['9223372036s', 9223372036 * second],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    ['', 'time: invalid duration ""'],
    ['-', 'time: invalid duration "-"'],
    ['.', 'time: invalid duration "."'],
    ['s', 'time: invalid duration "s"'],
    ['3', 'time: missing unit in duration "3"'],
    ['3d', 'time: unknown unit "d" in duration "3d"'],
    ['1h 2m', 'time: unknown unit "h " in duration "1h 2m"'],
    ['99999999999h', 'time: invalid duration "99999999999h"'],
  ])('refuses %j', (text, error) => {
    expect(durationError(text)).toBe(error);
    expect(parseDuration(text)).toBeUndefined();
  });

  it.each([
    [0, '0s'],
    [1500, '1.5s'],
    [250, '250ms'],
    [0.25, '250µs'],
    [0.000001, '1ns'],
    [90 * minute, '1h30m0s'],
    [minute, '1m0s'],
    [-2 * minute, '-2m0s'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('parses what it prints', () => {
    fc.assert(
      fc.property(fc.integer(), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('ages', () => {
  it.each([
    [-2 * second, '<invalid>'],
    [-1 * second, '0s'],
    [0, '0s'],
    [119 * second, '119s'],
    [120 * second, '2m'],
    [3 * minute + 2 * second, '3m2s'],
    [10 * minute + 5 * second, '10m'],
    [179 * minute, '179m'],
    [180 * minute, '3h'],
    [3 * hour + 5 * minute, '3h5m'],
    [8 * hour + 5 * minute, '8h'],
    [47 * hour, '47h'],
    [48 * hour, '2d'],
    [51 * hour, '2d3h'],
    [8 * day + 3 * hour, '8d'],
    [729 * day, '729d'],
    [730 * day, '2y'],
    [750 * day, '2y20d'],
    [8 * 365 * day, '8y'],
  ])('%d ms → %s', (ms, text) => {
    expect(humanDuration(ms)).toBe(text);
  });

  it('counts from a timestamp', () => {
    expect(translateTimestampSince('2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1, 5))).toBe('5h');
    expect(translateTimestampSince(undefined, 0)).toBe('<unknown>');
  });
});
