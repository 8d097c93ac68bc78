// Groups of nodes that come and go with the need for them: simulated nodes, the scheduler and the cluster autoscaler together.
import { afterEach, expect, test } from 'vitest';
import { ConfigMap, Deployment, isActive, isReady, Node, PodDisruptionBudget } from '../../src/api/index.ts';
import { trialsWith } from '../../src/app/index.ts';
import { Scope, seededRandom, silentLog } from '../../src/base/index.ts';
import { createEventRecorder, createInformers } from '../../src/client/index.ts';
import { clusterAutoscalerController, startControllers } from '../../src/controllers/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import {
  type NodeGroupBounds,
  nodeGroupLabel,
  parseScript,
  SimulatedNodeGroups,
  startSimulation,
} from '../../src/simulation/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

let plane: ControlPlane;
let scope: Scope;
afterEach(async () => {
  await scope.stop();
  await plane.stop();
});

const script = `
nodes:
  types:
    - { name: small, cpu: 2, memory: 4Gi }
`;

async function setUp(bounds: readonly NodeGroupBounds[]): Promise<void> {
  plane = await ControlPlane.start();
  await begin(bounds);
}

async function begin(bounds: readonly NodeGroupBounds[]): Promise<void> {
  scope = new Scope(silentLog);
  const { client, clock } = plane;
  const parts = { client, clock, scope, log: silentLog, random: seededRandom(7) };
  const informers = createInformers(client, parts);
  const events = createEventRecorder(client, parts);
  const read = await parseScript(script);
  const starting = startSimulation({
    ...parts,
    informers,
    events,
    nodes: 0,
    script: read,
    version: 'v1.35.0',
  });
  await plane.advance(500);
  await starting;
  const nodes = informers(Node);
  await plane.rest();
  await nodes.synced;
  const provider = new SimulatedNodeGroups({
    client,
    clock,
    nodes,
    bounds,
    script: read,
    version: 'v1.35.0',
  });
  await provider.ensureMinimum();
  const autoscaler = clusterAutoscalerController({
    provider,
    beginTrial: trialsWith({ client, informers, clock }),
    settings: { scanIntervalMs: 2000, unneededMs: 10_000, delayAfterAddMs: 5000, drainTimeoutMs: 20_000 },
  });
  startControllers([autoscaler], { ...parts, informers, events });
  await plane.advance(2000);
}

const at = { name: 'web', namespace: 'default' };
const labels = { app: 'web' };
async function deploy(replicas: number, cpu: string): Promise<void> {
  const template = buildTemplate(labels);
  template.spec!.containers[0]!.resources = { requests: { cpu } };
  await plane.client(Deployment).create({
    metadata: at,
    spec: { replicas, selector: { matchLabels: labels }, template },
  } as Draft<Deployment>);
}
const scale = (replicas: number) => plane.client(Deployment).patch(at, 'merge', { spec: { replicas } });
const ready = async () => (await plane.pods(labels)).filter((pod) => isActive(pod) && isReady(pod)).length;
const nodes = async () => (await plane.client(Node).list()).items;
const size = async () => (await nodes()).length;
const until = (count: number, limitMs = 60_000) =>
  plane.until(`${count} nodes`, async () => (await size()) === count, limitMs);
/** No more nodes than the bounds allow, whenever one looks. */
const within = (min: number, max: number) => async () => {
  expect(await size()).toBeGreaterThanOrEqual(min);
  expect(await size()).toBeLessThanOrEqual(max);
};

test('a group grows for pods that fit nowhere, as far as it may', async () => {
  await setUp([{ name: 'small', min: 1, max: 4 }]);
  expect(await size()).toBe(1);
  // Three quarters of a core on machines of two: two pods each.
  await deploy(6, '750m');
  await plane.until('6 pods', async () => (await ready()) === 6);
  expect(await size()).toBe(3);
  const triggered = await plane.events('TriggeredScaleUp');
  expect(triggered.length).toBeGreaterThan(0);
  expect(triggered[0]).toMatch(/^pod triggered scale-up: \[\{small 1->[23] \(max: 4\)\}\]$/);
  expect((await nodes()).every(({ metadata }) => metadata.labels?.[nodeGroupLabel] === 'small')).toBe(true);

  await scale(12);
  await plane.advance(15_000, within(1, 4));
  expect([await size(), await ready()]).toEqual([4, 8]);
  expect([...new Set(await plane.events('NotTriggerScaleUp'))]).toEqual([
    "pod didn't trigger scale-up: 1 max node group size reached",
  ]);
});

test('a pod that no machine is large enough for is told so', async () => {
  await setUp([{ name: 'small', min: 0, max: 4 }]);
  await deploy(1, '3');
  await plane.advance(6000);
  expect(await size()).toBe(0);
  expect(await plane.events('NotTriggerScaleUp')).toEqual([
    "pod didn't trigger scale-up: 1 Insufficient cpu",
  ]);
});

test('nodes that nobody needs go, their pods move, and then nothing is written', async () => {
  await setUp([{ name: 'small', min: 1, max: 5 }]);
  await deploy(8, '750m');
  await until(4);
  await plane.until('8 pods', async () => (await ready()) === 8);
  await scale(2);
  await plane.advance(60_000, within(1, 5));
  expect([await size(), await ready()]).toEqual([1, 2]);
  expect(await plane.events('ScaleDown', 'default')).toContain('node removed by cluster autoscaler');
  const status = () => plane.client(ConfigMap).get('cluster-autoscaler-status', 'kube-system');
  const before = await status();
  expect(before.data?.['status']).toContain('    cloudProviderTarget: 1\n    minSize: 1\n    maxSize: 5\n');
  await plane.advance(20_000);
  expect((await status()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
});

test('what may not be disturbed keeps its node', async () => {
  await setUp([{ name: 'small', min: 0, max: 3 }]);
  await deploy(2, '1200m');
  await until(2);
  await plane.until('2 pods', async () => (await ready()) === 2);
  await plane.client(PodDisruptionBudget).create({
    metadata: at,
    spec: { minAvailable: 1, selector: { matchLabels: labels } },
  } as Draft<PodDisruptionBudget>);
  await plane.advance(1000);
  await scale(1);
  const [first] = await nodes();
  await plane.client(Node).patch({ name: first!.metadata.name }, 'merge', {
    metadata: { annotations: { 'cluster-autoscaler.kubernetes.io/scale-down-disabled': 'true' } },
  });
  await plane.advance(40_000);
  // One is held by its annotation, the other (if it is not the same) by the budget of the last pod.
  const left = (await nodes()).map(({ metadata }) => metadata.name);
  expect(left).toContain(first!.metadata.name);
  expect(await ready()).toBe(1);
});

test('a restart in the middle of a drain goes on with it', async () => {
  const bounds = [{ name: 'small', min: 1, max: 5 }];
  await setUp(bounds);
  await deploy(6, '600m');
  await plane.until('6 pods', async () => (await ready()) === 6);
  expect(await size()).toBe(2);
  await scale(3);
  await plane.until(
    'a node is on its way out',
    async () => (await nodes()).some(({ spec }) => spec.unschedulable === true),
    60_000,
  );
  await scope.stop();
  await begin(bounds);
  await until(1);
  await plane.until('3 pods', async () => (await ready()) === 3);
});
