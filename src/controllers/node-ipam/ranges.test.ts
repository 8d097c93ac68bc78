import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NodeRanges, PodRanges } from './ranges.ts';

test('gives the first free range, again when it is released, and none when all are taken', () => {
  const ranges = new PodRanges('10.244.0.0/22', 24);
  ranges.take('10.244.1.0/24');
  expect([ranges.next(), ranges.next(), ranges.next(), ranges.next()]).toEqual([
    '10.244.0.0/24',
    '10.244.2.0/24',
    '10.244.3.0/24',
    undefined,
  ]);
  ranges.release('10.244.2.0/24');
  expect(ranges.next()).toBe('10.244.2.0/24');
});

test('the base is the start of the range, whatever address names it', () => {
  expect(new PodRanges('10.244.77.9/16', 24).next()).toBe('10.244.0.0/24');
});

test.each([
  ['a wider range', '10.244.0.0/23', '10.244.2.0/24'],
  ['a narrower range', '10.244.0.128/25', '10.244.1.0/24'],
  ['a range elsewhere', '192.168.0.0/24', '10.244.0.0/24'],
  ['no IPv4 range', 'fd00::/64', '10.244.0.0/24'],
  ['the whole range and more', '10.0.0.0/8', undefined],
])('%s that is taken', (_, taken, expected) => {
  const ranges = new PodRanges('10.244.0.0/22', 24);
  ranges.take(taken);
  expect(ranges.next()).toBe(expected);
});

test.each([
  ['10.0.0.0/16', 8],
  ['10.0.0.0/16', 33],
  ['10.0.0/16', 24],
  ['10.0.0.300/16', 24],
  ['fd00::/64', 96],
  ['fd00::/64', 63],
])('%s cannot be cut into /%d', (cidr, mask) => {
  expect(() => new PodRanges(cidr, mask)).toThrow(RangeError);
});

test('never gives a range twice', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(20))), (steps) => {
      const ranges = new PodRanges('10.0.0.0/20', 24);
      const out: string[] = [];
      for (const step of steps) {
        if (step === null) {
          const cidr = ranges.next();
          expect(cidr === undefined).toBe(out.length === 16);
          if (cidr !== undefined) {
            expect(out).not.toContain(cidr);
            out.push(cidr);
          }
        } else if (out.length > 0) ranges.release(out.splice(step % out.length, 1)[0]!);
      }
    }),
  );
});

test('IPv6 ranges are cut as well', () => {
  const ranges = new PodRanges('fd00:10:244::/62', 64);
  ranges.take('fd00:10:244:1::/64');
  ranges.take('10.0.0.0/8');
  expect([ranges.next(), ranges.next(), ranges.next(), ranges.next()]).toEqual([
    'fd00:10:244::/64',
    'fd00:10:244:2::/64',
    'fd00:10:244:3::/64',
    undefined,
  ]);
});

test('a node gets a range of each family, or none', () => {
  const masks = { IPv4: 24, IPv6: 64 };
  const ranges = new NodeRanges('10.0.0.0/22,fd00::/63', masks);
  const first = ranges.next();
  expect(first).toEqual(['10.0.0.0/24', 'fd00::/64']);
  expect(ranges.next()).toEqual(['10.0.1.0/24', 'fd00:0:0:1::/64']);
  expect(ranges.next()).toBeUndefined();
  ranges.release(first!);
  expect(ranges.next()).toEqual(first);
  expect(() => new NodeRanges('10.0.0.0/22,10.1.0.0/22', masks)).toThrow(RangeError);
});

test('what is reserved is nobody’s, even when a node that had of it goes', () => {
  const ranges = new NodeRanges('10.0.0.0/22,fd00::/62', { IPv4: 24, IPv6: 64 });
  ranges.reserve(['10.0.0.0/23', ' fd00:0:0:1::/112', '192.168.0.0/16']);
  const first = ranges.next();
  expect(first).toEqual(['10.0.2.0/24', 'fd00::/64']);
  ranges.take(['10.0.1.0/24']);
  ranges.release(['10.0.1.0/24', ...first!]);
  expect(ranges.next()).toEqual(first);
  expect(ranges.next()).toEqual(['10.0.3.0/24', 'fd00:0:0:2::/64']);
  expect(ranges.next()).toBeUndefined();
});
