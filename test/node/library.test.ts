// `startCluster` of the built library with a real node: what a program can do with it, and that nothing is left afterwards.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { busyboxImage, mustRun, root, TourCluster, whyNot } from './tour-machine.ts';

type Library = Pick<typeof import('../../src/app/index.ts'), 'startCluster'> &
  Pick<typeof import('../../src/api/index.ts'), 'Pod'>;

const why = whyNot();
const traces = new TourCluster('jt-library');
const archive = join(traces.directory, 'busybox.tar');

afterAll(async () => {
  if (why === undefined) await traces.down();
  rmSync(traces.directory, { recursive: true });
});

describe.skipIf(why !== undefined)('a cluster of another program', () => {
  test('is started, used, changed and gone', async () => {
    await traces.down();
    const { Pod, startCluster } = (await import(
      pathToFileURL(join(root, 'dist/library.js')).href
    )) as Library;
    await mustRun([process.execPath, join(root, 'tools/busybox-image.mjs'), archive]);
    const said: string[] = [];
    await expect(startCluster({ name: traces.name, nodes: 1, images: ['/no/such.tar'] })).rejects.toThrow(
      '/no/such.tar: there is no such file',
    );
    const cluster = await startCluster({
      name: traces.name,
      nodes: 1,
      simulatedNodes: 1,
      images: [archive],
      log: (line) => said.push(line),
    });
    try {
      expect(said).toContain('Starting cluster jt-library with 1 node.');
      expect(await cluster.nodes()).toEqual([
        { name: 'jt-library-node-1', state: 'Ready', simulated: false },
        { name: 'sim-1', state: 'Ready', simulated: true },
      ]);
      expect(readFileSync(cluster.kubeconfigFile, 'utf8')).toContain(cluster.url);
      expect(
        await mustRun(['kubectl', '--kubeconfig', cluster.kubeconfigFile, 'get', 'nodes', '-o', 'name']),
      ).toBe('node/jt-library-node-1\nnode/sim-1\n');
      const pod = await cluster.client(Pod).create({
        metadata: { name: 'hello', namespace: 'default' },
        spec: {
          nodeName: 'jt-library-node-1',
          restartPolicy: 'Never',
          containers: [{ name: 'main', image: busyboxImage, command: ['true'] }],
        },
      });
      await expect
        .poll(async () => (await cluster.client(Pod).get('hello', 'default')).status?.phase)
        .toBe('Succeeded');
      expect(pod.metadata.uid).not.toBe('');

      expect(await cluster.addNode()).toBe('jt-library-node-2');
      const compressed = `${archive}.gz`;
      writeFileSync(compressed, gzipSync(readFileSync(archive)));
      await cluster.loadImages([archive, compressed], { nodes: ['jt-library-node-2'] });
      await cluster.killNode('jt-library-node-2');
      await cluster.killNode('sim-1');
      await expect
        .poll(async () => (await cluster.nodes()).map(({ state }) => state))
        .toEqual(['Ready', 'Off', 'Off']);
      await expect(cluster.loadImages([archive], { nodes: ['jt-library-node-2'] })).rejects.toThrow(/is off/);
      await cluster.startNode('jt-library-node-2');
      await cluster.removeNode('jt-library-node-2');
      await cluster.removeNode('sim-1');
      await expect(cluster.stopNode('none')).rejects.toThrow(
        'cluster jt-library has no node none; it has jt-library-node-1',
      );
      expect((await cluster.nodes()).map(({ name }) => name)).toEqual(['jt-library-node-1']);
    } finally {
      await cluster.stop();
    }
    expect(existsSync(cluster.kubeconfigFile)).toBe(false);
    expect(traces.traces()).toEqual([]);
  });
});
