import { describe, expect, test } from 'vitest';
import { silentLog } from '../base/index.ts';
import { FakeExec } from '../os/index.ts';
import { Conntrack, parseFlows, planStaleAtStart, planStaleFlows } from './conntrack.ts';
import { proxyHealthAnswer, serviceHealthAnswer } from './health-checks.ts';
import { type ConntrackSettings, prepareConntrack, probeProtocols } from './kernel.ts';
import { chooseNodePortAddresses } from './node-port-addresses.ts';
import type { DatagramFrontend } from './plan-service.ts';

const frontend = (address: string, port: number, ...endpoints: string[]): DatagramFrontend => ({
  family: 'ip',
  address,
  port,
  endpoints: new Set(endpoints),
});

describe('flows of UDP', () => {
  const lines = (changes: Parameters<typeof planStaleFlows>[0]) =>
    planStaleFlows(changes).map((command) => command.join(' '));
  const at = '-D -f ipv4 -p udp --orig-dst 10.96.0.1 --orig-port-dst 53';
  const a = frontend('10.96.0.1', 53, '10.244.1.1 . 53');
  const none = frontend('10.96.0.1', 53);
  test.each<[string, DatagramFrontend | undefined, DatagramFrontend | undefined, string[]]>([
    [
      'an endpoint went',
      frontend('10.96.0.1', 53, 'x . 1', 'y . 1'),
      frontend('10.96.0.1', 53, 'y . 1'),
      [`${at} --reply-src x --reply-port-src 1`],
    ],
    ['the last one went', a, none, [`${at} --reply-src 10.244.1.1 --reply-port-src 53`]],
    ['the service went', a, undefined, [`${at} --reply-src 10.244.1.1 --reply-port-src 53`]],
    ['the first one came', none, a, [at]],
    ['a service came with endpoints', undefined, a, [at]],
    ['one more', a, frontend('10.96.0.1', 53, '10.244.1.1 . 53', 'y . 1'), []],
    ['a service came without', undefined, none, []],
    [
      'a node port',
      frontend('', 30001, 'x . 1'),
      undefined,
      ['-D -f ipv4 -p udp --orig-port-dst 30001 --reply-src x --reply-port-src 1'],
    ],
  ])('%s', (_, was, is, expected) => expect(lines([{ was, is }])).toEqual(expected));

  test('at the start: those that go elsewhere than the rules say', () => {
    const flows = parseFlows(
      [
        'udp 17 29 src=10.244.1.9 dst=10.96.0.1 sport=5000 dport=53 src=10.244.1.1 dst=10.244.1.9 sport=53 dport=5000 [ASSURED] mark=0 use=1',
        'udp 17 29 src=10.244.1.9 dst=10.96.0.1 sport=5001 dport=53 src=10.244.7.7 dst=10.244.1.9 sport=53 dport=5001 mark=0 use=1',
        'udp 17 9 src=10.244.1.9 dst=10.96.0.1 sport=5002 dport=53 [UNREPLIED] src=10.96.0.1 dst=10.244.1.9 sport=53 dport=5002 mark=0 use=1',
        'udp 17 9 src=10.244.1.9 dst=8.8.8.8 sport=5002 dport=53 [UNREPLIED] src=8.8.8.8 dst=10.244.1.9 sport=53 dport=5002 mark=0 use=1',
        'udp 17 9 src=203.0.113.1 dst=192.0.2.1 sport=5002 dport=30001 src=10.244.7.7 dst=192.0.2.1 sport=53 dport=5002 mark=0 use=1',
        'tcp 6 broken line',
      ].join('\n'),
    );
    expect(flows).toHaveLength(5);
    const commands = planStaleAtStart(
      flows,
      [a, frontend('', 30001, '10.244.1.1 . 53')],
      new Set(['192.0.2.1']),
    );
    expect(commands.map((command) => command.join(' '))).toEqual([
      `${at} --reply-src 10.244.7.7 --reply-port-src 53`,
      at,
      '-D -f ipv4 -p udp --orig-port-dst 30001 --reply-src 10.244.7.7 --reply-port-src 53',
    ]);
  });

  test('of IPv6, at the start', () => {
    const flows = parseFlows(
      'udp 17 29 src=fd00:5::9 dst=fd00:10:96::a sport=5000 dport=53 [UNREPLIED] src=fd00:5::7 dst=fd00:5::9 sport=5353 dport=5000 mark=0 use=1',
    );
    const six: DatagramFrontend = { ...frontend('fd00:10:96::a', 53, 'fd00:5::1 . 5353'), family: 'ip6' };
    expect(planStaleAtStart(flows, [six], new Set()).map((command) => command.join(' '))).toEqual([
      '-D -f ipv6 -p udp --orig-dst fd00:10:96::a --orig-port-dst 53 --reply-src fd00:5::7 --reply-port-src 5353',
    ]);
  });

  test('nothing to remove is no failure', async () => {
    const exec = new FakeExec().answer(/^conntrack -D/, {
      code: 1,
      stderr: '0 flow entries have been deleted.',
    });
    await new Conntrack(exec, silentLog).remove([['-D', '-p', 'udp']]);
    expect(exec.ran).toEqual(['conntrack -D -p udp']);
  });
});

