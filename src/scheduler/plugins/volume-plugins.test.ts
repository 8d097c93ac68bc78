// The plugins about volumes: what they say of a pod and a node, what they take and give back, and what wakes a pod.
import { afterEach, describe, expect, it } from 'vitest';
import {
  CSINode,
  CSIStorageCapacity,
  type coreV1,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '../../api/index.ts';
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
  refusalsOf,
} from '../../testkit/index.ts';
import { NodeInfo } from '../node-info.ts';
import { type Plugin, type PluginContext, type PluginFactory, PodRefusal } from '../plugin.ts';
import { podInfo } from '../pod-info.ts';
import { nodeVolumeLimits } from './node-volume-limits.ts';
import { volumeBinding } from './volume-binding.ts';
import { volumeRestrictions } from './volume-restrictions.ts';
import { volumeZone } from './volume-zone.ts';

const uses = (...claims: string[]): coreV1.Volume[] =>
  claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } }));
const podWith = (volumes: coreV1.Volume[], name = 'p', node?: string) =>
  podInfo(buildPod(name, { ...(node !== undefined && { node }), spec: { volumes } }));
const info = (name: string, labels: Record<string, string> = {}) => new NodeInfo(buildNode(name, { labels }));
const build = (factory: PluginFactory, context: PluginContext): Plugin =>
  factory.build(context, factory.readArgs?.({}));

const says = (
  factory: PluginFactory,
  volumes: coreV1.Volume[],
  { objects = [], node = info('n1') }: { objects?: readonly KubeObject[]; node?: NodeInfo },
) => refusalsOf(build(factory, new PluginFixture(objects).context), podWith(volumes), node);

const late = buildClass('late', { waits: true, provisioner: 'example.com/p' });
const byHand = buildClass('hand', { waits: true });
const boundTo = (volume: string, name = 'c') => buildClaim(name, { volume, bound: true });
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const conflict = ['node(s) had volume node affinity conflict'];
const nothing = ["node(s) didn't find available persistent volumes to bind"];
const noSpace = ['node(s) did not have enough free storage'];

