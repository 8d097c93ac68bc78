// A node that was told of one of two servers on one etcd, with containers: the server it speaks to is killed, and later one of them stands
// still, as a machine does that nobody reaches. Neither is to be noticed at the node.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { whyNoEtcd } from '../../src/testkit/index.ts';
import { JoinMachines } from './join-machines.ts';
import { busyboxImage, mustRun, root, whyNot } from './tour-machine.ts';

const why = whyNot() ?? whyNoEtcd();
const port = 18311;
const node = 'fail-a';
const addresses = { server: '10.90.1.2', 'server-b': '10.90.1.3' } as const;
type Server = keyof typeof addresses;
const machines = new JoinMachines([
  { name: 'server', address: addresses.server, link: 'a' },
  { name: 'server-b', address: addresses['server-b'], link: 'a' },
  { name: node, address: '10.90.2.2', link: 'b' },
]);
const patient = { interval: 200 };
const archive = join(machines.directory, 'busybox.tar');
const url = (name: Server) => `https://${addresses[name]}:${port}`;
const kubeconfig = (name: Server) => join(machines.directory, `${name}.kubeconfig`);
const kubectl = (at: Server, ...args: string[]) =>
  machines.kubectlOn(at, '--kubeconfig', kubeconfig(at), ...args);
const json = async <T>(at: Server, ...args: string[]): Promise<T> =>
  JSON.parse(await kubectl(at, ...args, '-o', 'json')) as T;

let etcd = '';
const startServer = (name: Server, ...more: string[]) =>
  machines.startServer(
    [
      `--data-dir=${join(machines.directory, name)}`,
      `--https-listen-port=${port}`,
      `--advertise-address=${addresses[name]}`,
      `--write-kubeconfig=${kubeconfig(name)}`,
      `--datastore-endpoint=etcd=${etcd}`,
      '--cluster-cidr=10.91.0.0/16',
      // Twice what is usual, and more than twice what it takes: on a machine with much else to do all are late.
      '--node-monitor-grace-period=4s',
      ...more,
    ],
    name,
  );

interface Node {
  readonly spec: { readonly taints?: readonly object[] };
  readonly status: {
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime: string;
    }[];
  };
}
/** Whether it is ready, since when, and what keeps pods from it: what must not change. */
async function standing(at: Server): Promise<unknown> {
  const { spec, status } = await json<Node>(at, 'get', 'node', node);
  const ready = status.conditions.find(({ type }) => type === 'Ready');
  return { status: ready?.status, since: ready?.lastTransitionTime, taints: spec.taints };
}
const endpoints = async (at: Server) =>
  (await kubectl(at, 'get', 'endpoints', 'kubernetes', '-o', 'jsonpath={.subsets[*].addresses[*].ip}')).split(
    ' ',
  );

async function runs(at: Server, name: string): Promise<void> {
  const file = join(machines.directory, `${name}.json`);
  const container = {
    name: 'c',
    image: busyboxImage,
    command: ['sh', '-c', `echo I am ${name}; sleep 3600`],
  };
  const spec = { terminationGracePeriodSeconds: 0, containers: [container] };
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }));
  await kubectl(at, 'create', '-f', file);
  await expect
    .poll(() => kubectl(at, 'get', 'pod', name, '-o', 'jsonpath={.status.phase}'), patient)
    .toBe('Running');
  await expect.poll(() => kubectl(at, 'logs', name), patient).toBe(`I am ${name}\n`);
  expect(await kubectl(at, 'exec', name, '--', 'echo', 'here')).toBe('here\n');
}

beforeAll(async () => {
  if (why !== undefined) return;
  await machines.make();
  etcd = await machines.startEtcd();
  await Promise.all([
    mustRun([process.execPath, join(root, 'tools/busybox-image.mjs'), archive]),
    // The first to be there leads: it judges nodes, and is not the one that is lost first.
    startServer('server'),
  ]);
  await startServer('server-b', `--token-file=${join(machines.directory, 'server/token')}`);
});
afterAll(async () => {
  if (why === undefined) await machines.clear();
});

