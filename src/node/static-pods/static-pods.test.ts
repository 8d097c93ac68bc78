// Static pods with the whole agent, over fakes; the folder is real.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Pod } from '../../api/index.ts';
import { container, isReady, type World, world } from '../testdata/agent-world.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true });
});

async function started(): Promise<World & { readonly folder: string }> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-manifests-'));
  folders.push(folder);
  const w = await world(undefined, { podManifestPath: folder });
  await w.start();
  return Object.assign(w, { folder });
}

const write = (folder: string, name: string, args: string[] = []) =>
  fs.writeFileSync(
    path.join(folder, `${name}.json`),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { app: name } },
      spec: { containers: [container('main', { args })] },
    }),
  );

describe('a static pod', () => {
  test('runs, and its mirror tells how it is', async () => {
    const w = await started();
    write(w.folder, 'web');
    const pod = await w.until('it is shown', async () => isReady(await w.pod('web-n1')));
    const { annotations = {} } = pod.metadata;
    expect(annotations['kubernetes.io/config.mirror']).toBe(annotations['kubernetes.io/config.hash']);
    expect(annotations['kubernetes.io/config.source']).toBe('file');
    expect(pod.metadata.uid).not.toBe(annotations['kubernetes.io/config.hash']);
    expect(pod.status?.podIP).toBe('10.244.0.1');
  });

  test('runs on when its mirror is deleted, and is shown again', async () => {
    const w = await started();
    write(w.folder, 'web');
    const first = await w.until('it is shown', async () => isReady(await w.pod('web-n1')));
    const { id } = w.runtime.find('web-n1', 'main')!;
    await w.client(Pod).delete('web-n1', 'default');
    await w.until('it is not shown', async () => (await w.pod('web-n1')) === undefined);
    const goneMs = w.clock.nowMs();
    const second = await w.until('it is shown again', async () => {
      const found = isReady(await w.pod('web-n1'));
      return found && found.metadata.uid !== first.metadata.uid && found;
    });
    // Who waits for the deletion must see that the name is free.
    expect(w.clock.nowMs() - goneMs).toBeGreaterThanOrEqual(400);
    expect(second.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect(w.runtime.find('web-n1', 'main')).toMatchObject({ id, state: 'running' });
  });

  test('ends before what replaces it starts, and with its file', async () => {
    const w = await started();
    write(w.folder, 'web', ['old']);
    await w.until('it runs', async () => isReady(await w.pod('web-n1')));
    const old = w.runtime.find('web-n1', 'main')!;
    write(w.folder, 'web', ['new']);
    await w.until('the new one runs', async () => {
      const { id } = w.runtime.find('web-n1', 'main') ?? {};
      return id !== undefined && id !== old.id && isReady(await w.pod('web-n1'));
    });
    const calls = w.runtime.calls.filter((c) => ['stopContainer', 'startContainer'].includes(c.method));
    expect(calls.map((c) => c.method)).toEqual(['startContainer', 'stopContainer', 'startContainer']);
    fs.rmSync(path.join(w.folder, 'web.json'));
    await w.until('it is gone', async () => (await w.pod('web-n1')) === undefined && w.agent.podCount === 0);
  });

  test('is not started anew by an agent that was', async () => {
    const w = await started();
    write(w.folder, 'web');
    await w.until('it runs', async () => isReady(await w.pod('web-n1')));
    const { id } = w.runtime.find('web-n1', 'main')!;
    await w.agent.stop();
    await w.start();
    await w.until('it is known', async () => w.agent.podCount === 1);
    expect(w.runtime.find('web-n1', 'main')).toMatchObject({ id, state: 'running' });
  });

  test('that cannot be read disturbs no other, and a mirror of nothing goes', async () => {
    const w = await started();
    fs.writeFileSync(path.join(w.folder, 'broken.yaml'), 'kind: Pod\n\tno: yaml');
    write(w.folder, 'web');
    await w.client(Pod).create({
      metadata: {
        name: 'ghost-n1',
        namespace: 'default',
        annotations: { 'kubernetes.io/config.mirror': 'x' },
      },
      spec: { nodeName: 'n1', containers: [container('main')] } as Pod['spec'],
    });
    await w.until('the other runs', async () => isReady(await w.pod('web-n1')));
    await w.until('the ghost is gone', async () => (await w.pod('ghost-n1')) === undefined);
    expect(w.runtime.find('ghost-n1', 'main')).toBeUndefined();
  });
});
