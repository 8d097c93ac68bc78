// The smaller plugins about volumes: what they say of a pod and a node, and what wakes a pod.
import { describe, expect, it } from 'vitest';
import { CSINode, type coreV1 } from '../../api/index.ts';
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
import { nodeVolumeLimits } from './node-volume-limits.ts';
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
const boundTo = (volume: string, name = 'c') => buildClaim(name, { volume, bound: true });

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