describe('VolumeBinding', () => {
  const capacity = (amount: string, host: string): CSIStorageCapacity =>
    ({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSIStorageCapacity',
      metadata: { ...buildClass('x').metadata, name: `cap-${host}`, namespace: 'default' },
      storageClassName: 'late',
      capacity: amount,
      nodeTopology: { matchLabels: { 'kubernetes.io/hostname': host } },
    }) as CSIStorageCapacity;
  const driver = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSIDriver',
    metadata: { ...late.metadata, name: 'example.com/p' },
    spec: { storageCapacity: true },
  } as KubeObject;
  const zoned = buildClass('late', {
    waits: true,
    provisioner: 'example.com/p',
    more: { allowedTopologies: [{ matchLabelExpressions: [{ key: 'zone', values: ['a', 'b'] }] }] },
  });

  it.each<[string, readonly KubeObject[], string | readonly string[]]>([
    ['no such claim', [], 'persistentvolumeclaim "c" not found'],
    [
      'a claim that is going',
      [buildClaim('c', { meta: deleted })],
      'persistentvolumeclaim "c" is being deleted',
    ],
    [
      'a lost claim',
      [{ ...boundTo('v'), status: { phase: 'Lost' } } as KubeObject],
      'persistentvolumeclaim "c" bound to non-existent persistentvolume "v"',
    ],
    ['not bound yet', [buildClaim('c')], 'pod has unbound immediate PersistentVolumeClaims'],
    [
      'reserved, not bound yet',
      [buildClaim('c', { volume: 'v', storageClass: 'late' }), late],
      'pod has unbound immediate PersistentVolumeClaims',
    ],
    [
      'of a class that is not there',
      [buildClaim('c', { storageClass: 'late' })],
      'pod has unbound immediate PersistentVolumeClaims',
    ],
    ['bound to what is everywhere', [boundTo('v'), buildVolume('v')], []],
    [
      'bound to what is here',
      [boundTo('v'), buildVolume('v', { nodeLabel: 'kubernetes.io/hostname=n1' })],
      [],
    ],
    [
      'bound to what is elsewhere',
      [boundTo('v'), buildVolume('v', { nodeLabel: 'kubernetes.io/hostname=n2' })],
      conflict,
    ],
    [
      'bound to what is gone',
      [boundTo('v')],
      ['node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'],
    ],
    [
      'waits, free here',
      [
        buildClaim('c', { storageClass: 'hand' }),
        byHand,
        buildVolume('v', { storageClass: 'hand', nodeLabel: 'kubernetes.io/hostname=n1' }),
      ],
      [],
    ],
    [
      'waits, free elsewhere',
      [
        buildClaim('c', { storageClass: 'hand' }),
        byHand,
        buildVolume('v', { storageClass: 'hand', nodeLabel: 'kubernetes.io/hostname=n2' }),
      ],
      nothing,
    ],
    [
      'waits, reserved elsewhere though one is free here',
      [
        buildClaim('c', { storageClass: 'late' }),
        late,
        buildVolume('v', { storageClass: 'late', claim: 'c', nodeLabel: 'kubernetes.io/hostname=n2' }),
        buildVolume('w', { storageClass: 'late' }),
      ],
      nothing,
    ],
    [
      'waits, free but too small',
      [
        buildClaim('c', { storageClass: 'hand', size: '2Gi' }),
        byHand,
        buildVolume('v', { storageClass: 'hand' }),
      ],
      nothing,
    ],
    ['can be made', [buildClaim('c', { storageClass: 'late' }), late], []],
    ['can be made in other zones', [buildClaim('c', { storageClass: 'late' }), zoned], nothing],
    [
      'is to be made here',
      [
        buildClaim('c', {
          storageClass: 'late',
          annotations: { 'volume.kubernetes.io/selected-node': 'n1' },
        }),
        late,
      ],
      [],
    ],
    [
      'is to be made elsewhere',
      [
        buildClaim('c', {
          storageClass: 'late',
          annotations: { 'volume.kubernetes.io/selected-node': 'n2' },
        }),
        late,
      ],
      nothing,
    ],
    ['has space here', [buildClaim('c', { storageClass: 'late' }), late, driver, capacity('1Gi', 'n1')], []],
    [
      'has too little space here',
      [
        buildClaim('c', { storageClass: 'late' }),
        late,
        driver,
        capacity('1023Mi', 'n1'),
        capacity('1Ti', 'n2'),
      ],
      noSpace,
    ],
  ])('%s', (_, objects, expected) => {
    expect(says(volumeBinding, uses('c'), { objects })).toEqual(expected);
  });

  it('does not matter to pods without claims', () => {
    expect(says(volumeBinding, [{ name: 'x', emptyDir: {} }], {})).toBeUndefined();
  });

  it('asks no node when all can reach the volumes', () => {
    const { context } = new PluginFixture([boundTo('v'), buildVolume('v')]);
    const plugin = build(volumeBinding, context);
    const state = plugin.preFilter(podWith(uses('c')), []);
    expect(plugin.skipFilter?.(state)).toBe(true);
  });

  it('takes the topology of a class from the labels of the node', () => {
    const objects = [buildClaim('c', { storageClass: 'late' }), zoned];
    expect(says(volumeBinding, uses('c'), { objects, node: info('n1', { zone: 'b' }) })).toEqual([]);
  });

  it('tells all reasons', () => {
    const objects = [
      boundTo('v'),
      buildVolume('v', { nodeLabel: 'kubernetes.io/hostname=n2' }),
      boundTo('gone', 'd'),
      buildClaim('e', { storageClass: 'hand' }),
      byHand,
    ];
    expect(says(volumeBinding, uses('c', 'd', 'e'), { objects })).toEqual([
      ...conflict,
      ...nothing,
      'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)',
    ]);
  });

  it('knows ephemeral volumes', () => {
    const volumes: coreV1.Volume[] = [{ name: 'data', ephemeral: { volumeClaimTemplate: { spec: {} } } }];
    expect(says(volumeBinding, volumes, {})).toBe(
      'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-data"',
    );
    expect(says(volumeBinding, volumes, { objects: [boundTo('v', 'p-data')] })).toBe(
      'PVC default/p-data was not created for pod default/p (pod is not owner)',
    );
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'uid-p', controller: true };
    const own = buildClaim('p-data', { volume: 'v', bound: true, meta: { ownerReferences: [owner] } });
    expect(says(volumeBinding, volumes, { objects: [own, buildVolume('v')] })).toEqual([]);
  });

  it('two claims of a pod need two volumes', () => {
    const objects = [
      byHand,
      buildClaim('big', { storageClass: 'hand', size: '2Gi' }),
      buildClaim('small', { storageClass: 'hand' }),
      buildVolume('v', { storageClass: 'hand', size: '2Gi' }),
    ];
    const fixture = new PluginFixture(objects);
    const plugin = build(volumeBinding, fixture.context);
    const pod = podWith(uses('big', 'small'));
    expect(refusalsOf(plugin, pod, info('n1'))).toEqual(nothing);
    fixture.set(buildVolume('w', { storageClass: 'hand', size: '3Gi' }));
    expect(refusalsOf(plugin, pod, info('n1'))).toEqual([]);
  });

  it('promises a volume once, also across profiles, and gives it back', () => {
    const { context } = new PluginFixture([
      byHand,
      buildClaim('c', { storageClass: 'hand' }),
      buildClaim('d', { storageClass: 'hand' }),
      buildVolume('v', { storageClass: 'hand' }),
    ]);
    const [first, second] = [build(volumeBinding, context), build(volumeBinding, context)];
    const node = info('n1');
    const state = first.preFilter(podWith(uses('c')), []);
    expect(first.reserve?.(state, node)).toBeUndefined();
    expect(refusalsOf(second, podWith(uses('d'), 'q'), node)).toEqual(nothing);
    // Another pod with the same claim shares it.
    expect(refusalsOf(second, podWith(uses('c'), 'r'), node)).toEqual([]);
    first.unreserve?.(state, node);
    first.unreserve?.(state, node);
    expect(refusalsOf(second, podWith(uses('d'), 'q'), node)).toEqual([]);
  });

  it('pods that share a claim share where its volume is to be made, as long as one of them holds on', () => {
    const { context } = new PluginFixture([late, buildClaim('c', { storageClass: 'late' })]);
    const plugin = build(volumeBinding, context);
    const [here, there] = [info('n1'), info('n2')];
    const states = ['p', 'q'].map((name) => plugin.preFilter(podWith(uses('c'), name), []));
    for (const state of states) expect(plugin.reserve?.(state, here)).toBeUndefined();
    const third = podWith(uses('c'), 'r');
    plugin.unreserve?.(states[0], here);
    expect(refusalsOf(plugin, third, there)).toEqual(nothing);
    plugin.unreserve?.(states[1], here);
    expect(refusalsOf(plugin, third, there)).toEqual([]);
  });

  it.each([[{ bindTimeoutSeconds: -1 }], [{ shape: [] }]])('refuses arguments %j', (args) => {
    expect(() => volumeBinding.readArgs?.(args)).toThrow();
  });

  it('wakes for what can help', () => {
    const { context } = new PluginFixture([]);
    const plugin = build(volumeBinding, context);
    const pod = podWith(uses('c'));
    const helps = (kind: { kind: string }, on: string, object: KubeObject, old?: KubeObject) =>
      plugin.wakeOn
        .filter((hint) => hint.kind.kind === kind.kind && hint.on === on)
        .some((hint) => hint.helps === undefined || hint.helps(pod, object, old));
    expect(helps(PersistentVolumeClaim, 'update', buildClaim('c'))).toBe(true);
    expect(helps(PersistentVolumeClaim, 'update', buildClaim('d'))).toBe(false);
    expect(helps(PersistentVolume, 'add', buildVolume('v'))).toBe(true);
    expect(helps(StorageClass, 'update', zoned, late)).toBe(true);
    expect(helps(StorageClass, 'update', late, late)).toBe(false);
    expect(helps(Node, 'update', buildNode('n', { unschedulable: true }), buildNode('n'))).toBe(false);
    expect(helps(CSIStorageCapacity, 'update', capacity('2Gi', 'n'), capacity('1Gi', 'n'))).toBe(true);
    expect(helps(CSIStorageCapacity, 'update', capacity('1Gi', 'n'), capacity('2Gi', 'n'))).toBe(false);
  });
});

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

