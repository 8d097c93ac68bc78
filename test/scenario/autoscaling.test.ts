// What a user sees of an autoscaler: the metrics API, the autoscaler and the Deployment together, on a whole control plane.
import { afterEach, expect, test } from 'vitest';
import {
  CustomResourceDefinition,
  Deployment,
  HorizontalPodAutoscaler,
  type Pod,
  type UsageSource,
} from '../../src/api/index.ts';
import { MetricFeed } from '../../src/apiserver/index.ts';
import { FakeClock } from '../../src/base/index.ts';
import { type Draft, defineKind, type KubeObject, ObjectSchema } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane, epochMs } from '../../src/testkit/index.ts';

const labels = { app: 'web' };
const at = { name: 'web', namespace: 'default' };
let plane: ControlPlane;
afterEach(() => plane.stop());

/** What each pod uses, by what the test says. */
class Load implements UsageSource {
  ready = true;
  milliPerPod = 0;
  nowMs = () => 0;

  node(): undefined {
    return undefined;
  }

  pod() {
    return {
      timeMs: this.nowMs(),
      windowMs: 15_000,
      containers: [{ name: 'c', cpuNanoCores: this.milliPerPod * 1e6, memoryBytes: 2 ** 20 }],
    };
  }
}

async function setUp(spec: Partial<HorizontalPodAutoscaler['spec']>) {
  const load = new Load();
  const feed = new MetricFeed(new FakeClock(epochMs));
  plane = await ControlPlane.start({ server: { usage: [load], workloadMetrics: [feed] } });
  load.nowMs = () => plane.clock.nowMs();
  for (const name of ['n1', 'n2', 'n3']) await plane.addNode(name);
  const template = buildTemplate(labels);
  template.spec!.containers[0]!.resources = { requests: { cpu: '100m' } };
  await plane.client(Deployment).create({
    metadata: at,
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  } as Draft<Deployment>);
  await plane.until('a pod runs', async () => (await readyPods()).length === 1);
  await plane.client(HorizontalPodAutoscaler).create({
    metadata: at,
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 5,
      ...spec,
    },
  } as Draft<HorizontalPodAutoscaler>);
  return { load, feed };
}

const readyPods = async () =>
  (await plane.pods(labels)).filter((pod: Pod) =>
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
  );
const hpa = () => plane.client(HorizontalPodAutoscaler).get('web', 'default');
const size = (count: number, limitMs: number) =>
  plane.until(`${count} pods`, async () => (await readyPods()).length === count, limitMs);

const behavior = {
  scaleDown: { stabilizationWindowSeconds: 20, policies: [{ type: 'Pods', value: 2, periodSeconds: 15 }] },
};
const cpu = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '50m' } },
};

test('pods come with the load and go with it', async () => {
  const { load } = await setUp({ behavior, metrics: [cpu] });
  load.milliPerPod = 400;
  // A young pod's cpu counts once a whole window of it was measured.
  await size(5, 90_000);
  await plane.advance(16_000);
  expect((await hpa()).status?.conditions?.map(({ type, status, reason }) => [type, status, reason])).toEqual(
    [
      ['AbleToScale', 'True', 'ReadyForNewScale'],
      ['ScalingActive', 'True', 'ValidMetricFound'],
      ['ScalingLimited', 'True', 'TooManyReplicas'],
    ],
  );
  expect((await plane.events('SuccessfulRescale')).at(-1)).toMatch(
    /^New size: [45]; reason: cpu resource above target$/,
  );
  load.milliPerPod = 1;
  await size(3, 90_000);
  await size(1, 60_000);
  expect((await plane.events('SuccessfulRescale')).at(-1)).toBe(
    'New size: 1; reason: All metrics below target',
  );
});

test('without what it needs it says so, and nothing moves', async () => {
  const { load } = await setUp({});
  load.ready = false;
  await plane.advance(16_000);
  const { status } = await hpa();
  expect(status?.conditions?.find(({ type }) => type === 'ScalingActive')).toMatchObject({
    status: 'False',
    reason: 'FailedGetResourceMetric',
    message:
      'the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server is currently unable to handle the request (get pods.metrics.k8s.io)',
  });
  expect(await readyPods()).toHaveLength(1);
});

test('a metric of pods, of an object and from outside', async () => {
  const target = { type: 'AverageValue', averageValue: '10' };
  const { feed } = await setUp({
    behavior,
    metrics: [
      { type: 'Pods', pods: { metric: { name: 'requests' }, target } },
      {
        type: 'Object',
        object: {
          describedObject: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
          metric: { name: 'backlog' },
          target,
        },
      },
      { type: 'External', external: { metric: { name: 'queue' }, target } },
    ],
  });
  await plane.advance(1000);
  expect(await plane.events('FailedComputeMetricsReplicas')).toEqual([
    'invalid metrics (3 invalid out of 3), first error is: failed to get pods metric value: unable to get metric requests: no metrics returned from custom metrics API',
  ]);
  expect(await plane.events('FailedGetObjectMetric')).toEqual([
    'unable to get metric backlog: unable to fetch metrics from custom metrics API: the server could not find the metric backlog for deployments.apps web on Deployment default/web',
  ]);
  expect(await plane.events('FailedGetExternalMetric')).toEqual([
    'unable to get external metric default/queue/nil: no metrics returned from external metrics API',
  ]);
  const [pod] = await readyPods();
  feed.setObject({
    resource: 'pods',
    metric: 'requests',
    namespace: 'default',
    name: pod!.metadata.name,
    value: '20',
  });
  await size(2, 20_000);
  feed.removeObject({ resource: 'pods', metric: 'requests' }, { namespace: 'default' });
  feed.setObject({
    resource: 'deployments.apps',
    metric: 'backlog',
    namespace: 'default',
    name: 'web',
    value: '30',
  });
  await size(3, 20_000);
  feed.setExternal({ namespace: 'default', metric: 'queue', value: '25' });
  feed.setExternal({ namespace: 'default', metric: 'queue', value: '25', labels: { part: '2' } });
  await size(5, 20_000);
});

test('a custom resource is resized through its scale', async () => {
  await setUp({});
  await plane.client(CustomResourceDefinition).create({
    metadata: { name: 'fleets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { kind: 'Fleet', plural: 'fleets' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          },
          subresources: {
            scale: {
              specReplicasPath: '.spec.size',
              statusReplicasPath: '.status.size',
              labelSelectorPath: '.status.selector',
            },
          },
        },
      ],
    },
  } as Draft<CustomResourceDefinition>);
  await plane.rest();
  const Fleet = defineKind<KubeObject & { spec: { size: number } }>({
    group: 'example.com',
    version: 'v1',
    kind: 'Fleet',
    plural: 'fleets',
    scope: 'Namespaced',
    schema: new ObjectSchema('Fleet', () => new Map(), true),
  });
  await plane.client(Fleet).create({ metadata: { name: 'f', namespace: 'default' }, spec: { size: 9 } });
  await plane.client(HorizontalPodAutoscaler).create({
    metadata: { name: 'fleet', namespace: 'default' },
    spec: {
      scaleTargetRef: { apiVersion: 'example.com/v1', kind: 'Fleet', name: 'f' },
      maxReplicas: 4,
    },
  } as Draft<HorizontalPodAutoscaler>);
  await plane.until(
    'the fleet is smaller',
    async () => (await plane.client(Fleet).get('f', 'default')).spec.size === 4,
  );
});
