import fc from 'fast-check';
import { expect, it } from 'vitest';
import { checkIp, checkNonSpecialIp, parseCidr, parseIp, warnCidr, warnIp } from './addresses.ts';

it.each([
  ['10.9.8.7', 'IPv4', '10.9.8.7'],
  ['010.009.8.7', 'IPv4', '10.9.8.7'],
  ['::ffff:1.2.3.4', 'IPv4', '1.2.3.4'],
  ['2001:DB8:0::ffff', 'IPv6', '2001:db8::ffff'],
  ['::1', 'IPv6', '::1'],
])('reads %s', (text, family, canonical) => {
  expect(parseIp(text)).toMatchObject({ family, text: canonical });
});

it.each(['', '1', '1.2.3', '1.2.3.256', '0x1.2.3.4', '1.2.3.4/8', 'fe80::1%eth0', ':', '1::2::3', 'a.b.c.d'])(
  'refuses %s',
  (text) => {
    expect(checkIp(text)).toEqual(['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']);
  },
);

it.each([
  ['10.1.2.3/16', '10.1.0.0/16'],
  ['10.1.2.3/12', '10.0.0.0/12'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['2001:db8::5/64', '2001:db8::/64'],
  ['::ffff:10.0.0.1/104', '10.0.0.0/8'],
])('range of %s', (text, network) => expect(parseCidr(text)?.network).toBe(network));

it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/a', '/8', '::/129'])('no range: %s', (text) =>
  expect(parseCidr(text)).toBeUndefined(),
);

it('names special addresses', () => {
  expect(checkNonSpecialIp('127.0.0.1')).toEqual(['may not be in the loopback range (127.0.0.0/8, ::1/128)']);
  expect(checkNonSpecialIp('0.0.0.0')).toEqual(['may not be unspecified (0.0.0.0)']);
  expect(checkNonSpecialIp('169.254.1.1')).toHaveLength(1);
  expect(checkNonSpecialIp('fe80::1')).toHaveLength(1);
  expect(checkNonSpecialIp('224.0.0.5')).toHaveLength(1);
  expect(checkNonSpecialIp('10.0.0.1')).toEqual([]);
});

it('warns of unusual forms', () => {
  expect(warnIp('p', '10.0.0.1')).toEqual([]);
  expect(warnIp('p', '010.0.0.1')).toEqual([
    'p: non-standard IP address "010.0.0.1" will be considered invalid in a future Kubernetes release: use "10.0.0.1"',
  ]);
  expect(warnIp('p', '2001:DB8::1')).toEqual([
    'p: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
  ]);
  expect(warnCidr('p', '10.0.0.1/8')).toEqual([
    'p: CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)',
  ]);
});

it('reads what it writes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const ip = parseIp(text);
      expect(ip).toBeDefined();
      expect(parseIp(ip!.text)).toEqual(ip);
    }),
  );
});
