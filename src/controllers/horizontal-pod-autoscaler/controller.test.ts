// The controller on the fake API server: events late, doubled and out of step, calls that fail; it ends where it should, never leaves the
// bounds on the way, and writes nothing at rest.
import { afterEach, describe, expect, test } from 'vitest';
import { Deployment, HorizontalPodAutoscaler, Pod, PodMetrics } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import { type Draft, formatTime, internalError } from '../../machinery/index.ts';
import { buildDeployment, buildPod, ControllerHarness, disorderly } from '../../testkit/index.ts';
import { horizontalPodAutoscalerController } from './controller.ts';

let harness: ControllerHarness;
afterEach(() => harness.stop());

const at = { name: 'web', namespace: 'default' };
const draftOf = <T extends { metadata: object }>(object: T) => ({ ...object, metadata: { ...at } });

async function setUp(seed: number): Promise<void> {
  harness = new ControllerHarness({
    seed,
    delivery: disorderly(seededRandom(seed), { maxMs: 800, twice: true }),
  });
  await harness.create(Deployment, draftOf(buildDeployment('web', 2)) as Draft<Deployment>);
  await harness.create(HorizontalPodAutoscaler, {
    metadata: at,
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 2,
      maxReplicas: 9,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
        },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 30 } },
    },
  } as Draft<HorizontalPodAutoscaler>);
}

const size = async () => (await harness.list(Deployment))[0]!.spec.replicas!;
const hpa = async () => (await harness.list(HorizontalPodAutoscaler))[0]!;

/** Deployment, nodes and metrics in one: as many running pods as are wanted, which share `loadMilli`. */
async function cluster(loadMilli: number): Promise<void> {
  const wanted = await size();
  const pods = await harness.list(Pod);
  for (const pod of pods.slice(wanted)) {
    await harness.client(Pod).delete(pod.metadata.name, 'default', { gracePeriodSeconds: 0 });
    await harness.client(PodMetrics).delete(pod.metadata.name, 'default');
  }
  const long = formatTime(harness.clock.nowMs() - 3_600_000);
  for (let i = pods.length; i < wanted; i++) {
    const { spec } = buildPod('x', { requests: { cpu: '100m' } });
    const made = await harness.create(Pod, {
      metadata: { generateName: 'web-', namespace: 'default', labels: { app: 'web' } },
      spec,
    } as Draft<Pod>);
    await harness.client(Pod).updateStatus({
      ...made,
      status: {
        phase: 'Running',
        startTime: long,
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: long }],
      },
    });
  }
  const now = await harness.list(Pod);
  const each = Math.floor(loadMilli / now.length);
  const known = new Map((await harness.list(PodMetrics)).map((one) => [one.metadata.name, one]));
  for (const { metadata } of now) {
    const measured = {
      timestamp: formatTime(harness.clock.nowMs()),
      window: '15s',
      containers: [{ name: 'c', usage: { cpu: `${each}m` } }],
    };
    const old = known.get(metadata.name);
    if (old === undefined)
      await harness.create(PodMetrics, {
        metadata: { name: metadata.name, namespace: 'default', labels: { app: 'web' } },
        ...measured,
      } as Draft<PodMetrics>);
    else await harness.client(PodMetrics).update({ ...old, ...measured });
  }
  await harness.client(Deployment).patch({ ...at, subresource: 'status' }, 'merge', {
    status: { replicas: now.length },
  });
}

async function run(seconds: number, loadMilli: number): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 5) {
    await cluster(loadMilli);
    await harness.advance(5000);
    expect(await size()).toBeGreaterThanOrEqual(2);
    expect(await size()).toBeLessThanOrEqual(9);
  }
}
const controllerWrites = () =>
  harness.transport.calls.filter(
    ({ verb, target }) =>
      (verb === 'update' || verb === 'patch') &&
      (target.subresource === 'scale' || target.kind.kind === 'HorizontalPodAutoscaler'),
  ).length;

describe.each([1, 2, 3])('in disorder %d', (seed) => {
  test('it follows the load up and down, and rests', async () => {
    await setUp(seed);
    await cluster(100);
    await harness.start(horizontalPodAutoscalerController());
    await run(20, 100);
    expect(await size()).toBe(2);
    await run(60, 300);
    expect(await size()).toBe(6);
    expect((await hpa()).status).toMatchObject({ currentReplicas: 6, desiredReplicas: 6 });
    await run(90, 5000);
    expect(await size()).toBe(9);
    await run(120, 150);
    expect(await size()).toBe(3);
    const before = controllerWrites();
    await run(60, 150);
    expect(controllerWrites()).toBe(before);
    expect(harness.events.filter(({ reason }) => reason === 'SuccessfulRescale')[0]).toMatchObject({
      component: 'horizontal-pod-autoscaler',
      about: 'default/web',
      message: 'New size: 6; reason: cpu resource utilization (percentage of request) above target',
    });
  });

  test('it gets there past calls that fail', async () => {
    await setUp(seed);
    await cluster(300);
    const random = seededRandom(seed);
    harness.transport.failWith = ({ verb, target }) =>
      verb !== 'watch' &&
      verb !== 'list' &&
      (target.subresource === 'scale' || target.kind.kind === 'HorizontalPodAutoscaler') &&
      random.next() < 0.3
        ? internalError(new Error('no luck'))
        : undefined;
    await harness.start(horizontalPodAutoscalerController());
    await run(240, 300);
    expect(await size()).toBe(6);
  });
});

test('what it cannot find, and two for the same pods', async () => {
  await setUp(1);
  await cluster(100);
  const second = await hpa();
  await harness.create(HorizontalPodAutoscaler, {
    metadata: { name: 'other', namespace: 'default' },
    spec: second.spec,
  });
  await harness.create(HorizontalPodAutoscaler, {
    metadata: { name: 'lost', namespace: 'default' },
    spec: { ...second.spec, scaleTargetRef: { apiVersion: 'example.com/v1', kind: 'Widget', name: 'w' } },
  });
  await harness.start(horizontalPodAutoscalerController());
  await run(40, 100);
  const messages = new Set(
    harness.events.map(({ about, reason, message }) => `${about} ${reason} ${message}`),
  );
  expect(messages).toContain(
    'default/lost FailedGetScale no matches for kind "Widget" in group "example.com"',
  );
  expect(messages).toContain(
    'default/web AmbiguousSelector pods by selector app=web are controlled by multiple HPAs: [{other default} {web default}]',
  );
});
