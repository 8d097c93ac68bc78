// Which address a server tells others, and which URL it is found at here.
import type { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { localUrl, planAdvertiseAddress } from './server-addresses.ts';

type Links = ReturnType<typeof networkInterfaces>;
const address = (text: string, internal = false) => {
  const isV6 = text.includes(':');
  const base = { address: text, netmask: '', mac: '', internal, cidr: null };
  return isV6
    ? { ...base, family: 'IPv6' as const, scopeid: 0 }
    : { ...base, family: 'IPv4' as const, scopeid: 0 };
};
const loopback = [address('127.0.0.1', true), address('::1', true)];
const links: Links = {
  lo: loopback,
  eth0: [address('fd00::5'), address('10.0.0.5')],
  eth1: [address('10.1.0.5')],
};

test.each<[string, string, Links, string]>([
  ['everywhere: the first outside one', '0.0.0.0', links, '10.0.0.5'],
  ['everywhere in both families: of IPv4 too', '::', links, '10.0.0.5'],
  ['on the loopback: an outside one', '127.0.0.1', links, '10.0.0.5'],
  ['bound to one: that', '10.1.0.5', links, '10.1.0.5'],
  ['bound to one of IPv6: that', 'fd00::5', links, 'fd00::5'],
  ['a machine without a network', '0.0.0.0', { lo: loopback }, '127.0.0.1'],
  ['a machine with IPv6 only', '::', { lo: loopback, eth0: [address('fd00::5')] }, '127.0.0.1'],
  ['links without addresses', '0.0.0.0', { eth0: undefined, eth1: [] }, '127.0.0.1'],
])('what is advertised: %s', (_, bindAddress, machine, expected) => {
  expect(planAdvertiseAddress(bindAddress, machine)).toBe(expected);
});

test.each([
  ['0.0.0.0', 'https://127.0.0.1:6443'],
  ['::', 'https://127.0.0.1:6443'],
  ['127.0.0.2', 'https://127.0.0.2:6443'],
  ['fd00::5', 'https://[fd00::5]:6443'],
])('the URL of a server that listens on %s', (bindAddress, expected) => {
  expect(localUrl(bindAddress, 6443)).toBe(expected);
});
