// An address of a load balancer that is nobody's own: nodes of a cluster on this machine answer for it on their link, and this machine,
// which is on that link too, is the client.
import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mustRun, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot('arping');
const cluster = new TourCluster('jt-announce');
let server: Server;

beforeAll(async () => {
  if (why !== undefined) return;
  server = createServer((_, answer) => answer.end('here'));
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done));
  await cluster.up('--nodes', '2', '--servicelb-pool', 'auto');
});
afterAll(async () => {
  if (why === undefined) {
    await cluster.down();
    await new Promise((done) => server.close(done));
  }
  rmSync(cluster.directory, { recursive: true });
});

/** This machine on the link of the nodes. */
async function gateway(): Promise<string> {
  const nodes = await cluster.json<{ items: { status: { addresses: { address: string }[] } }[] }>(
    'get',
    'nodes',
  );
  const network = nodes.items[0]!.status.addresses[0]!.address.replace(/\d+$/, '');
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  return own.find((address) => address.startsWith(network))!;
}

interface Seen {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly status: { readonly loadBalancer: { readonly ingress?: readonly { readonly ip: string }[] } };
}
const seen = () => cluster.json<Seen>('get', 'service', 'outside');
const announcer = async () => (await seen()).metadata.annotations?.['servicelb.jotasu.dev/announced-by'];
/** The addresses for which a node stands in. */
const standsIn = async (node: string): Promise<string[]> =>
  JSON.parse(
    (await mustRun([
      'nsenter',
      `--net=/run/jotasu/${cluster.name}/${node}.netns`,
      'ip',
      '-json',
      'neigh',
      'show',
      'proxy',
    ])) || '[]',
  ).map(({ dst }: { dst: string }) => dst);

const ask = (url: string) =>
  fetch(url, { signal: AbortSignal.timeout(2_000), keepalive: false }).then(
    (answer) => answer.text(),
    () => 'no answer',
  );

describe.skipIf(why !== undefined)('a pool of addresses', () => {
  test('one node answers for an address, another when it is powered off, and the first no more when it is back', async () => {
    await cluster.apply(
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'outside' },
        spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'outside', labels: { 'kubernetes.io/service-name': 'outside' } },
        addressType: 'IPv4',
        ports: [{ port: (server.address() as AddressInfo).port }],
        endpoints: [{ addresses: [await gateway()] }],
      },
    );
    await expect.poll(announcer, { timeout: 20_000 }).toMatch(/^jt-announce-node-/);
    const first = (await announcer())!;
    const ip = (await seen()).status.loadBalancer.ingress![0]!.ip;
    expect(ip).toMatch(/\.200$/);
    await expect.poll(() => ask(`http://${ip}/`), { timeout: 20_000 }).toBe('here');
    expect(await standsIn(first)).toEqual([ip]);
    expect(await cluster.kubectl('describe', 'service', 'outside')).toMatch(
      new RegExp(`nodeAssigned .*announcing from node "${first}" with protocol "layer2"`),
    );
    // The address leads to the service alone: the programs of the node do not answer at it.
    await expect(
      fetch(`https://${ip}:10250/healthz`, { signal: AbortSignal.timeout(10_000) }),
    ).rejects.toThrow();

    await cluster.jotasu('node', 'kill', first);
    await expect.poll(announcer, { timeout: 60_000 }).not.toBe(first);
    await expect.poll(() => ask(`http://${ip}/`), { timeout: 60_000 }).toBe('here');
    await cluster.jotasu('node', 'start', first);
    await expect.poll(() => standsIn(first), { timeout: 30_000 }).toEqual([]);
    expect(await ask(`http://${ip}/`)).toBe('here');
  });
});