describe('health', () => {
  test.each([
    [2, true, 200],
    [0, true, 503],
    [2, false, 503],
  ])('of a service with %i endpoints here, proxy works: %s', (localEndpoints, healthy, status) => {
    const answer = serviceHealthAnswer({ namespace: 'ns', name: 'a', localEndpoints }, healthy);
    expect(answer.status).toBe(status);
    expect(answer.headers['x-load-balancing-endpoint-weight']).toBe(String(localEndpoints));
    expect(JSON.parse(answer.body)).toEqual({
      service: { namespace: 'ns', name: 'a' },
      localEndpoints,
      serviceProxyHealthy: healthy,
    });
  });

  test.each([
    ['/healthz', true, true, 200],
    ['/healthz', true, false, 503],
    ['/livez', true, false, 200],
    ['/livez', false, true, 503],
  ])('%s, works: %s, stays: %s', (path, healthy, nodeEligible, status) => {
    const times = { lastUpdated: '2026-01-01T00:00:00.000Z', currentTime: '2026-01-01T00:00:01.000Z' };
    const answer = proxyHealthAnswer(path, { ...times, healthy, nodeEligible });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({ ...times, nodeEligible });
  });
});

test.each([
  [undefined, ['192.0.2.1']],
  [['primary'], ['192.0.2.1']],
  [['0.0.0.0/0'], undefined],
  [['198.51.100.0/24', '127.0.0.0/8'], ['198.51.100.7']],
])('node ports answer at %j', (ranges, expected) =>
  expect(
    chooseNodePortAddresses(ranges, ['192.0.2.1'], ['127.0.0.1', '192.0.2.1', '198.51.100.7', 'fe80::1']),
  ).toEqual(expected),
);

test('a kernel without SCTP is one without SCTP', async () => {
  const exec = new FakeExec();
  expect(await probeProtocols(exec, 'ip', silentLog)).toEqual(['tcp', 'udp', 'sctp']);
  let tries = 0;
  exec.answer(/^nft -c/, () => ({ code: tries++ === 0 ? 1 : 0 }));
  expect(await probeProtocols(exec, 'ip', silentLog)).toEqual(['tcp', 'udp']);
});

describe('how long connections are remembered', () => {
  const kernel = (at: Record<string, string>, readOnly: readonly string[] = []) => {
    const settings: ConntrackSettings = {
      read: (name) => at[name],
      write(name, value) {
        if (readOnly.includes(name)) throw new Error(`EACCES: ${name}`);
        at[name] = value;
      },
    };
    return { at, ...prepareConntrack(settings, silentLog) };
  };
  const established = 'nf_conntrack_tcp_timeout_established';
  const closeWait = 'nf_conntrack_tcp_timeout_close_wait';

  test('is as by kube-proxy', () =>
    expect(kernel({ [established]: '432000', [closeWait]: '60' }).at).toEqual({
      [established]: '86400',
      [closeWait]: '3600',
    }));

  test('stays where it cannot be set', () =>
    expect(kernel({ [established]: '432000', [closeWait]: '60' }, [established]).at).toEqual({
      [established]: '432000',
      [closeWait]: '3600',
    }));

  test('is not asked of a kernel without such settings', () => expect(kernel({}).at).toEqual({}));

  test.each([
    [undefined, true],
    ['0', true],
    ['1', false],
  ])('with nf_conntrack_tcp_be_liberal %s, invalid packets are dropped: %s', (liberal, dropInvalid) =>
    expect(kernel(liberal === undefined ? {} : { nf_conntrack_tcp_be_liberal: liberal })).toMatchObject({
      dropInvalid,
    }),
  );
});
