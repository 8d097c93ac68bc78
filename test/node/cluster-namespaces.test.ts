// The parts that nodes of this machine are made of, on the real kernel: a bridge with two network namespaces on it, a mount
// namespace, cgroups, nftables. Made, used, killed, and removed without a trace.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/index.ts';
import {
  applyLinks,
  applyRuleset,
  type CgroupLayout,
  CommandError,
  cgroupExists,
  cutLink,
  ensureCgroup,
  ensureNetns,
  identifyProcess,
  inNetns,
  isAlive,
  isPinned,
  joinFiles,
  killCgroup,
  leafOf,
  listProcesses,
  planBridge,
  planCommandInGroups,
  planInside,
  planNodeCommand,
  planTable,
  planVeth,
  readCgroupLayout,
  readLinks,
  readMountsBelow,
  readRoutes,
  removeCgroup,
  removeEmptyParents,
  removeLink,
  removeNetns,
  removeTable,
  stopProcess,
  systemExec,
  tableExists,
} from '../../src/os/index.ts';

const exec = systemExec;
const layout = readCgroupLayout();
// A range, names and a cgroup that no cluster uses.
const bridge = 'jtstest0';
const range = '10.89.255';
const group = '/jotasu-test/nodes';
const table = 'jotasu-test';
const directory = mkdtempSync(join(tmpdir(), 'jotasu-nodes-'));
const nodes = [1, 2].map((number) => ({
  name: `test-node-${number}`,
  link: `${bridge}n${number}`,
  address: `${range}.${number + 1}`,
  netns: join(directory, 'netns', `${number}`),
  group: `${group}/test-node-${number}`,
  own: join(directory, `own-${number}`),
}));
const [first, second] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];

const facts = async () => ({
  links: (await readLinks(exec)).map((link) => link.name).filter((name) => name.startsWith(bridge)),
  routes: (await readRoutes(exec)).filter((route) => route.destination.startsWith(range)),
  mounts: readMountsBelow(directory),
  cgroups: cgroupExists(layout, '/jotasu-test'),
  table: await tableExists(exec, 'ip', table),
});
const nothing = { links: [], routes: [], mounts: [], cgroups: false, table: false };

async function tearDown(): Promise<void> {
  for (const node of nodes) {
    await killCgroup(layout, node.group, systemClock);
    await removeLink(exec, node.link);
    await removeNetns(exec, node.netns);
  }
  await removeCgroup(layout, group, systemClock);
  removeEmptyParents(layout, group);
  await removeLink(exec, bridge);
  await removeTable(exec, 'ip', table);
}

const ping = async (from: (typeof nodes)[0], to: string): Promise<boolean> =>
  (await exec.run(inNetns(from.netns, ['busybox', 'ping', '-c', '1', '-W', '1', to]), { mayFail: true }))
    .code === 0;

/** A tree of processes of which some have left their parents, as containers' do. */
const tree = 'sleep 1000 & (setsid sh -c "sleep 1000 & sleep 1000" &) ; exec sleep 1000';

beforeAll(tearDown);
afterAll(async () => {
  await tearDown();
  rmSync(directory, { recursive: true });
});