describe('VolumeRestrictions', () => {
  const gce = (pdName: string, readOnly = false): coreV1.Volume => ({
    name: 'd',
    gcePersistentDisk: { pdName, readOnly },
  });
  const ebs = (volumeID: string): coreV1.Volume => ({ name: 'd', awsElasticBlockStore: { volumeID } });
  const iscsi = (iqn: string, readOnly = false): coreV1.Volume => ({
    name: 'd',
    iscsi: { iqn, readOnly, lun: 0, targetPortal: 'x' },
  });
  const rbd = (image: string, monitors: string[], readOnly = false): coreV1.Volume => ({
    name: 'd',
    rbd: { image, monitors, pool: 'rbd', readOnly },
  });
  it.each<[string, coreV1.Volume, coreV1.Volume, boolean]>([
    ['the same disk', gce('a'), gce('a'), false],
    ['another disk', gce('a'), gce('b'), true],
    ['the same disk, read by both', gce('a', true), gce('a', true), true],
    ['the same disk, read by one', gce('a', true), gce('a'), false],
    ['the same block store', ebs('a'), ebs('a'), false],
    ['the same target', iscsi('a'), iscsi('a'), false],
    ['the same target, read by both', iscsi('a', true), iscsi('a', true), true],
    ['the same image', rbd('a', ['m', 'n']), rbd('a', ['n']), false],
    ['an image of another cluster', rbd('a', ['m']), rbd('a', ['n']), true],
    ['disks of different kinds', gce('a'), ebs('a'), true],
  ])('%s', (_, wanted, has, ok) => {
    const node = info('n1');
    node.add(podWith([has], 'other', 'n1'));
    expect(says(volumeRestrictions, [wanted], { node })).toEqual(ok ? [] : ['node(s) had no available disk']);
  });

  it('lets one pod use a ReadWriteOncePod claim, wherever it is', () => {
    const fixture = new PluginFixture([buildClaim('c', { modes: ['ReadWriteOncePod'] })]);
    fixture.cluster.setNode(buildNode('n2'));
    const plugin = build(volumeRestrictions, fixture.context);
    const pod = podWith(uses('c'));
    expect(plugin.preFilter(pod, [])).toBeUndefined();
    const other = podWith(uses('c'), 'other', 'n2');
    fixture.cluster.place(other, 'n2');
    const taken = [
      'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
    ];
    expect(refusalsOf(plugin, pod, info('n1'))).toEqual(taken);
    const state = plugin.preFilter(pod, []);
    const node = fixture.cluster.node('n2')!;
    plugin.removePod?.(state, other, node);
    expect(plugin.filter?.(state, node)).toBe(0);
    plugin.addPod?.(state, other, node);
    expect(plugin.filter?.(state, node)).not.toBe(0);
  });

  it('needs the claim', () => {
    expect(says(volumeRestrictions, uses('c'), {})).toBe('persistentvolumeclaim "c" not found');
  });

  it('wakes when a pod ends that had the claim or the disk', () => {
    const plugin = build(volumeRestrictions, new PluginFixture().context);
    const [onEnd] = plugin.wakeOn.filter((hint) => hint.kind.kind === 'Pod');
    const ended = (volumes: coreV1.Volume[]) => buildPod('x', { spec: { volumes } });
    const waiting = podWith([...uses('c'), gce('a')]);
    expect(onEnd?.helps?.(waiting, ended(uses('c')), undefined)).toBe(true);
    expect(onEnd?.helps?.(waiting, ended([gce('a')]), undefined)).toBe(true);
    expect(onEnd?.helps?.(waiting, ended([...uses('d'), gce('b')]), undefined)).toBe(false);
  });
});

