// Simulated nodes under a whole control plane: pods that live as their stages say, and nodes that fail by annotation.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Deployment, isActive, isReady, Job, Node, Pod } from '../../src/api/index.ts';
import { Scope, seededRandom, silentLog } from '../../src/base/index.ts';
import { createEventRecorder, createInformers } from '../../src/client/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import {
  conditionsAnnotation,
  delayAnnotation,
  networkAnnotation,
  parseScript,
  powerAnnotation,
  type Simulation,
  simulatedLabel,
  startSimulation,
} from '../../src/simulation/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

let plane: ControlPlane;
let scope: Scope;
let simulation: Simulation;
beforeEach(async () => {
  plane = await ControlPlane.start();
});
afterEach(async () => {
  await scope.stop();
  await plane.stop();
});

async function simulate(nodes: number, text = ''): Promise<void> {
  scope = new Scope(silentLog);
  const { client, clock } = plane;
  const parts = { client, clock, scope, log: silentLog, random: seededRandom(7) };
  const starting = startSimulation({
    ...parts,
    informers: createInformers(client, parts),
    events: createEventRecorder(client, parts),
    nodes,
    script: await parseScript(text),
    version: 'v1.35.0',
  });
  await plane.advance(500);
  simulation = await starting;
}

const create = (name: string, spec: object, metadata: object = {}) =>
  plane.client(Pod).create({
    metadata: { name, namespace: 'default', labels: { app: name }, ...metadata },
    spec: { containers: [{ name: 'c', image: 'app:1' }], ...spec },
  } as Draft<Pod>);
const get = (name: string) => plane.client(Pod).get(name, 'default');
const deploy = async (replicas: number) => {
  const labels = { app: 'web' };
  await plane.client(Deployment).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: buildTemplate(labels) },
  } as Draft<Deployment>);
  await plane.until('ready', async () => (await ready()).length === replicas);
};
const ready = async () => (await plane.pods({ app: 'web' })).filter((pod) => isActive(pod) && isReady(pod));
const annotate = (name: string, annotations: Record<string, string | null>) =>
  plane.client(Node).patch({ name }, 'merge', { metadata: { annotations } });
const containerOf = async (name: string) => (await get(name)).status?.containerStatuses?.[0];
const eventsOf = async () =>
  (
    await Promise.all(
      ['Pulled', 'Created', 'Started', 'Killing', 'BackOff', 'Failed'].map((r) => plane.events(r)),
    )
  ).flat();

test('nodes join as machines do: labels, capacity, addresses, a range of pods, a lease', async () => {
  await simulate(
    3,
    'nodes: { zones: [a, b], types: [{ name: small, cpu: 4, memory: 8Gi, pods: 20, labels: { disk: ssd } }] }',
  );
  await plane.advance(1000);
  const nodes = await plane.client(Node).list();
  expect(
    nodes.items.map(({ metadata: { name, labels }, spec, status }) => [
      name,
      labels?.['topology.kubernetes.io/zone'],
      labels?.['node.kubernetes.io/instance-type'],
      labels?.['kubernetes.io/hostname'],
      labels?.['disk'],
      spec.taints ?? [],
      status?.capacity?.['cpu'],
      status?.capacity?.['pods'],
      status?.addresses?.[0]?.address,
      status?.conditions?.map(({ type, status: value }) => `${type}=${value}`).join(),
    ]),
  ).toEqual(
    [
      ['sim-1', 'a', '198.18.0.1'],
      ['sim-2', 'b', '198.18.0.2'],
      ['sim-3', 'a', '198.18.0.3'],
    ].map(([name, zone, ip]) => [
      name,
      zone,
      'small',
      name,
      'ssd',
      [],
      '4',
      '20',
      ip,
      'MemoryPressure=False,DiskPressure=False,PIDPressure=False,Ready=True',
    ]),
  );
  expect(new Set(nodes.items.map(({ spec }) => spec.podCIDR)).size).toBe(3);
  expect(simulation.size).toBe(3);
});

test('pods run with addresses of their own, are reported as a kubelet reports them, and end in their grace', async () => {
  await simulate(2);
  await deploy(8);
  const pods = await ready();
  const nodes = new Map(
    (await plane.client(Node).list()).items.map((n) => [n.metadata.name, n.spec.podCIDR!]),
  );
  expect(new Set(pods.map(({ status }) => status?.podIP)).size).toBe(8);
  for (const { spec, status } of pods)
    expect(status?.podIP?.startsWith(nodes.get(spec.nodeName!)!.replace(/0\/24$/, ''))).toBe(true);
  const { status } = pods[0]!;
  expect(status?.phase).toBe('Running');
  expect(status?.conditions?.map((c) => `${c.type}=${c.status}`).sort()).toEqual([
    'ContainersReady=True',
    'Initialized=True',
    'PodReadyToStartContainers=True',
    'PodScheduled=True',
    'Ready=True',
  ]);
  expect(status?.containerStatuses?.[0]).toMatchObject({ ready: true, started: true, restartCount: 0 });
  await plane
    .client(Deployment)
    .patch({ name: 'web', namespace: 'default' }, 'merge', { spec: { replicas: 0 } });
  await plane.until('gone', async () => (await plane.pods()).length === 0, 5000);
  await plane.advance(1000);
  const said = await eventsOf();
  for (const note of [
    'Container created',
    'Container started',
    'Stopping container app',
    'Container image "i:1" already present on machine and can be accessed by the pod',
  ])
    expect([note, said.some((text) => text === note || text.startsWith(note.slice(0, 18)))]).toEqual([
      note,
      true,
    ]);
});

