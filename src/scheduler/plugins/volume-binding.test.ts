// VolumeBinding: what it says of a pod and a node, what it promises and gives back, and what wakes a pod.
import { describe, expect, it } from 'vitest';
import {
  CSIStorageCapacity,
  type coreV1,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../../api/index.ts';
import type { KubeObject } from '../../machinery/index.ts';
import {
  buildClaim,
  buildClass,
  buildNode,
  buildPod,
  buildVolume,
  PluginFixture,
  refusalsOf,
} from '../../testkit/index.ts';
import { NodeInfo } from '../node-info.ts';
import type { Plugin, PluginContext, PluginFactory } from '../plugin.ts';
import { podInfo } from '../pod-info.ts';
import { volumeBinding } from './volume-binding.ts';

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
