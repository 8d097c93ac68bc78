// VolumeBinding before a pod is bound: what it writes, what it waits for, and when it gives up.
import { afterEach, describe, expect, it } from 'vitest';
import { type coreV1, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../../api/index.ts';
import { Scope, seededRandom, settle, silentLog } from '../../base/index.ts';
import { createClient, createInformers } from '../../client/index.ts';
import type { Draft, KubeObject } from '../../machinery/index.ts';
import {
  buildClaim,
  buildClass,
  buildNode,
  buildPod,
  buildVolume,
  FakeTransport,
  PluginFixture,
} from '../../testkit/index.ts';
import { NodeInfo } from '../node-info.ts';
import { type Plugin, type PluginContext, type PluginFactory, PodRefusal } from '../plugin.ts';
import { podInfo } from '../pod-info.ts';
import { volumeBinding } from './volume-binding.ts';

const uses = (...claims: string[]): coreV1.Volume[] =>
  claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } }));
const info = (name: string, labels: Record<string, string> = {}) => new NodeInfo(buildNode(name, { labels }));
const build = (factory: PluginFactory, context: PluginContext): Plugin =>
  factory.build(context, factory.readArgs?.({}));

const late = buildClass('late', { waits: true, provisioner: 'example.com/p' });
const byHand = buildClass('hand', { waits: true });

describe('VolumeBinding, before the pod is bound', () => {
  let scope: Scope;
  afterEach(() => scope.stop());

  /** Over a server, as the scheduler has it; the test is the volume controller. */
  async function begin(objects: readonly [{ plural: string }, KubeObject][]) {
    const fixture = new PluginFixture();
    const { clock } = fixture;
    scope = new Scope(silentLog);
    const transport = new FakeTransport({ clock, random: seededRandom(1) });
    const client = createClient(transport);
    const informers = createInformers(client, { scope, log: silentLog, clock });
    const context: PluginContext = {
      cluster: fixture.cluster,
      clock,
      client,
      background: () => {},
      watch: (kind) => {
        const informer = informers(kind);
        return {
          get: (key) => informer.get(key),
          list: (namespace) => informer.list(namespace),
          byIndex: (index, value) => informer.byIndex(index, value),
          onChange: (handlers) => void informer.onChange(handlers),
        };
      },
    };
    const plugin = build(volumeBinding, context);
    for (const [kind, { metadata, ...rest }] of objects) {
      const { name, namespace, annotations } = metadata;
      const draft = { ...rest, metadata: { name, namespace, ...(annotations && { annotations }) } };
      await client(kind as never).create(draft as Draft<never>);
      if (kind.plural === 'persistentvolumes')
        await client(PersistentVolume).patch({ name, subresource: 'status' }, 'merge', {
          status: { phase: 'Available' },
        });
    }
    await settle();
    const pod = podInfo((await client(Pod).get('p', 'default')) as Pod);
    const state = plugin.preFilter(pod, []);
    if (state instanceof PodRefusal) throw new Error(state.message);
    const node = info('n1');
    expect(plugin.reserve?.(state, node)).toBeUndefined();
    let outcome = 'waits';
    const ended = plugin.preBind!(state, node, scope.signal).then(
      () => {
        outcome = 'bound';
      },
      (error: Error) => {
        outcome = error.message;
      },
    );
    await settle();
    return { client, clock, told: () => outcome, ended };
  }
  const pod = [Pod, buildPod('p', { spec: { volumes: uses('c') } })] as const;
  const patchClaim = (client: ReturnType<typeof createClient>, patch: object) =>
    client(PersistentVolumeClaim).patch({ name: 'c', namespace: 'default' }, 'merge', patch);
  const complete = { 'pv.kubernetes.io/bind-completed': 'yes' };

  it('gives the claim a volume, and waits until it is bound', async () => {
    const { client, told } = await begin([
      [...pod],
      [StorageClass, byHand],
      [PersistentVolumeClaim, buildClaim('c', { storageClass: 'hand' })],
      [PersistentVolume, buildVolume('v', { storageClass: 'hand' })],
    ]);
    const claim = await client(PersistentVolumeClaim).get('c', 'default');
    const volume = await client(PersistentVolume).get('v');
    expect(volume.spec.claimRef).toMatchObject({ namespace: 'default', name: 'c', uid: claim.metadata.uid });
    expect(volume.metadata.annotations).toEqual({ 'pv.kubernetes.io/bound-by-controller': 'yes' });
    expect(told()).toBe('waits');
    await patchClaim(client, { metadata: { annotations: complete }, spec: { volumeName: 'v' } });
    await settle();
    expect(told()).toBe('bound');
  });

  it('says where a volume shall be made, and hears when that failed', async () => {
    const { client, told } = await begin([
      [...pod],
      [StorageClass, late],
      [PersistentVolumeClaim, buildClaim('c', { storageClass: 'late' })],
    ]);
    const annotation = 'volume.kubernetes.io/selected-node';
    const claim = await client(PersistentVolumeClaim).get('c', 'default');
    expect(claim.metadata.annotations).toEqual({ [annotation]: 'n1' });
    expect(told()).toBe('waits');
    await patchClaim(client, { metadata: { annotations: { [annotation]: null } } });
    await settle();
    expect(told()).toBe('binding volumes: provisioning failed for PVC "c"');
  });

  it.each([
    [
      'the volume is taken away',
      'binding volumes: ClaimRef got reset for pv "v"',
      (client: ReturnType<typeof createClient>) =>
        client(PersistentVolume).patch({ name: 'v' }, 'merge', { spec: { claimRef: null } }),
    ],
    [
      'the volume is deleted',
      'binding volumes: failed to check binding: persistentvolume "v" not found',
      (client: ReturnType<typeof createClient>) => client(PersistentVolume).delete('v'),
    ],
    [
      'the claim is deleted',
      'binding volumes: failed to check binding: persistentvolumeclaim "c" not found',
      (client: ReturnType<typeof createClient>) => client(PersistentVolumeClaim).delete('c', 'default'),
    ],
    [
      'the pod is deleted',
      'binding volumes: pod does not exist any more: pod "p" not found',
      (client: ReturnType<typeof createClient>) =>
        client(Pod).delete('p', 'default', { gracePeriodSeconds: 0 }),
    ],
  ])('gives up when %s', async (_, message, act) => {
    const { client, clock, told } = await begin([
      [...pod],
      [StorageClass, byHand],
      [PersistentVolumeClaim, buildClaim('c', { storageClass: 'hand' })],
      [PersistentVolume, buildVolume('v', { storageClass: 'hand' })],
    ]);
    await act(client);
    await clock.advance(1000);
    await settle();
    expect(told()).toBe(message);
  });

  it('gives up after ten minutes, and leaves no timer', async () => {
    const { clock, told, ended } = await begin([
      [...pod],
      [StorageClass, late],
      [PersistentVolumeClaim, buildClaim('c', { storageClass: 'late' })],
    ]);
    await clock.advance(599_000);
    expect(told()).toBe('waits');
    await clock.advance(1000);
    await ended;
    expect(told()).toBe('binding volumes: context deadline exceeded');
    expect(clock.waiting).toBe(0);
  });
});
