import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  amountOf,
  defaultHardEviction,
  parseStatements,
  parseThresholds,
  quantityText,
  signals,
} from './signals.ts';

const none = { hard: {}, soft: {}, softGracePeriod: {}, minimumReclaim: {} };

describe('thresholds', () => {
  it('reads what flags say', () => {
    const thresholds = parseThresholds({
      hard: parseStatements('memory.available<100Mi, nodefs.available<10%,nodefs.inodesFree<0%', '<'),
      soft: parseStatements('pid.available<1k', '<'),
      softGracePeriod: parseStatements('pid.available=1m30s', '='),
      minimumReclaim: parseStatements('nodefs.available=5%,memory.available=0', '='),
    });
    expect(thresholds).toEqual([
      { signal: 'memory.available', amount: { value: 100 << 20 }, graceMs: 0, minReclaim: { value: 0 } },
      { signal: 'nodefs.available', amount: { share: 0.1 }, graceMs: 0, minReclaim: { share: 0.05 } },
      { signal: 'pid.available', amount: { value: 1000 }, graceMs: 90_000, minReclaim: undefined },
      {
        signal: 'allocatableMemory.available',
        amount: { value: 100 << 20 },
        graceMs: 0,
        minReclaim: { value: 0 },
      },
    ]);
    expect(parseThresholds({ ...none, hard: defaultHardEviction })).toHaveLength(6);
  });

  const refused: [what: string, flags: Partial<typeof none>, why: string][] = [
    ['unknown signal', { hard: { 'cpu.available': '1' } }, 'unsupported eviction signal cpu.available'],
    [
      'zero',
      { hard: { 'memory.available': '0' } },
      'eviction threshold memory.available must be positive: 0',
    ],
    [
      'too much',
      { hard: { 'memory.available': '101%' } },
      'eviction percentage threshold memory.available must be <= 100%: 101%',
    ],
    [
      'soft without grace',
      { soft: { 'memory.available': '1Gi' } },
      'grace period must be specified for the soft eviction threshold memory.available',
    ],
    [
      'no quantity',
      { hard: { 'memory.available': 'much' } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    ['no duration', { softGracePeriod: { 'memory.available': 'soon' } }, 'time: invalid duration "soon"'],
    [
      'negative reclaim',
      { minimumReclaim: { 'memory.available': '-1' } },
      'negative eviction minimum reclaim specified for memory.available',
    ],
  ];
  it.each(refused)('refuses: %s', (_, flags, why) => {
    expect(() => parseThresholds({ ...none, ...flags } as typeof none)).toThrow(why);
  });

  it('an amount is never more than the capacity when it is a share, and reads back as it was written', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...signals),
        fc.integer({ min: 1, max: 99 }),
        fc.integer({ min: 0, max: 2 ** 45 }),
        (signal, percent, capacity) => {
          const [threshold] = parseThresholds({ ...none, hard: { [signal]: `${percent}%` } });
          const amount = amountOf(threshold!.amount, capacity);
          expect(amount).toBeLessThanOrEqual(capacity);
          expect(Math.abs(amount - (capacity * percent) / 100)).toBeLessThanOrEqual(1);
          if (amount === 0) return;
          const [again] = parseThresholds({ ...none, hard: { [signal]: quantityText(signal, amount) } });
          expect(again!.amount).toEqual({ value: amount });
        },
      ),
    );
  });
});
