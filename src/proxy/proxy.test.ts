import { afterEach, beforeEach, expect, test } from 'vitest';
import { EndpointSlice, Node, Service, ServiceCIDR } from '../api/index.ts';
import { FakeClock, MetricRegistry, Scope, seededRandom, settle, silentLog } from '../base/index.ts';
import { type Client, createClient, createInformers } from '../client/index.ts';
import { FakeExec } from '../os/index.ts';
import { FakeTransport } from '../testkit/index.ts';
import { type ServiceProxy, startServiceProxy } from './proxy.ts';
import { buildService, buildSlice } from './proxy-fixture.ts';

let clock: FakeClock;
let client: Client;
let exec: FakeExec;
let scope: Scope;
let proxy: ServiceProxy | undefined;
let metrics: MetricRegistry;

beforeEach(() => {
  clock = new FakeClock();
  const transport = new FakeTransport({ clock, random: seededRandom(1) });
  client = createClient(transport);
  exec = new FakeExec();
  scope = new Scope(silentLog);
  metrics = new MetricRegistry();
});

afterEach(async () => {
  await proxy?.stop();
  await scope.stop();
});

async function start(): Promise<void> {
  proxy = startServiceProxy({
    informers: createInformers(client, { scope, log: silentLog, clock }),
    nodeName: 'n1',
    nodeIps: ['192.0.2.1'],
    podCidrs: ['10.244.0.0/16'],
    presentAddresses: () => ['192.0.2.1'],
    kernel: {
      probeProtocols: async () => ['tcp', 'udp'],
      ensureBridgeSeen: async () => true,
      prepareConntrack: () => ({ dropInvalid: true }),
    },
    metrics,
    exec,
    clock,
    log: silentLog,
  });
  await pass(20);
  await proxy.ready;
}

/** Lets time go by in small steps, so that whatever waits in between has its turn. */
async function pass(ms: number): Promise<void> {
  for (let i = 0; i < 8; i++) {
    clock.advance(ms / 8);
    await settle();
  }
}

const transactions = (): string[] =>
  exec.ran.filter((line) => line.startsWith('nft -f -')).map((line) => line.slice('nft -f -\n< '.length));

test('what is there at the start is one replacement; a change is what differs, many are one', async () => {
  await client(Service).create(buildService('a', {}));
  await client(EndpointSlice).create(buildSlice('a', ['10.244.1.1']));
  await start();
  expect(transactions()).toHaveLength(1);
  expect(transactions()[0]).toContain('delete table ip jotasu-proxy');
  expect(transactions()[0]).toContain('10.96.0.1 . 80 . 0 : 10.244.1.1 . 8080');
  await client(EndpointSlice).delete('a-4', 'ns');
  await client(EndpointSlice).create(buildSlice('a', ['10.244.1.2']));
  await pass(100);
  expect(transactions().slice(1)).toEqual([
    `delete element ip jotasu-proxy endpoints-tcp { 10.96.0.1 . 80 . 0 }
add element ip jotasu-proxy endpoints-tcp { 10.96.0.1 . 80 . 0 : 10.244.1.2 . 8080 }
`,
  ]);
  expect(metrics.text()).toContain('kubeproxy_sync_proxy_rules_endpoint_changes_total 3');
});

test('what this kernel asks for is in the table', async () => {
  await start();
  expect(transactions()[0]).toContain('filter-forward ct state invalid drop\n');
});

test('the ranges of services are followed', async () => {
  await start();
  expect(transactions().at(-1)).not.toContain('cluster-ips-check ip daddr 10.');
  await client(ServiceCIDR).create({ metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/16'] } });
  await pass(100);
  expect(transactions().at(-1)).toContain('cluster-ips-check ip daddr 10.96.0.0/16 drop\n');
  await client(ServiceCIDR).delete('kubernetes');
  await pass(100);
  expect(transactions().at(-1)).not.toContain('cluster-ips-check ip daddr 10.');
});

test('after a failure everything is made anew', async () => {
  await client(Service).create(buildService('a', {}));
  await start();
  let failures = 0;
  exec.answer(/^nft -f/, () => ({ code: failures++ === 0 ? 1 : 0, stderr: 'no' }));
  await client(EndpointSlice).create(buildSlice('a', ['10.244.1.1']));
  await pass(3_000);
  const [, failed, again] = transactions();
  expect(failed).not.toContain('delete table');
  expect(again).toContain('delete table ip jotasu-proxy');
  expect(again).toContain('10.96.0.1 . 80 . 0 : 10.244.1.1 . 8080');
});

test('a table that somebody removed comes back', async () => {
  exec.answer(/^nft list tables/, { stdout: 'table ip jotasu-node\ntable ip jotasu-proxy\n' });
  await start();
  await pass(31_000);
  expect(transactions()).toHaveLength(1);
  exec.answer(/^nft list tables/, { stdout: 'table ip jotasu-node\n' });
  await pass(31_000);
  expect(transactions().length).toBeGreaterThan(1);
  expect(transactions().at(-1)).toContain('delete table ip jotasu-proxy');
});

test('flows to a UDP endpoint that is gone are removed after the rules have changed, and none at the start', async () => {
  const ports = [{ name: '', port: 53, protocol: 'UDP' }];
  await client(Service).create(buildService('dns', { ports }));
  await client(EndpointSlice).create(buildSlice('dns', ['10.244.1.1', '10.244.1.2'], ports));
  await start();
  expect(exec.ran.filter((line) => line.startsWith('conntrack -D'))).toEqual([]);
  await client(EndpointSlice).patch({ name: 'dns-4', namespace: 'ns' }, 'merge', {
    endpoints: [{ addresses: ['10.244.1.2'] }],
  });
  await pass(100);
  const [changed, removed] = exec.ran.slice(-2);
  expect(changed).toContain('nft -f -');
  expect(removed).toBe(
    'conntrack -D -f ipv4 -p udp --orig-dst 10.96.0.1 --orig-port-dst 53 --reply-src 10.244.1.1 --reply-port-src 53',
  );
});

test('hints are followed when the node learns its zone', async () => {
  await client(Node).create({ metadata: { name: 'n1' }, spec: {} });
  await client(Service).create(buildService('a', {}));
  await client(EndpointSlice).create(
    buildSlice('a', [
      { address: '10.244.1.1', zones: ['z1'] },
      { address: '10.244.2.2', zones: ['z2'] },
    ]),
  );
  await start();
  expect(transactions()[0]).toContain('goto spread-tcp-2');
  await client(Node).patch({ name: 'n1' }, 'merge', {
    metadata: { labels: { 'topology.kubernetes.io/zone': 'z2' } },
  });
  await pass(100);
  expect(transactions().at(-1)).toContain('10.96.0.1 . 80 . 0 : 10.244.2.2 . 8080');
});
