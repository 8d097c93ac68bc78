import { afterEach, beforeEach, expect, test } from 'vitest';
import { announcedByAnnotation, Service } from '../../api/index.ts';
import { FakeClock, Scope, seededRandom, silentLog } from '../../base/index.ts';
import { type Client, createClient, createInformers } from '../../client/index.ts';
import { FakeExec } from '../../os/index.ts';
import { FakeTransport } from '../../testkit/index.ts';
import { startLinkAnnouncer } from './link-announcer.ts';
import { nowhere } from './plan-announcements.ts';

let clock: FakeClock;
let scope: Scope;
let client: Client;
let exec: FakeExec;
/** What a kernel would have of it. */
let routes: string[];
let proxies: { dst: string; dev: string }[];
let links: object[];
let hastened: string[];

beforeEach(() => {
  clock = new FakeClock();
  scope = new Scope(silentLog);
  client = createClient(new FakeTransport({ clock, random: seededRandom(1) }), 'test');
  exec = new FakeExec();
  routes = [];
  proxies = [];
  hastened = [];
  links = [{ ifname: 'eth0', mtu: 1500, flags: ['UP'], addr_info: [{ local: '192.0.2.7', prefixlen: 24 }] }];
  exec.answer(/address show/, () => ({ stdout: JSON.stringify(links) }));
  exec.answer(/-4 route show/, () => ({ stdout: JSON.stringify(routes.map((dst) => ({ dst }))) }));
  exec.answer(/-4 neigh show proxy/, () => ({ stdout: JSON.stringify(proxies) }));
});
afterEach(() => scope.stop());

function start(): void {
  const informers = createInformers(client, { scope, log: silentLog, clock, random: seededRandom(2) });
  const kernel = { prepareLink: (link: string) => void hastened.push(link) };
  const announcer = startLinkAnnouncer({ informers, nodeName: 'n1', kernel, exec, clock, log: silentLog });
  scope.onStop(() => announcer.stop());
}

async function put(name: string, by: string, ip: string): Promise<void> {
  await client(Service).create({
    metadata: { name, namespace: 'ns', annotations: { [announcedByAnnotation]: by } },
    spec: { type: 'LoadBalancer' },
  } as never);
  await client(Service).patch({ name, namespace: 'ns', subresource: 'status' }, 'merge', {
    status: { loadBalancer: { ingress: [{ ip }] } },
  });
}
/** The lines for `ip -batch` since the last call. */
const told = () => {
  const lines = exec.ran.flatMap((text) =>
    text.startsWith('ip -batch') ? text.split('\n< ')[1]!.trim().split('\n') : [],
  );
  const tellings = exec.ran.filter((text) => text.startsWith('arping'));
  exec.ran.length = 0;
  return [...lines, ...tellings];
};

test('a node answers for what names it, tells the neighbours, and stops when it names another', async () => {
  await put('a', 'n1', '192.0.2.200');
  await put('b', 'n2', '192.0.2.201');
  start();
  await clock.advance(1000);
  expect(told()).toEqual([
    `link add name ${nowhere} type bridge forward_delay 0 stp_state 0`,
    `link set ${nowhere} up`,
    `route replace 192.0.2.200 dev ${nowhere}`,
    'neigh replace proxy 192.0.2.200 dev eth0',
    'arping -U -c 2 -w 2 -I eth0 192.0.2.200',
  ]);
  expect(hastened).toEqual(['eth0']);
  links.push({ ifname: nowhere, addr_info: [] });
  routes = ['192.0.2.200'];
  proxies = [{ dst: '192.0.2.200', dev: 'eth0' }];
  for (const name of ['a', 'b'])
    await client(Service).patch({ name, namespace: 'ns' }, 'merge', {
      metadata: { annotations: { [announcedByAnnotation]: name === 'a' ? 'n2' : 'n1' } },
    });
  await clock.advance(1000);
  expect(told()).toEqual([
    'neigh del proxy 192.0.2.200 dev eth0',
    `route del 192.0.2.200 dev ${nowhere}`,
    `route replace 192.0.2.201 dev ${nowhere}`,
    'neigh replace proxy 192.0.2.201 dev eth0',
    'arping -U -c 2 -w 2 -I eth0 192.0.2.201',
  ]);
});

test('what an agent before this one announced goes, what somebody removed is made again', async () => {
  links.push({ ifname: nowhere, addr_info: [] });
  routes = ['192.0.2.250'];
  proxies = [{ dst: '192.0.2.250', dev: 'eth0' }];
  await put('a', 'n1', '192.0.2.200');
  start();
  await clock.advance(1000);
  expect(told().slice(0, 2)).toEqual([
    'neigh del proxy 192.0.2.250 dev eth0',
    `route del 192.0.2.250 dev ${nowhere}`,
  ]);
  routes = [];
  proxies = [];
  await clock.advance(30_000);
  expect(told()).toContain('neigh replace proxy 192.0.2.200 dev eth0');
});

test('a node without such services looks once and then leaves the machine alone', async () => {
  await put('b', 'n2', '192.0.2.201');
  start();
  await clock.advance(100_000);
  expect(exec.ran).toEqual(['ip -json address show']);
});

test('what does not work is tried again', async () => {
  exec.answer(/-batch/, { code: 1, stderr: 'no' });
  await put('a', 'n1', '192.0.2.200');
  start();
  await clock.advance(500);
  exec.answer(/-batch/, {});
  await clock.advance(1000);
  expect(told().filter((line) => line.startsWith('arping'))).toHaveLength(1);
});
