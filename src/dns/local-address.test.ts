import { expect, test } from 'vitest';
import { planAddresses, planSilence } from './local-address.ts';
import { parseServers } from './resolv-conf.ts';

test('addresses that are missing are added', () => {
  expect(planAddresses(['10.96.0.10', 'fd00:96::a'], ['127.0.0.1/8'])).toEqual([
    'address add 10.96.0.10/32 dev lo scope host',
    'address add fd00:96::a/128 dev lo nodad',
  ]);
  expect(planAddresses(['10.96.0.10'], ['127.0.0.1/8', '10.96.0.10/32', '192.0.2.1/32'])).toEqual([]);
});

test('a closed port is kept silent about', () => {
  expect(planSilence(['10.96.0.10', 'fd00:96::a'])).toBe(
    `add table inet jotasu-dns
delete table inet jotasu-dns
table inet jotasu-dns {
  chain output {
    type filter hook output priority filter; policy accept;
    ip saddr 10.96.0.10 icmp type destination-unreachable drop
    ip6 saddr fd00:96::a icmpv6 type destination-unreachable drop
  }
}
`,
  );
});

test.each<[string, string, readonly string[]]>([
  ['in their order', 'nameserver 192.0.2.1\n  nameserver\t192.0.2.2 # second\n', ['192.0.2.1', '192.0.2.2']],
  ['twice is once', 'nameserver 192.0.2.1\nnameserver 192.0.2.1\n', ['192.0.2.1']],
  ['never ourselves', 'nameserver 10.96.0.10\nnameserver FD00:96:0::a\nnameserver fd00::1\n', ['fd00::1']],
  ['what is no address', 'nameserver dns.example\nnameserver\nsearch x\n;nameserver 192.0.2.3\n', []],
])('name servers: %s', (_, text, addresses) => {
  expect(parseServers(text, ['10.96.0.10', 'fd00:96::a']).map(({ address }) => address)).toEqual(addresses);
});
