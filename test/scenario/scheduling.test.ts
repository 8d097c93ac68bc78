// Where pods go and why they wait, on a whole control plane: spreading, affinity, gates, preemption, several schedulers.
import { afterEach, describe, expect, test } from 'vitest';
import { type coreV1, getCondition, isReady, Pod, PriorityClass } from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { readConfiguration } from '../../src/scheduler/index.ts';
import { ControlPlane } from '../../src/testkit/index.ts';

let plane: ControlPlane;
afterEach(() => plane.stop());

const start = async (nodes: Readonly<Record<string, string>>, options = {}) => {
  plane = await ControlPlane.start(options);
  for (const [name, zone] of Object.entries(nodes)) await plane.addNode(name, { zone });
};
const create = async (name: string, spec: Partial<coreV1.PodSpec>, labels: Record<string, string> = {}) => {
  await plane.client(Pod).create({
    metadata: { name, namespace: 'default', labels },
    spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
  } as Draft<Pod>);
  await plane.rest();
};
const remove = (name: string) => plane.client(Pod).delete(name, 'default');
const get = (name: string) => plane.client(Pod).get(name, 'default');
const nodeOf = async (name: string) => (await get(name)).spec.nodeName;
const whyNot = async (name: string) => getCondition(await get(name), 'PodScheduled');
const runs = (name: string) => plane.until(`${name} runs`, async () => isReady(await get(name)));
const asking = (cpu: string): Partial<coreV1.PodSpec> => ({
  containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }] as coreV1.Container[],
});
const app = { app: 'web' };
const far = (topologyKey: string): Partial<coreV1.PodSpec> => ({
  affinity: {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector: { matchLabels: app }, topologyKey }],
    },
  },
});
const hostname = 'kubernetes.io/hostname';
const zone = 'topology.kubernetes.io/zone';

test('pods that must not share a node wait for another node, or for one of them to go', async () => {
  await start({ n1: 'a', n2: 'b' });
  for (const name of ['p1', 'p2', 'p3', 'p4']) await create(name, far(hostname), app);
  expect(new Set([await nodeOf('p1'), await nodeOf('p2')])).toEqual(new Set(['n1', 'n2']));
  expect(await whyNot('p3')).toMatchObject({
    status: 'False',
    reason: 'Unschedulable',
    message:
      "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
  });
  await plane.addNode('n3', { zone: 'c' });
  await runs('p3');
  expect(await nodeOf('p3')).toBe('n3');
  await remove('p1');
  await runs('p4');
});

test('a pod keeps off where another wants to be alone, and comes when the other stops wanting it', async () => {
  await start({ n1: 'a', n2: 'a' });
  await create('hermit', far(zone), { app: 'hermit' });
  await create('p', {}, app);
  expect((await whyNot('p'))?.message).toBe(
    "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
  );
  await remove('hermit');
  await runs('p');
});

test('pods follow those they want to be near; the first of its kind may go anywhere', async () => {
  await start({ n1: 'a', n2: 'b', n3: 'b' });
  const near = {
    affinity: {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: app }, topologyKey: zone },
        ],
      },
    },
  };
  await create('stranger', near);
  expect((await whyNot('stranger'))?.message).toBe(
    "0/3 nodes are available: 3 node(s) didn't match pod affinity rules. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
  );
  await create('first', near, app);
  await runs('first');
  await runs('stranger');
  const zoneOf = async (name: string) => ((await nodeOf(name)) === 'n1' ? 'a' : 'b');
  expect(await zoneOf('stranger')).toBe(await zoneOf('first'));
});

test('pods spread over zones as their constraint wants', async () => {
  await start({ a1: 'a', a2: 'a', b1: 'b' });
  const spread = (whenUnsatisfiable: string) => ({
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: zone,
        whenUnsatisfiable,
        labelSelector: { matchLabels: app },
        minDomains: 2,
      },
    ].map(({ minDomains, ...rest }) =>
      whenUnsatisfiable === 'DoNotSchedule' ? { minDomains, ...rest } : rest,
    ),
  });
  for (const name of ['p1', 'p2', 'p3', 'p4']) await create(name, spread('DoNotSchedule'), app);
  const zones = await Promise.all(['p1', 'p2', 'p3', 'p4'].map(async (name) => (await nodeOf(name))?.[0]));
  expect(zones.sort()).toEqual(['a', 'a', 'b', 'b']);
});

