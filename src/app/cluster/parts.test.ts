// Steps with undoing, the state on disk, the lock, packages: on fakes and temporary directories.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import { CommandFailure } from '../../cli/index.ts';
import { FakeExec } from '../../os/index.ts';
import { lockDirectory } from './lock.ts';
import { runSteps, type Step } from './progress.ts';
import { ensurePackages, needRoot } from './requirements.ts';
import {
  type ClusterState,
  listClusters,
  makeDataDir,
  makeDirectories,
  needState,
  readState,
  StateHolder,
  writeState,
} from './state.ts';

let directory: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'jotasu-cluster-')));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('runSteps', () => {
  /** Steps that note what happens to them. */
  function noted(outcomes: Record<string, 'made' | 'there' | Error>, bad?: string) {
    const notes: string[] = [];
    const steps: Step[] = Object.entries(outcomes).map(([title, outcome]) => ({
      title,
      ensure: async () => {
        notes.push(title);
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
      undo: async () => {
        notes.push(`undo ${title}`);
        if (title === bad) throw new Error('stuck');
      },
    }));
    const said: string[] = [];
    const abort = new AbortController();
    const run = () =>
      runSteps(steps, {
        clock: new FakeClock(),
        say: (line) => said.push(line.trim()),
        signal: abort.signal,
      });
    return { notes, said, abort, run };
  }

  test('in order, with what each did', async () => {
    const { notes, said, run } = noted({ a: 'made', b: 'there' });
    expect(await run()).toEqual({ made: 1 });
    expect(notes).toEqual(['a', 'b']);
    expect(said.map((line) => line.replace(/\s+/g, ' '))).toEqual(['a 0.0 s', 'b as it was']);
  });

  test('a failure undoes what this run made, itself included, last first', async () => {
    const { notes, run } = noted({ a: 'made', b: 'there', c: 'made', d: new Error('no'), e: 'made' });
    await expect(run()).rejects.toThrow('no');
    expect(notes).toEqual(['a', 'b', 'c', 'd', 'undo d', 'undo c', 'undo a']);
  });

  test('what cannot be undone is said, and the rest is undone', async () => {
    const { notes, said, run } = noted({ a: 'made', b: 'made', c: new Error('no') }, 'b');
    await expect(run()).rejects.toThrow('no');
    expect(notes.slice(3)).toEqual(['undo c', 'undo b', 'undo a']);
    expect(said.at(-1)).toBe('could not undo "b": stuck');
  });

  test('an abort counts as a failure of the next step', async () => {
    const { notes, abort, run } = noted({ a: 'made' });
    abort.abort(new CommandFailure('interrupted'));
    await expect(run()).rejects.toThrow('interrupted');
    expect(notes).toEqual(['undo a']);
  });
});

describe('state', () => {
  const make = (name: string, dataDir = join(directory, name)): ClusterState => ({
    format: 1,
    name,
    index: 0,
    dataDir,
    bridge: 'jts0',
    mtu: 1500,
    nodeCidr: '10.89.0.0/24',
    gateway: '10.89.0.1',
    podCidr: '10.244.0.0/16',
    serviceCidr: '10.96.0.0/16',
    apiPort: 6443,
    kubeconfig: { file: '/k', context: name, isOurs: false },
    version: '0.1.0',
    server: null,
    nodes: [{ name: 'n', number: 1, address: '10.89.0.2', link: 'jts0n1', process: null }],
    lastNodeNumber: 1,
    made: { directories: [], forwardingWasOff: false },
  });

  test('is read back, found by name, and replaced without remains', () => {
    makeDataDir(directory, 'a', join(directory, 'a'));
    const elsewhere = join(directory, 'x/y/b');
    const made = makeDataDir(directory, 'b', elsewhere);
    expect(made).toEqual([join(directory, 'x'), join(directory, 'x/y'), elsewhere]);
    const states = [make('a'), make('b', elsewhere)];
    for (const state of states) writeState(state);
    expect(listClusters(directory)).toEqual(states);
    const holder = new StateHolder(needState(directory, 'b'));
    holder.changeNode('n', { process: { pid: 1, startTicks: 2, bootId: 'c' } });
    expect(readState(elsewhere)).toEqual(holder.now);
    expect(readdirSync(elsewhere)).toEqual(['cluster.json']);
    expect(() => holder.node('m')).toThrow('cluster b has no node m; it has n');
  });

  test('a missing cluster names those there are', () => {
    expect(() => needState(join(directory, 'none'), 'a')).toThrow(
      'there is no cluster a on this machine; "jotasu up"',
    );
    makeDataDir(directory, 'b', join(directory, 'b'));
    writeState(make('b'));
    expect(() => needState(directory, 'a')).toThrow('there is no cluster a on this machine, only b');
  });

  test('a file that is no state is named, and does not hinder other clusters', () => {
    for (const [name, text] of [
      ['cut', '{"form'],
      ['newer', '{"format": 2}'],
    ] as const) {
      mkdirSync(join(directory, name));
      writeFileSync(join(directory, name, 'cluster.json'), text);
      expect(() => needState(directory, name)).toThrow(`cannot use ${directory}/${name}/cluster.json: `);
    }
    expect(listClusters(directory)).toEqual([]);
  });

  test('a name that is taken by something else is not overwritten', () => {
    writeFileSync(join(directory, 'a'), '');
    expect(() => makeDataDir(directory, 'a', join(directory, 'z'))).toThrow(/is in the way/);
  });

  test('directories that were there are not noted as made', () => {
    const made: string[] = [];
    makeDirectories(join(directory, 'p/q'), made);
    makeDirectories(join(directory, 'p/q'), made);
    expect(made).toEqual([join(directory, 'p'), join(directory, 'p/q')]);
  });
});

describe('lockDirectory', () => {
  test('one holder at a time; the next is told, and waits', async () => {
    const at = join(directory, 'locked');
    const order: string[] = [];
    const release = await lockDirectory(at, () => order.push('never'));
    let onWait = () => {};
    const waits = new Promise<void>((resolve) => (onWait = resolve));
    const second = lockDirectory(at, () => {
      order.push('waits');
      onWait();
    }).then((releaseSecond) => {
      order.push('second');
      return releaseSecond;
    });
    await waits;
    order.push('released');
    release();
    (await second)();
    expect(order).toEqual(['waits', 'released', 'second']);
  });

  test('a directory that was removed meanwhile is made again, and locked', async () => {
    const at = join(directory, 'locked');
    const release = await lockDirectory(at, () => {});
    let onWait = () => {};
    const waits = new Promise<void>((resolve) => (onWait = resolve));
    const second = lockDirectory(at, () => onWait());
    await waits;
    rmSync(at, { recursive: true });
    release();
    const releaseSecond = await second;
    expect(existsSync(at)).toBe(true);
    let waited = false;
    const third = lockDirectory(at, () => {
      waited = true;
      releaseSecond();
    });
    (await third)();
    expect(waited).toBe(true);
  });
});

describe('requirements', () => {
  const usual = ['containerd', 'ctr', 'nsenter', 'unshare', 'setpriv', 'flock', 'mount', 'crun'].map(
    (name) => `/usr/bin/${name}`,
  );
  const all = [
    ...usual,
    '/usr/sbin/nft',
    '/usr/sbin/conntrack',
    '/usr/sbin/ip',
    '/usr/sbin/haproxy',
    '/usr/lib/cni/bridge',
    '/usr/bin/apt-get',
  ];
  const machine = (exec: FakeExec, said: string[] = []) => ({
    exec,
    searchPath: '/usr/bin',
    say: (line: string) => void said.push(line),
  });
  const without = (...missing: string[]) =>
    all.filter((path) => !missing.some((name) => path.endsWith(`/${name}`)));

  test('nothing is run when nothing is missing', async () => {
    const exec = new FakeExec();
    await ensurePackages(machine(exec), {
      install: true,
      programs: { exists: (path) => all.includes(path) },
    });
    expect(exec.ran).toEqual([]);
  });

  test('HAProxy is needed for ingress alone', async () => {
    const programs = { exists: (path: string) => without('haproxy').includes(path) };
    await ensurePackages(machine(new FakeExec()), { install: false, without: ['ingress'], programs });
    await expect(ensurePackages(machine(new FakeExec()), { install: false, programs })).rejects.toThrow(
      /lacks haproxy/,
    );
  });

  test('arping is needed where nodes announce addresses alone', async () => {
    const programs = { exists: (path: string) => without('arping').includes(path) };
    await ensurePackages(machine(new FakeExec()), { install: false, programs });
    await expect(
      ensurePackages(machine(new FakeExec()), { install: false, announces: true, programs }),
    ).rejects.toThrow(/lacks arping, .* apt-get install iputils-arping/);
  });

  test('what is missing is named, then installed, each package once', async () => {
    const have = new Set(without('containerd', 'ctr', 'nft'));
    const exec = new FakeExec().answer(/^env DEB|^apt-get install/, () => {
      for (const path of all) have.add(path);
      return {};
    });
    const said: string[] = [];
    await ensurePackages(machine(exec, said), {
      install: true,
      programs: { exists: (path) => have.has(path) },
    });
    expect(said).toEqual(['Missing: containerd, ctr, nft. Installing containerd, nftables with apt-get.']);
    expect(exec.ran).toEqual(['apt-get install -q -y --no-install-recommends containerd nftables']);
  });

  const lacking = (paths: string[]) => ({ exists: (path: string) => paths.includes(path) });
  test.each<[string, Parameters<typeof ensurePackages>[1], FakeExec, string]>([
    [
      '--no-install',
      { install: false, programs: lacking(without('nft', 'crun')) },
      new FakeExec(),
      'this machine lacks nft, crun or runc, and --no-install was given. To install: apt-get install nftables crun',
    ],
    [
      'no apt-get',
      { install: true, programs: lacking(without('nft', 'apt-get')) },
      new FakeExec(),
      'this machine lacks nft, and has no apt-get to install them with; please install them',
    ],
    [
      'no network',
      { install: true, programs: lacking(without('nft')) },
      new FakeExec()
        .answer(/update/, { code: 100, stderr: 'Could not resolve' })
        .answer(/install/, { code: 100 }),
      'could not install nftables: apt-get update -q: exit code 100: Could not resolve',
    ],
    [
      'a package without the program',
      { install: true, programs: lacking(without('nft')) },
      new FakeExec(),
      'after apt-get install nftables, nft is still missing',
    ],
  ])('%s', async (_, options, exec, message) => {
    const failing = ensurePackages(machine(exec), options);
    await expect(failing).rejects.toThrow(CommandFailure);
    await expect(failing).rejects.toThrow(message);
  });

  test('only root may', () => {
    const user = { isRoot: false, command: './jotasu' };
    expect(() => needRoot(user, 'up')).toThrow(/must be run as root: sudo \.\/jotasu up\n.*simulated nodes/);
    expect(() => needRoot(user, 'down')).toThrow(/must be run as root: sudo \.\/jotasu down$/);
    needRoot({ ...user, isRoot: true }, 'up');
  });
});
