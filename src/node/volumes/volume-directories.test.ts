// The directories that a node keeps: told where they are, made with room for everybody, removed when their volume is released and not before.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Node, PersistentVolume } from '../../api/index.ts';
import { FakeClock, Scope, seededRandom, silentLog } from '../../base/index.ts';
import { type Client, createClient, createInformers } from '../../client/index.ts';
import type { Draft, KubeObject } from '../../machinery/index.ts';
import { buildNode, buildVolume, FakeTransport, type VolumeParts } from '../../testkit/index.ts';
import { directoryOf, isToBeRemoved, VolumeDirectories } from './volume-directories.ts';

const kept = (name: string, root: string, { node = 'n1', ...parts }: VolumeParts & { node?: string } = {}) =>
  buildVolume(name, {
    policy: 'Delete',
    phase: 'Bound',
    annotations: { 'pv.kubernetes.io/provisioned-by': 'jotasu.dev/local-path' },
    meta: { labels: { 'volumes.jotasu.dev/kept-by': node } },
    ...parts,
    spec: { hostPath: undefined, local: { path: path.join(root, name) } },
  });

function draft<T extends KubeObject>({ metadata, ...rest }: T): Draft<T> {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, ...own } = metadata;
  return { ...rest, metadata: own } as unknown as Draft<T>;
}

describe('what is removed', () => {
  it.each<[string, VolumeParts & { node?: string }, boolean]>([
    ['released', { phase: 'Released' }, true],
    ['failed before', { phase: 'Failed' }, true],
    ['bound', {}, false],
    ['free', { phase: 'Available' }, false],
    ['to be kept', { phase: 'Released', policy: 'Retain' }, false],
    ['another node’s', { phase: 'Released', node: 'n2' }, false],
    [
      'somebody else’s',
      { phase: 'Released', annotations: { 'pv.kubernetes.io/provisioned-by': 'x/y' } },
      false,
    ],
    [
      'removed already',
      {
        phase: 'Released',
        annotations: {
          'pv.kubernetes.io/provisioned-by': 'jotasu.dev/local-path',
          'volumes.jotasu.dev/removed': 'then',
        },
      },
      false,
    ],
  ])('%s', (_, parts, want) => expect(isToBeRemoved(kept('v', '/r', parts), 'n1')).toBe(want));

  it.each(['/etc', '/r', '/r/..', '/r/a/b', '/r/../etc', '/rr/a', 'a', '/r/', ''])('never %j', (at) => {
    const volume = buildVolume('v', { spec: { hostPath: undefined, local: { path: at } } });
    expect(() => directoryOf(volume, '/r')).toThrow('is not one of those in /r');
  });
});

describe('a node', () => {
  let root: string;
  let client: Client;
  let clock: FakeClock;
  let scope: Scope;
  let directories: VolumeDirectories;
  let told: string[];
  const transport = () => new FakeTransport({ clock, random: seededRandom(1) });
  const start = () => {
    scope = new Scope(silentLog);
    directories = new VolumeDirectories({
      client,
      informers: createInformers(client, { scope, log: silentLog, clock }),
      nodeName: 'n1',
      root,
      clock,
      log: silentLog,
      scope,
      warn: (volume, reason, message) => told.push(`${volume.metadata.name} ${reason} ${message}`),
    });
    directories.start();
  };
  beforeEach(async () => {
    root = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-dirs-')), 'volumes');
    clock = new FakeClock();
    told = [];
    client = createClient(transport());
    await client(Node).create(draft(buildNode('n1')));
    start();
  });
  afterEach(async () => {
    await scope.stop();
    fs.rmSync(path.dirname(root), { recursive: true });
  });

  const add = (volume: PersistentVolume) => client(PersistentVolume).create(draft(volume));
  const release = (name: string) =>
    client(PersistentVolume).patch({ name, subresource: 'status' }, 'merge', {
      status: { phase: 'Released' },
    });
  const removed = async (name: string) =>
    (await client(PersistentVolume).get(name)).metadata.annotations?.['volumes.jotasu.dev/removed'];
  /** The disk is real: it needs moments that the clock does not give it. */
  async function until(is: () => boolean | Promise<boolean>): Promise<void> {
    for (let i = 0; i < 20_000; i++) {
      if (await is()) return;
      await clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error('it never came');
  }
  const there = (name: string) => fs.existsSync(path.join(root, name));

  it('says where it keeps them', async () => {
    await until(
      async () =>
        (await client(Node).get('n1')).metadata.annotations?.['volumes.jotasu.dev/directory'] === root,
    );
  });

  it('makes one for everybody, and leaves what is in it', async () => {
    const volume = kept('v', root);
    await directories.ensure(volume);
    fs.writeFileSync(path.join(root, 'v/data'), '1');
    fs.chmodSync(path.join(root, 'v'), 0o750);
    await directories.ensure(volume);
    expect(fs.readdirSync(path.join(root, 'v'))).toEqual(['data']);
    expect(fs.statSync(path.join(root, 'v')).mode & 0o777).toBe(0o750);
    await directories.ensure(kept('w', root));
    expect(fs.statSync(path.join(root, 'w')).mode & 0o777).toBe(0o777);
    expect([directories.keeps(volume), directories.keeps(kept('x', root, { node: 'n2' }))]).toEqual([
      true,
      false,
    ]);
  });

  it('removes what is released, and says so', async () => {
    for (const name of ['a', 'b']) await directories.ensure(await add(kept(name, root)));
    fs.mkdirSync(path.join(root, 'a/deep'));
    fs.symlinkSync(root, path.join(root, 'a/deep/link'));
    await release('a');
    await until(async () => (await removed('a')) !== undefined);
    expect([there('a'), there('b'), await removed('b'), told]).toEqual([false, true, undefined, []]);
  });

  it('removes after a restart what was released meanwhile, and what is gone already', async () => {
    await directories.ensure(await add(kept('a', root)));
    await add(kept('never-used', root));
    await scope.stop();
    await release('a');
    await release('never-used');
    start();
    await until(
      async () => (await removed('a')) !== undefined && (await removed('never-used')) !== undefined,
    );
    expect(there('a')).toBe(false);
  });

  it('says what it cannot remove', async () => {
    const outside = path.join(path.dirname(root), 'outside');
    fs.mkdirSync(outside);
    const volume = kept('v', root);
    await add({ ...volume, spec: { ...volume.spec, local: { path: outside } } });
    await release('v');
    await until(() => told.length > 1);
    expect(told[0]).toBe(`v VolumeFailedDelete directory "${outside}" is not one of those in ${root}`);
    expect([fs.existsSync(outside), await removed('v')]).toEqual([true, undefined]);
  });
});