test('a gated pod is not tried until its gates are gone', async () => {
  await start({ n1: 'a' });
  await create('p', { schedulingGates: [{ name: 'example.com/quota' }] });
  await plane.advance(2000);
  expect(await whyNot('p')).toMatchObject({ status: 'False', reason: 'SchedulingGated' });
  expect(await plane.events('FailedScheduling')).toEqual([]);
  const pod = structuredClone(await get('p'));
  pod.spec.schedulingGates = [];
  await plane.client(Pod).update(pod);
  await runs('p');
});

test('a waiting pod that is deleted is gone at once and leaves room for the next', async () => {
  await start({ n1: 'a' });
  await create('large', asking('9'));
  await remove('large');
  await create('small', asking('4'));
  await runs('small');
});

describe('preemption', () => {
  const important = async () => {
    await plane
      .client(PriorityClass)
      .create({ metadata: { name: 'important' }, value: 1000 } as Draft<PriorityClass>);
    await plane.client(PriorityClass).create({
      metadata: { name: 'polite' },
      value: 1000,
      preemptionPolicy: 'Never',
    } as Draft<PriorityClass>);
    await plane.rest();
  };

  test('a less important pod is told why, ends with its grace, and its room is kept for the other', async () => {
    await start({ n1: 'a' });
    await important();
    await create('old', asking('2'));
    await create('older', asking('2'));
    await plane.advance(2000);
    await create('vip', { ...asking('2'), priorityClassName: 'important' });
    expect((await get('vip')).status?.nominatedNodeName).toBe('n1');
    const left = await plane.pods();
    const victim = left.find((pod) => pod.metadata.deletionTimestamp !== undefined)!;
    expect(getCondition(victim, 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
    });
    const { uid } = (await get('vip')).metadata;
    expect(await plane.events('Preempted')).toEqual([`Preempted by pod ${uid} on node n1`]);
    // It would fit once the victim is gone, but the room is promised.
    await create('chancer', asking('2'));
    await runs('vip');
    expect((await get('vip')).status?.nominatedNodeName).toBeUndefined();
    expect(await nodeOf('chancer')).toBeUndefined();
    expect((await plane.pods()).filter((pod) => pod.spec.nodeName === 'n1')).toHaveLength(2);
  });

  test('not by a pod whose class is polite', async () => {
    await start({ n1: 'a' });
    await important();
    await create('old', asking('4'));
    await create('vip', { ...asking('2'), priorityClassName: 'polite' });
    await plane.advance(2000);
    expect((await whyNot('vip'))?.message).toBe(
      '0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.',
    );
    expect((await plane.pods()).every((pod) => pod.metadata.deletionTimestamp === undefined)).toBe(true);
  });

  test('the more important pod is tried first', async () => {
    await start({});
    await important();
    await create('p', asking('4'));
    await create('vip', { ...asking('4'), priorityClassName: 'important' });
    await plane.addNode('n1', {});
    await plane.advance(2000);
    expect([await nodeOf('p'), await nodeOf('vip')]).toEqual([undefined, 'n1']);
  });
});

test('each scheduler name decides in its own way, and leaves the pods of others alone', async () => {
  const scheduler = readConfiguration({
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    profiles: [
      { schedulerName: 'default-scheduler' },
      {
        schedulerName: 'packer',
        pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'MostAllocated' } } }],
      },
    ],
  });
  await start({ n1: 'a', n2: 'a' }, { scheduler });
  await create('seed', { ...asking('1'), nodeSelector: { [hostname]: 'n1' } });
  await create('spread', asking('1'));
  await create('more', { ...asking('1'), nodeSelector: { [hostname]: 'n1' } });
  await create('packed', { ...asking('1'), schedulerName: 'packer' });
  await create('foreign', { ...asking('1'), schedulerName: 'somebody-else' });
  await plane.advance(2000);
  expect([await nodeOf('spread'), await nodeOf('packed'), await nodeOf('foreign')]).toEqual([
    'n2',
    'n1',
    undefined,
  ]);
});