describe('VolumeZone', () => {
  const zone = 'topology.kubernetes.io/zone';
  const beta = 'failure-domain.beta.kubernetes.io/zone';
  const inZone = (labels: Record<string, string>) => [boundTo('v'), buildVolume('v', { meta: { labels } })];
  const wrong = ['node(s) had no available volume zone'];
  it.each<[string, readonly KubeObject[], Record<string, string>, unknown]>([
    ['the same zone', inZone({ [zone]: 'a' }), { [zone]: 'a' }, []],
    ['another zone', inZone({ [zone]: 'a' }), { [zone]: 'b' }, wrong],
    ['one of several zones', inZone({ [zone]: 'a__b' }), { [zone]: 'b' }, []],
    ['a node of no zone', inZone({ [zone]: 'a' }), {}, []],
    [
      'a node that says only its region',
      inZone({ [zone]: 'a' }),
      { 'topology.kubernetes.io/region': 'r' },
      wrong,
    ],
    ['a label of before, for a node of today', inZone({ [beta]: 'a' }), { [zone]: 'a' }, []],
    ['a label of before, elsewhere', inZone({ [beta]: 'a' }), { [zone]: 'b' }, wrong],
    ['a volume without zone', inZone({}), { [zone]: 'a' }, undefined],
    ['a claim that waits', [buildClaim('c', { storageClass: 'late' }), late], { [zone]: 'a' }, undefined],
    ['no volume', [boundTo('v')], {}, 'persistentvolume "v" not found'],
    ['no claim', [], {}, 'persistentvolumeclaim "c" not found'],
    [
      'neither volume nor class',
      [buildClaim('c')],
      {},
      'PersistentVolumeClaim had no pv name and storageClass name',
    ],
    ['no class', [buildClaim('c', { storageClass: 'x' })], {}, 'storageclass.storage.k8s.io "x" not found'],
    [
      'not bound yet',
      [buildClaim('c', { storageClass: 'x' }), buildClass('x')],
      {},
      'PersistentVolume had no name',
    ],
  ])('%s', (_, objects, labels, expected) => {
    expect(says(volumeZone, uses('c'), { objects, node: info('n1', labels) })).toEqual(expected);
  });
});

