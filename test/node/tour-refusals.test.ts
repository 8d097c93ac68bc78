// Wrong input, missing things and interruptions as a user meets them: a clear message, an exit code, and nothing left behind.
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../src/os/index.ts';
import { kill, killAll, processesOf } from './cluster-processes.ts';
import { bundle, run, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cluster = new TourCluster('jt-refusals');
const badArchive = join(cluster.directory, 'no-archive.tar');
const upArgv = (...args: string[]) => cluster.argv('up', '--kubeconfig', cluster.kubeconfig, ...args);

const controlPlane = () => processesOf('jt-refusals/control-plane');
const endControlPlane = () => killAll(controlPlane);

beforeAll(async () => {
  writeFileSync(badArchive, 'this is no archive');
  if (why === undefined) await cluster.down();
});
afterAll(async () => {
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

describe.skipIf(why !== undefined)('without a cluster', () => {
  afterEach(() => expect(cluster.traces(['jt-refusals'])).toEqual([]));

  test('not root', async () => {
    // A user namespace that maps nobody: the process may read what root may, and is not root.
    const { code, err } = await run(['unshare', '--user', ...upArgv()]);
    expect(err).toMatch(
      /^jotasu: "jotasu up" makes namespaces, .* must be run as root: sudo \S*jotasu up\nWithout root there are simulated nodes/,
    );
    expect(err).toContain('server --simulate-nodes 3 --data-dir');
    expect(code).toBe(1);
  });

  test('a missing package, when none may be installed', async () => {
    const nft = findProgram('nft', `${process.env['PATH']}:/usr/sbin`)!;
    // In a mount namespace of its own nft is no program.
    const hidden = ['unshare', '--mount', 'sh', '-c', `mount --bind /dev/null ${nft} && exec "$@"`, 'sh'];
    const { code, err } = await run([...hidden, ...upArgv('--no-install')]);
    expect(err).toBe(
      'jotasu: this machine lacks nft, and --no-install was given. To install: apt-get install nftables\n',
    );
    expect(code).toBe(1);
  });

  test.each([
    [['down'], /^jotasu: there is no cluster jt-refusals on this machine/],
    [['status'], /^jotasu: there is no cluster jt-refusals on this machine/],
    [['node', 'kill', 'x'], /^jotasu: there is no cluster jt-refusals on this machine/],
    [['image', 'load', badArchive], /^jotasu: there is no cluster jt-refusals on this machine/],
    [['up', '--image', badArchive], /^jotasu: \/.*\/no-archive\.tar: .*archive/],
    [['up', '--image', '/no/such/file.tar'], /^jotasu: \/no\/such\/file\.tar: /],
    [['up', '--data-dir', '/etc/jotasu'], /^jotasu: \/etc\/jotasu is no place for data\n$/],
    [['up', '--nodes', '-1'], /--nodes/],
    [['up', '--node', '2'], /unknown option '--node'/],
    [['uo'], /unknown command 'uo'\n\(Did you mean up\?\)/],
  ])('%j', async (args, message) => {
    const { code, err } = await cluster.refused(...args);
    expect(err).toMatch(message);
    expect(code).toBeGreaterThan(0);
    expect(err).not.toMatch(/\n {4}at /);
  });

  test('Ctrl-C in the middle of up', async () => {
    const { code, out, err } = await run(upArgv('--nodes', '2'), {
      onOutput: (text, kill) => {
        if (text.includes('  server https://')) kill('SIGINT');
      },
    });
    expect(err).toBe('jotasu: interrupted\nNothing was left behind.\n');
    expect(out).toContain('Starting cluster jt-refusals with 2 nodes.\n');
    expect(code).toBe(130);
  });

  test('a server that is killed with its supervisor in the middle of up', async () => {
    const { code, err } = await run(upArgv('--nodes', '2'), {
      onOutput: (text) => {
        if (text.includes('  server https://')) kill(controlPlane());
      },
    });
    expect(err).toMatch(/^jotasu: the server ended; the end of \/.*\/server\.log:\n/);
    expect(err).toMatch(/Nothing was left behind\.\n$/);
    expect(code).toBe(1);
  });

  test('a busy port: server', async () => {
    const { port, close } = await occupy(0);
    const dataDir = join(cluster.directory, 'server');
    const { code, err } = await run([
      process.execPath,
      bundle,
      'server',
      `--data-dir=${dataDir}`,
      `--https-listen-port=${port}`,
    ]);
    await close();
    expect(err).toMatch(
      new RegExp(`^jotasu: cannot listen on 0\\.0\\.0\\.0:${port}: another program uses this port$`, 'm'),
    );
    expect(err).not.toMatch(/\n {4}at /);
    expect(code).toBe(1);
  });
});

describe.skipIf(why !== undefined)('with a cluster', () => {
  beforeAll(async () => {
    await cluster.up('--nodes', '1');
  });

  test('a second up finds everything as it was', async () => {
    const out = await cluster.up();
    expect(out).toContain('Cluster jt-refusals is running; checking its parts.\n');
    expect(out).toContain('Cluster jt-refusals is running: https://');
    expect(out).not.toMatch(/ \d+\.\d s$/m);
  });

  test.each([
    [
      ['node', 'kill', 'nosuch'],
      /^jotasu: cluster jt-refusals has no node nosuch; it has jt-refusals-node-1\n$/,
    ],
    [
      ['node', 'start', 'nosuch'],
      /^jotasu: cluster jt-refusals has no node nosuch; it has jt-refusals-node-1\n$/,
    ],
    [
      ['node', 'add', 'jt-refusals-node-1'],
      /^jotasu: cluster jt-refusals has a node jt-refusals-node-1 already\n$/,
    ],
    [['node', 'add', 'Upper'], /Must be at most 63 lower-case letters, digits and dashes/],
    [
      ['up', '--data-dir', '/srv/other'],
      /^jotasu: the data of cluster jt-refusals are in \/var\/lib\/jotasu\/jt-refusals,/,
    ],
    [['image', 'load', badArchive], /^jotasu: \/.*\/no-archive\.tar: .*archive/],
    [['image', 'load', '/no/such/file.tar'], /^jotasu: \/no\/such\/file\.tar: /],
    [['image', 'load', badArchive, '--nodes', 'nosuch'], /^jotasu: cluster jt-refusals has no node nosuch/],
  ])('%j', async (args, message) => {
    const { code, err } = await cluster.refused(...args);
    expect(err).toMatch(message);
    expect(code).toBeGreaterThan(0);
    expect(err).not.toMatch(/\n {4}at /);
  });

  test('a second up with fewer nodes', async () => {
    await cluster.up('--nodes', '2');
    const { err } = await cluster.refused('up', '--nodes', '1');
    expect(err).toBe('jotasu: cluster jt-refusals has 2 nodes; "jotasu node remove" takes one away\n');
    await cluster.jotasu('node', 'remove', 'jt-refusals-node-2');
  });

  test('up when its port was taken meanwhile keeps the data', async () => {
    const port = Number(/:(\d+)\n/.exec(await cluster.jotasu('status'))![1]);
    await cluster.kubectl('create', 'configmap', 'kept');
    await endControlPlane();
    const { close } = await occupy(port);
    const { err } = await cluster.refused('up');
    await close();
    expect(err).toMatch(new RegExp(`^jotasu: port ${port} is in use by another program`));
    await cluster.up();
    expect(await cluster.kubectl('get', 'configmap', 'kept', '-o', 'name')).toBe('configmap/kept\n');
  });

  test('up when the server cannot start says why and keeps the data', async () => {
    await endControlPlane();
    const key = '/var/lib/jotasu/jt-refusals/server/pki/ca.key';
    copyFileSync(key, `${key}.good`);
    writeFileSync(key, 'rubbish');
    const { err } = await cluster.refused('up');
    expect(err).toMatch(/^jotasu: the server ended; the end of \/.*\/server\.log:\n/);
    copyFileSync(`${key}.good`, key);
    rmSync(`${key}.good`);
    await cluster.up();
    expect(await cluster.kubectl('get', 'configmap', 'kept', '-o', 'name')).toBe('configmap/kept\n');
  });
});

async function occupy(port: number): Promise<{ port: number; close: () => Promise<void> }> {
  // The cluster's agents try to talk to it.
  const server: Server = createServer((socket) => socket.destroy());
  await new Promise<void>((done, reject) => server.once('error', reject).listen(port, '0.0.0.0', done));
  return {
    port: (server.address() as { port: number }).port,
    close: () => new Promise((done) => server.close(() => done())),
  };
}