describe.skipIf(layout.unified === undefined)('the v2 tree', () => {
  // As on a machine that has nothing else; on a hybrid one the tree has few controllers, but the same rules.
  const v2: CgroupLayout = { mode: 'v2', legacy: [], unified: layout.unified };
  const read = (path: string) => readFileSync(join(layout.unified!, path), 'utf8').trim();
  let before = '';
  beforeAll(() => {
    before = read('cgroup.subtree_control');
  });
  afterAll(async () => {
    await killCgroup(v2, '/jotasu-test', systemClock);
    await removeCgroup(v2, '/jotasu-test', systemClock);
    for (const name of read('cgroup.subtree_control').split(' '))
      if (name !== '' && !before.split(' ').includes(name))
        writeFileSync(join(layout.unified!, 'cgroup.subtree_control'), `-${name}`);
  });

  test('hands its controllers down to a group, whose processes are in a leaf', async () => {
    const parent = `${group}/v2-node`;
    ensureCgroup(v2, leafOf(parent));
    ensureCgroup(v2, leafOf(parent));
    expect(read(`${parent}/cgroup.subtree_control`)).toBe(read('cgroup.controllers'));
    expect(read(`${leafOf(parent)}/cgroup.subtree_control`)).toBe('');
    const command = planCommandInGroups(joinFiles(v2, leafOf(parent)), ['sh', '-c', tree]);
    const { pid } = await exec.spawnDetached(command, { logFile: join(directory, 'v2.log') });
    await expect.poll(() => listProcesses(v2, parent).length).toBeGreaterThanOrEqual(4);
    expect(listProcesses(v2, parent)).toContain(pid);
    expect(await killCgroup(v2, parent, systemClock)).toBeGreaterThanOrEqual(4);
    await removeCgroup(v2, parent, systemClock);
    removeEmptyParents(v2, parent);
    expect(cgroupExists(v2, '/jotasu-test')).toBe(false);
  });

  test('a parent that holds processes, as the root of a container does, moves them aside', async () => {
    // Not the real root: a group that stands for it.
    const root = join(layout.unified!, 'jotasu-test/root');
    ensureCgroup(v2, '/jotasu-test/root');
    const command = planCommandInGroups([join(root, 'cgroup.procs')], ['sleep', '1000']);
    const { pid } = await exec.spawnDetached(command, { logFile: join(directory, 'v2.log') });
    await expect.poll(() => read('jotasu-test/root/cgroup.procs')).toBe(String(pid));
    ensureCgroup({ ...v2, unified: root }, '/a/b');
    const controllers = read('jotasu-test/root/cgroup.controllers');
    expect(read('jotasu-test/root/a/cgroup.subtree_control')).toBe(controllers);
    if (controllers !== '') expect(read('jotasu-test/root/init/cgroup.procs')).toBe(String(pid));
  });
});