test('a container that crashes is started again, waits longer each time, and may recover', async () => {
  await simulate(
    1,
    'pods: [{ name: crash, selector: { matchLabels: { app: crash } }, ends: { after: 1s, exitCode: 1, reason: OOMKilled, times: 2 } }]',
  );
  await create('crash', {});
  await plane.until(
    'back-off',
    async () => (await containerOf('crash'))?.state?.waiting?.reason === 'CrashLoopBackOff',
  );
  expect(await containerOf('crash')).toMatchObject({
    restartCount: 1,
    ready: false,
    lastState: { terminated: { exitCode: 1, reason: 'OOMKilled' } },
    state: { waiting: { message: expect.stringContaining('back-off 10s restarting failed container=c') } },
  });
  await plane.advance(12_000);
  expect(await containerOf('crash')).toMatchObject({ restartCount: 2, ready: true });
  await plane.advance(60_000);
  expect(await containerOf('crash')).toMatchObject({ restartCount: 2, ready: true });
});

test('images that cannot be pulled, pods that never get ready, pods that are given up, deadlines', async () => {
  await simulate(
    1,
    `
pods:
  - { name: pull, selector: { matchLabels: { app: pull } }, pullFailures: 2 }
  - { name: never, selector: { matchLabels: { app: never } }, ready: never }
  - { name: evicted, selector: { matchLabels: { app: evicted } }, fails: { after: 2s, reason: Evicted, message: no room } }
`,
  );
  await create('pull', {});
  await create('never', {});
  await create('evicted', {});
  await create('late', { activeDeadlineSeconds: 3 });
  await plane.advance(2000);
  expect((await containerOf('pull'))?.state?.waiting?.reason).toMatch(/ErrImagePull|ImagePullBackOff/);
  expect((await get('pull')).status?.phase).toBe('Pending');
  await plane.advance(5000);
  expect((await get('never')).status?.phase).toBe('Running');
  expect(isReady(await get('never'))).toBe(false);
  expect((await get('evicted')).status).toMatchObject({
    phase: 'Failed',
    reason: 'Evicted',
    message: 'no room',
  });
  expect((await get('late')).status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  await plane.advance(40_000);
  expect(isReady(await get('pull'))).toBe(true);
});

test('init containers go first, one after another; jobs complete; readiness gates are respected', async () => {
  await simulate(1);
  await create('init', {
    initContainers: [
      { name: 'one', image: 'i' },
      { name: 'two', image: 'i' },
    ],
  });
  await create('gated', { readinessGates: [{ conditionType: 'example.com/ok' }] });
  await plane.client(Job).create({
    metadata: { name: 'work', namespace: 'default' },
    spec: {
      completions: 3,
      parallelism: 2,
      template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } },
    },
  } as Draft<Job>);
  await plane.until(
    'done',
    async () => (await plane.client(Job).get('work', 'default')).status?.succeeded === 3,
    20_000,
  );
  const { status } = await get('init');
  expect(isReady(await get('init'))).toBe(true);
  expect(status?.initContainerStatuses?.map((c) => [c.name, c.state?.terminated?.reason])).toEqual([
    ['one', 'Completed'],
    ['two', 'Completed'],
  ]);
  expect(isReady(await get('gated'))).toBe(false);
  await plane.client(Pod).patch({ name: 'gated', namespace: 'default', subresource: 'status' }, 'strategic', {
    status: { conditions: [{ type: 'example.com/ok', status: 'True' }] },
  });
  await plane.advance(500);
  expect(isReady(await get('gated'))).toBe(true);
});

test('the pods of a node without power are ready elsewhere within five seconds; it comes back, empty, and is used again', async () => {
  await simulate(4);
  await deploy(12);
  await plane.advance(3000);
  await annotate('sim-1', { [powerAnnotation]: 'off' });
  const elsewhere = async () => {
    const now = await ready();
    return now.length === 12 && now.every((pod) => pod.spec.nodeName !== 'sim-1');
  };
  const tookMs = await plane.until('elsewhere', elsewhere);
  expect(tookMs).toBeGreaterThan(1000);
  expect(tookMs).toBeLessThanOrEqual(5000);
  expect(simulation.usage.node('sim-1')).toBeUndefined();
  await annotate('sim-1', { [powerAnnotation]: null });
  await plane.until(
    'trusted',
    async () => {
      const { spec, status } = await plane.client(Node).get('sim-1');
      const says = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
      return (spec.taints ?? []).length === 0 && says === 'True';
    },
    5000,
  );
  await plane
    .client(Deployment)
    .patch({ name: 'web', namespace: 'default' }, 'merge', { spec: { replicas: 24 } });
  await plane.until('more', async () => (await ready()).length === 24);
  expect((await ready()).filter((pod) => pod.spec.nodeName === 'sim-1').length).toBeGreaterThan(0);
});

