import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIp } from '../../machinery/index.ts';
import { AddressRange, dnsServiceIps, firstServiceIp, parseRanges } from './address-range.ts';

it.each([
  ['10.0.0.0/29', 6n, '10.0.0.1', '10.0.0.6'],
  ['10.96.7.3/12', 1048574n, '10.96.0.1', '10.111.255.254'],
  ['fd00::/126', 3n, 'fd00::1', 'fd00::3'],
])('%s has %s addresses from %s to %s', (cidr, size, first, last) => {
  const range = new AddressRange(cidr);
  expect([range.size, range.at(0n), range.at(size - 1n)]).toEqual([size, first, last]);
});

it('gives exactly what it counts', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 8, max: 30 }), fc.nat(), (ip, bits, n) => {
      const range = new AddressRange(`${ip}/${bits}`);
      const at = (offset: bigint) => parseIp(range.at(offset))!;
      const inside = at(BigInt(n) % range.size);
      expect([range.spans(inside), range.gives(inside)]).toEqual([true, true]);
      expect([range.spans(at(-1n)), range.gives(at(-1n))]).toEqual([true, false]);
      expect([range.spans(at(range.size)), range.gives(at(range.size))]).toEqual([true, false]);
    }),
  );
});

describe('ranges of a cluster', () => {
  it('are one, or one of each family', () => {
    expect(parseRanges('10.96.0.0/16, fd00::/112').map((r) => r.cidr)).toEqual([
      '10.96.0.0/16',
      'fd00::/112',
    ]);
    expect(firstServiceIp('fd00:10:96::/112,10.96.0.0/12')).toBe('fd00:10:96::1');
    expect(dnsServiceIps('fd00:10:96::/112,10.96.0.0/12')).toEqual(['fd00:10:96::a', '10.96.0.10']);
    expect(dnsServiceIps('10.96.0.0/29')).toEqual([]);
  });
  it.each([
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/31',
    '10.0.0.300/24',
    '',
    '10.0.0.0/8,',
    '10.0.0.0/8,11.0.0.0/8',
  ])('not %j', (text) => expect(() => parseRanges(text)).toThrow());
});
