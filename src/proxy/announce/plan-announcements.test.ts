import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Link } from '../../os/index.ts';
import { type Announced, nowhere, placeOnLinks, planAnnouncements } from './plan-announcements.ts';

const link = (name: string, ...addresses: string[]): Link => ({
  name,
  mtu: 1500,
  up: true,
  master: undefined,
  addresses,
});

describe('the link on which an address is asked for', () => {
  const links = [
    link('lo', '127.0.0.1/8', '::1/128'),
    link('eth0', '192.0.2.7/24', 'fd00::7/64'),
    link('eth1', '198.51.100.7/25'),
    link(nowhere, 'fe80::1/64'),
  ];
  test.each<[string, string | undefined]>([
    ['192.0.2.200', 'eth0'],
    ['198.51.100.100', 'eth1'],
    ['198.51.100.200', undefined],
    ['203.0.113.1', undefined],
    ['fd00::200', 'eth0'],
    ['fd01::200', undefined],
    ['192.0.2.7', undefined],
    ['fe80::9', undefined],
  ])('%s: %s', (address, expected) => {
    expect(placeOnLinks([address], links).map((one) => one.link)).toEqual(
      expected === undefined ? [] : [expected],
    );
  });
});

describe('what the kernel is told', () => {
  test.each<[string, string[], Announced, lines: string[], fresh: string[]]>([
    ['nothing', [], { routes: [], proxies: [] }, [], []],
    [
      'a new address',
      ['a@eth0'],
      { routes: [], proxies: [] },
      [`route replace a dev ${nowhere}`, 'neigh replace proxy a dev eth0'],
      ['a'],
    ],
    ['one that is there', ['a@eth0'], { routes: ['a'], proxies: [{ address: 'a', link: 'eth0' }] }, [], []],
    [
      'one that goes',
      [],
      { routes: ['a'], proxies: [{ address: 'a', link: 'eth0' }] },
      ['neigh del proxy a dev eth0', `route del a dev ${nowhere}`],
      [],
    ],
    [
      'one that went half-way before',
      ['a@eth0'],
      { routes: ['a'], proxies: [] },
      ['neigh replace proxy a dev eth0'],
      ['a'],
    ],
    [
      'one that is on another link now',
      ['a@eth1'],
      { routes: ['a'], proxies: [{ address: 'a', link: 'eth0' }] },
      ['neigh del proxy a dev eth0', 'neigh replace proxy a dev eth1'],
      ['a'],
    ],
    ['somebody else’s', [], { routes: [], proxies: [{ address: 'a', link: 'eth0' }] }, [], []],
  ])('%s', (_, want, have, lines, fresh) => {
    const announcements = want.map((text) => ({ address: text.split('@')[0]!, link: text.split('@')[1]! }));
    const plan = planAnnouncements(announcements, have);
    expect(plan.lines).toEqual(lines);
    expect(plan.fresh.map(({ address }) => address)).toEqual(fresh);
  });

  test('from anything to anything in one go, and others’ answers are left alone', () => {
    const announcement = fc.record({
      address: fc.constantFrom('a', 'b', 'c', 'd'),
      link: fc.constantFrom('eth0', 'eth1'),
    });
    const byAddress = { selector: ({ address }: { address: string }) => address };
    fc.assert(
      fc.property(
        fc.uniqueArray(announcement, byAddress),
        fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd')),
        fc.uniqueArray(announcement, { selector: ({ address, link: on }) => `${address} ${on}` }),
        (want, routes, proxies) => {
          const after = {
            routes: new Set(routes),
            proxies: new Set(proxies.map((p) => `${p.address}@${p.link}`)),
          };
          const others = proxies.filter(({ address }) => !routes.includes(address));
          for (const line of planAnnouncements(want, { routes, proxies }).lines) {
            const [, verb] = line.split(' ');
            const [address, on] = line.split(' dev ').map((part) => part.split(' ').at(-1));
            const set = line.startsWith('route') ? after.routes : after.proxies;
            const entry = line.startsWith('route') ? address! : `${address}@${on}`;
            if (verb === 'del') expect(set.delete(entry)).toBe(true);
            else set.add(entry);
          }
          expect([...after.routes].sort()).toEqual(want.map(({ address }) => address).sort());
          const wanted = want.map((w) => `${w.address}@${w.link}`);
          for (const entry of wanted) expect(after.proxies).toContain(entry);
          for (const { address, link: on } of others) expect(after.proxies).toContain(`${address}@${on}`);
          for (const entry of after.proxies)
            if (!wanted.includes(entry)) expect(others.map((p) => `${p.address}@${p.link}`)).toContain(entry);
        },
      ),
    );
  });
});