describe('two nodes on a bridge', () => {
  const pids = new Map<string, number>();

  test('are made', async () => {
    expect(await facts()).toEqual(nothing);
    await applyLinks(exec, planBridge({ name: bridge, address: `${range}.1/24`, mtu: 1400 }));
    for (const node of nodes) {
      mkdirSync(node.own);
      writeFileSync(join(node.own, 'mark'), node.name);
      const target = join(directory, 'shared');
      mkdirSync(target, { recursive: true });
      ensureCgroup(layout, leafOf(node.group));
      await ensureNetns(exec, node.netns);
      await ensureNetns(exec, node.netns);
      const peerNamespace = node.netns;
      await applyLinks(
        exec,
        planVeth({ name: node.link, bridge, mtu: 1400, peerNamespace, peerName: 'eth0' }),
      );
      const address = `${node.address}/24`;
      await applyLinks(exec, planInside({ link: 'eth0', address, gateway: `${range}.1` }), node.netns);
      const command = planNodeCommand(
        {
          joins: joinFiles(layout, leafOf(node.group)),
          netns: node.netns,
          mounts: {
            hostname: node.name,
            binds: [[node.own, target]],
            hidden: ['/run'],
            folders: ['/run/netns'],
            unmounted: layout.mode === 'hybrid' ? [layout.unified!] : [],
            resolver: undefined,
            released: ['/run', join(directory, 'netns')],
            settings: [['/proc/sys/net/ipv4/ip_forward', '1']],
          },
        },
        ['sh', '-c', tree],
      );
      const logFile = join(directory, `${node.name}.log`);
      pids.set(node.name, (await exec.spawnDetached(command, { logFile })).pid);
      await expect
        .poll(() => (existsSync(logFile) ? listProcesses(layout, node.group).length : 0))
        .toBeGreaterThanOrEqual(4);
      expect(readFileSync(logFile, 'utf8')).toBe('');
    }
  });

  test('see each other and this machine', async () => {
    await expect.poll(() => ping(first, second.address)).toBe(true);
    await expect.poll(() => ping(second, first.address)).toBe(true);
    await expect.poll(() => ping(first, `${range}.1`)).toBe(true);
    const link = (await readLinks(exec)).find(({ name }) => name === first.link);
    expect(link).toMatchObject({ up: true, master: bridge, mtu: 1400 });
  });

  test('have host names and files of their own', async () => {
    for (const node of nodes) {
      const inside = async (...argv: string[]) =>
        (
          await exec.run([
            'nsenter',
            '-t',
            String(pids.get(node.name)),
            '--mount',
            '--uts',
            '--net',
            '--',
            ...argv,
          ])
        ).stdout;
      await expect.poll(() => inside('cat', join(directory, 'shared/mark'))).toBe(node.name);
      expect(await inside('uname', '-n')).toBe(`${node.name}\n`);
      await expect.poll(() => inside('ls', '/run')).toBe('netns\n');
      expect(await inside('cat', '/proc/sys/net/ipv4/ip_forward')).toBe('1\n');
      // Whoever gets hold of a node's /dev/null has not the machine's.
      await expect
        .poll(() => inside('sh', '-c', 'chmod 600 /dev/null && stat -c %a,%t,%T /dev/null'))
        .toBe('600,1,3\n');
      expect(statSync('/dev/null').mode & 0o777).toBe(0o666);
      const mounts = await inside('cat', '/proc/self/mounts');
      for (const other of nodes) expect(mounts).not.toContain(` ${other.netns} `);
      if (layout.mode === 'hybrid') expect(mounts).not.toContain(' cgroup2 ');
    }
    expect(existsSync(join(directory, 'shared/mark'))).toBe(false);
  });

  test('a table is replaced as a whole', async () => {
    for (const port of [1, 2])
      await applyRuleset(exec, planTable('ip', table, [`  chain c { tcp dport ${port} accept; }`]));
    const { stdout } = await exec.run(['nft', 'list', 'table', 'ip', table]);
    expect(stdout).toContain('dport 2 ');
    expect(stdout).not.toContain('dport 1 ');
    await expect(applyRuleset(exec, 'add rule ip nowhere c accept\n')).rejects.toThrow(CommandError);
  });

  test('a kill ends every process of a node and of no other', async () => {
    const mine = identifyProcess(pids.get(first.name)!)!;
    const others = listProcesses(layout, second.group);
    const beganMs = systemClock.monotonicMs();
    const cut = cutLink(exec, first.link);
    expect(await killCgroup(layout, first.group, systemClock)).toBeGreaterThanOrEqual(4);
    await cut;
    const tookMs = systemClock.monotonicMs() - beganMs;
    expect(listProcesses(layout, first.group)).toEqual([]);
    expect(isAlive(mine)).toBe(false);
    expect(listProcesses(layout, second.group)).toEqual(others);
    // 100 ms is the promise; a machine busy with others gets some more.
    expect(tookMs).toBeLessThan(5_000);
    expect(await ping(second, first.address)).toBe(false);
    expect(await killCgroup(layout, first.group, systemClock)).toBe(0);
  });

  test('a process that ignores SIGTERM is ended all the same, and its number is not taken for another', async () => {
    const logFile = join(directory, 'stubborn.log');
    const { pid } = await exec.spawnDetached(['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'], {
      logFile,
    });
    const identity = identifyProcess(pid)!;
    expect(isAlive({ ...identity, startTicks: identity.startTicks - 1 })).toBe(false);
    expect(isAlive({ ...identity, bootId: 'another' })).toBe(false);
    await stopProcess(identity, 200, systemClock);
    expect(isAlive(identity)).toBe(false);
  });

  test('are removed without a trace, twice', async () => {
    await tearDown();
    expect(await facts()).toEqual(nothing);
    for (const node of nodes) expect(isPinned(node.netns)).toBe(false);
    await tearDown();
    expect(await facts()).toEqual(nothing);
  });
});
