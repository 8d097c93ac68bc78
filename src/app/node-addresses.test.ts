// The addresses of a node that was not told.
import type { NetworkInterfaceInfo } from 'node:os';
import { expect, test } from 'vitest';
import { addressTowards, planNodeIps } from './node-addresses.ts';

const on = (address: string, more: Partial<NetworkInterfaceInfo> = {}): NetworkInterfaceInfo =>
  ({
    address,
    family: address.includes(':') ? 'IPv6' : 'IPv4',
    internal: false,
    ...more,
  }) as NetworkInterfaceInfo;

const links = {
  lo: [on('127.0.0.1', { internal: true }), on('::1', { internal: true })],
  other: [on('fd00:9::9')],
  eth0: [on('10.0.0.2'), on('fe80::2'), on('fd00::2'), on('fd00::3')],
};
const both = '10.244.0.0/16,fd00:10:244::/56';

test.each([
  ['pods of one family', '10.0.0.2', '10.244.0.0/16', ['10.0.0.2']],
  ['pods of both', '10.0.0.2', both, ['10.0.0.2', 'fd00::2']],
  ['a server that is reached by IPv6', 'fd00::3', both, ['fd00::3', '10.0.0.2']],
  ['a link with no other', 'fd00:9::9', both, ['fd00:9::9']],
  ['no link of that address', '192.0.2.1', both, ['192.0.2.1']],
  ['loopback', '127.0.0.1', both, ['127.0.0.1']],
])('%s', (_, first, ranges, want) => expect(planNodeIps(first, ranges, links)).toEqual(want));

test.each([
  ['https://127.0.0.1:6443', '127.0.0.1'],
  ['https://[::1]', '::1'],
])('the address towards %s', async (server, want) => expect(await addressTowards([server])).toBe(want));