describe('NodeVolumeLimits', () => {
  const csi = (name: string, handle = name, driver = 'd') =>
    buildVolume(name, { spec: { csi: { driver, volumeHandle: handle } } });
  const csiNode = (name: string, count: number | undefined) =>
    ({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSINode',
      metadata: { ...buildNode(name).metadata },
      spec: {
        drivers: [{ name: 'd', nodeID: name, ...(count !== undefined && { allocatable: { count } }) }],
      },
    }) as CSINode;
  const objects = [
    ...['a', 'b', 'c', 'x'].map((name) => boundTo(name, name)),
    ...['a', 'b', 'c'].map((name) => csi(name)),
    buildVolume('x'),
    buildClaim('later', { storageClass: 'late' }),
    buildClass('late', { waits: true, provisioner: 'd' }),
  ];
  const full = ['node(s) exceed max volume count'];
  it.each<[string, string[], readonly (string | string[])[], number | undefined, unknown]>([
    ['fits', ['a'], ['b'], 2, []],
    ['does not fit', ['a', 'b'], ['c'], 2, full],
    ['is there already', ['b'], ['b'], 1, []],
    ['is there already, with another', ['b', 'a'], ['b'], 1, full],
    ['counts once for two pods', ['a'], ['b', 'b'], 2, []],
    ['knows no limit', ['a', 'b', 'c'], [], undefined, []],
    ['no room at all', ['a'], [], 0, full],
    ['is not attached by a driver', ['x'], ['a'], 1, undefined],
    ['will be made by the driver', ['later'], ['a'], 1, full],
    ['has what will be made', ['a'], ['later'], 1, full],
  ])('%s', (_, wanted, has, count, expected) => {
    const node = info('n1');
    for (const [i, one] of has.entries()) node.add(podWith(uses(...[one].flat()), `other${i}`, 'n1'));
    const all = [...objects, csiNode('n1', count)];
    expect(says(nodeVolumeLimits, uses(...wanted), { objects: all, node })).toEqual(expected);
  });

  it('wakes when a node takes more', () => {
    const plugin = build(nodeVolumeLimits, new PluginFixture().context);
    const [hint] = plugin.wakeOn.filter((one) => one.kind === (CSINode as never) && one.on === 'update');
    const helps = (now: number | undefined, old: number | undefined) =>
      hint?.helps?.(podWith(uses('a')), csiNode('n1', now), csiNode('n1', old));
    expect([helps(3, 2), helps(undefined, 2), helps(2, 2), helps(1, 2)]).toEqual([true, true, false, false]);
  });
});
