// What happens to clusters in the hands of people: a full disk, a data directory removed by hand, an `up` that is killed in its middle,
// another kubeconfig, two clusters side by side. Nothing is left behind, and `up` goes on where it can.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { mustRun, run, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cluster = new TourCluster('jt-up');
const upArgv = (...args: string[]) => cluster.argv('up', '--kubeconfig', cluster.kubeconfig, ...args);

beforeAll(async () => {
  if (why === undefined) await cluster.down();
});
afterAll(async () => {
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

describe.skipIf(why !== undefined)('up', () => {
  afterEach(() => expect(cluster.traces()).toEqual([]));

  test('a disk without room', async () => {
    const small = join(cluster.directory, 'small');
    mkdirSync(small);
    await mustRun(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
    try {
      const { err } = await cluster.refused('up', '--data-dir', join(small, 'data'));
      expect(err).toMatch(
        /^jotasu: the disk that holds \/.*\/small\/data has 1 MB left, and a cluster needs \d+ MB and room for images/,
      );
    } finally {
      await mustRun(['umount', '-l', small]);
    }
  });

  test('a cluster whose data directory was removed by hand: down and up find what is left of it', async () => {
    await cluster.up('--nodes', '1');
    rmSync('/var/lib/jotasu/jt-up', { recursive: true, force: true });
    // Nobody knows any more that it is written there.
    rmSync(cluster.kubeconfig);
    expect(cluster.traces()).not.toEqual([]);
    expect(await cluster.jotasu('down')).toBe(
      'Cluster jt-up had no record any more; what was left of it on this machine is gone.\n',
    );
    expect(cluster.traces()).toEqual([]);
    await cluster.up('--nodes', '1');
    rmSync('/var/lib/jotasu/jt-up', { recursive: true, force: true });
    rmSync(cluster.kubeconfig);
    const out = await cluster.up('--nodes', '2');
    expect(out).toContain('Removed what was left of an earlier cluster jt-up that has no record any more.\n');
    await cluster.down();
  });

  test('kill -9 of up in its middle, then down', async () => {
    for (const at of ['  data in', '  server https://']) {
      await run(upArgv('--nodes', '2'), {
        onOutput: (text, kill) => {
          if (text.includes(at)) kill('SIGKILL');
        },
      });
      await cluster.jotasu('down');
      expect(cluster.traces(['jt-up'])).toEqual([]);
    }
  });

  test('kill -9 of up in its middle, then up', async () => {
    await run(upArgv('--nodes', '1'), {
      onOutput: (text, kill) => {
        if (text.includes('  server https://')) kill('SIGKILL');
      },
    });
    expect(await cluster.up()).toContain('Cluster jt-up is there; starting what does not run.\n');
    await expect
      .poll(async () => (await cluster.status()).nodes.map(({ state }) => state))
      .toEqual(['Ready']);
    await cluster.down();
  });

  test('a second up with another kubeconfig; down takes the context from both', async () => {
    await cluster.up('--nodes', '1');
    const other = join(cluster.directory, 'other-kubeconfig');
    await cluster.jotasu('up', '--kubeconfig', other);
    expect(await mustRun(['kubectl', '--kubeconfig', other, 'get', 'nodes', '-o', 'name'])).toContain(
      'node/',
    );
    await cluster.down();
    expect([cluster.kubeconfig, other].filter((file) => existsSync(file))).toEqual([]);
  });
});