describe.skipIf(why !== undefined)('a node of two servers', () => {
  const known = () => JSON.parse(readFileSync(join(machines.stateDir(node), 'servers.json'), 'utf8'));

  /** Where requests go now, and where they went before. */
  const lastLeft = (): string[] => {
    const changes = [...machines.log(node).matchAll(/going on with another server=(\S+) left=(\S+)/g)];
    return changes.at(-1)?.slice(1) ?? [];
  };
  const newToken = async (): Promise<string> => {
    const { out } = await machines.jotasu('server', [
      'token',
      'create',
      '--kubeconfig',
      kubeconfig('server'),
    ]);
    return out.trim().split('\n').at(-1)!;
  };

  test('a server with other ranges is refused', async () => {
    const said = await machines.jotasu('server-b', [
      'server',
      `--data-dir=${join(machines.directory, 'server-c')}`,
      '--https-listen-port=18312',
      `--token-file=${join(machines.directory, 'server/token')}`,
      `--datastore-endpoint=etcd=${etcd}`,
      '--cluster-cidr=10.92.0.0/16',
    ]);
    expect(said.code).not.toBe(0);
    expect(said.err).toContain(
      '--cluster-cidr is 10.92.0.0/16, and the cluster was founded with 10.91.0.0/16',
    );
  });

  test('is told of one, and learns of the other', async () => {
    await machines.startAgent(node, [`--server=${url('server-b')}`, `--token=${await newToken()}`]);
    await machines.loadImage(node, archive);
    await expect.poll(known, patient).toEqual([url('server'), url('server-b')]);
    await expect.poll(() => standing('server'), patient).toMatchObject({ status: 'True' });
    await runs('server', 'before');
  });

  test('does not notice that its server is killed', async () => {
    const before = await standing('server');
    const killedMs = Date.now();
    machines.kill('server-b');
    await runs('server', 'after');
    while (Date.now() - killedMs < 6000) expect(await standing('server')).toEqual(before);
    await expect.poll(() => endpoints('server'), patient).toEqual([addresses.server]);
    expect(Date.now() - killedMs).toBeLessThan(40_000);
    await expect.poll(() => lastLeft(), patient).toEqual([url('server'), url('server-b')]);
  });

  test('does not notice that its server stands still, and finds the one that came back', async () => {
    await startServer('server-b');
    await expect.poll(() => endpoints('server-b'), patient).toEqual(Object.values(addresses));
    await expect.poll(known, patient).toEqual([url('server'), url('server-b')]);
    const before = await standing('server-b');
    const pausedMs = Date.now();
    machines.pause('server');
    try {
      await runs('server-b', 'meanwhile');
      // It led: the other one judges nodes after the Lease of 4 s.
      while (Date.now() - pausedMs < 9000) expect(await standing('server-b')).toEqual(before);
      await expect.poll(() => lastLeft(), patient).toEqual([url('server-b'), url('server')]);
    } finally {
      machines.resume('server');
    }
    await expect.poll(() => endpoints('server'), patient).toEqual(Object.values(addresses));
    await expect.poll(known, patient).toEqual([url('server'), url('server-b')]);
  });

  test('does not notice that its server ends in order, and starts again while that one is away', async () => {
    const before = await standing('server');
    await machines.stop('server-b');
    await expect.poll(() => endpoints('server'), patient).toEqual([addresses.server]);
    const stoppedMs = Date.now();
    while (Date.now() - stoppedMs < 5000) expect(await standing('server')).toEqual(before);
    await expect.poll(() => lastLeft(), patient).toEqual([url('server'), url('server-b')]);
    await machines.restartAgent(node, [`--server=${url('server-b')}`]);
    await expect.poll(() => standing('server'), patient).toMatchObject({ status: 'True' });
    await runs('server', 'again');
  });
});