test('a short power cut starts the containers again; a short cut of the network does not', async () => {
  await simulate(2);
  await create('a', { nodeName: 'sim-1' });
  await create('b', { nodeName: 'sim-2' });
  await plane.advance(2000);
  await annotate('sim-1', { [powerAnnotation]: 'off' });
  await annotate('sim-2', { [networkAnnotation]: 'cut' });
  await plane.advance(700);
  await annotate('sim-1', { [powerAnnotation]: null });
  await annotate('sim-2', { [networkAnnotation]: null });
  await plane.advance(3000);
  expect(await containerOf('a')).toMatchObject({
    ready: true,
    restartCount: 1,
    lastState: { terminated: { exitCode: 255, reason: 'Unknown' } },
  });
  expect(await containerOf('b')).toMatchObject({ ready: true, restartCount: 0 });
});

test('a slow node whose word is young enough is let be; pressure becomes a taint and goes', async () => {
  await simulate(4);
  await annotate('sim-1', { [delayAnnotation]: '1s', [conditionsAnnotation]: 'MemoryPressure' });
  await plane.advance(3000);
  const node = async () => plane.client(Node).get('sim-1');
  expect((await node()).spec.taints?.map(({ key }) => key)).toEqual(['node.kubernetes.io/memory-pressure']);
  await annotate('sim-1', { [delayAnnotation]: null, [conditionsAnnotation]: null });
  await plane.advance(3000);
  expect((await node()).spec.taints ?? []).toEqual([]);
});

test('incidents of the script befall nodes and pass', async () => {
  await simulate(
    4,
    'incidents: [{ name: outage, selector: { matchLabels: { kubernetes.io/hostname: sim-2 } }, after: 5s, lasts: 10s, power: off }]',
  );
  const readiness = async () =>
    (await plane.client(Node).get('sim-2')).status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  await plane.advance(4000);
  expect(await readiness()).toBe('True');
  await plane.advance(6000);
  expect(await readiness()).toBe('Unknown');
  await plane.advance(10_000);
  expect(await readiness()).toBe('True');
});

test('a bare Node with the label comes to life, and is forgotten when it is deleted', async () => {
  await simulate(0);
  await plane
    .client(Node)
    .create({ metadata: { name: 'extra', labels: { [simulatedLabel]: 'true' } }, spec: {} } as Draft<Node>);
  await plane.advance(2000);
  const { metadata, status } = await plane.client(Node).get('extra');
  expect(metadata.labels?.['kubernetes.io/hostname']).toBe('extra');
  expect(status?.capacity?.['cpu']).toBe('32');
  await create('p', { nodeName: 'extra' });
  await plane.advance(1000);
  expect(isReady(await get('p'))).toBe(true);
  await plane.client(Node).delete('extra');
  await plane.advance(1000);
  expect(simulation.size).toBe(0);
});

test('a simulation that is started again goes on with what runs', async () => {
  await simulate(2);
  await create('a', {});
  await plane.advance(2000);
  const before = (await get('a')).status;
  await scope.stop();
  await simulate(2);
  await plane.advance(2000);
  const after = (await get('a')).status;
  expect(after?.containerStatuses).toEqual(before?.containerStatuses);
  expect(after?.podIP).toBe(before?.podIP);
  await create('b', { nodeName: (await get('a')).spec.nodeName });
  await plane.advance(1000);
  expect((await get('b')).status?.podIP).not.toBe(after?.podIP);
});

test('usage: what annotations say, else the stage, else half of the requests', async () => {
  await simulate(
    1,
    'pods: [{ name: s, selector: { matchLabels: { app: staged } }, usage: { cpu: 70m, memory: 100Mi } }]',
  );
  const requests = { resources: { requests: { cpu: '200m', memory: '64Mi' } } };
  await create('asked', { containers: [{ name: 'c', image: 'i', ...requests }] });
  await create('staged', {});
  await create(
    'said',
    {},
    { annotations: { 'simulation.jotasu.dev/cpu-usage': '1', 'simulation.jotasu.dev/memory-usage': '1Gi' } },
  );
  await plane.advance(2000);
  const of = (name: string) => simulation.usage.pod('default', name)?.containers;
  expect([of('asked'), of('staged'), of('said')]).toEqual([
    [{ name: 'c', cpuMilli: 100, memoryBytes: 32 * 1024 ** 2 }],
    [{ name: 'c', cpuMilli: 70, memoryBytes: 100 * 1024 ** 2 }],
    [{ name: 'c', cpuMilli: 1000, memoryBytes: 1024 ** 3 }],
  ]);
  expect(simulation.usage.node('sim-1')?.cpuMilli).toBe(100 + 100 + 70 + 1000);
  expect(simulation.usage.podsOf('sim-1')).toHaveLength(3);
});
