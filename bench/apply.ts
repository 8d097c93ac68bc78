// What managedFields cost a write: noting a create and a status update, writing the list as JSON, and applying a configuration that
// changes nothing. Run: npx tsx bench/apply.ts
import { Bench } from 'tinybench';
import { Deployment, Pod } from '../src/api/index.ts';
import {
  applyConfiguration,
  decodeObject,
  type KindDef,
  type KubeObject,
  type ManagedWrite,
  noteUpdate,
} from '../src/machinery/index.ts';

const labels = { app: 'bench', pod: 'w1-1' };
const container = {
  name: 'c',
  image: 'nginx:1.25',
  ports: [{ containerPort: 80 }],
  resources: { requests: { cpu: '10m', memory: '32Mi' } },
  env: [{ name: 'A', value: 'b' }],
};
const podBody = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'w1-1', namespace: 'default', labels },
  spec: { schedulerName: 'none', terminationGracePeriodSeconds: 0, containers: [container] },
};
const deploymentBody = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default', labels },
  spec: {
    replicas: 3,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [container] } },
  },
};
const status = {
  phase: 'Running',
  podIP: '10.1.2.3',
  podIPs: [{ ip: '10.1.2.3' }],
  hostIP: '10.0.0.1',
  startTime: '2026-01-02T03:04:05Z',
  conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: '2026-01-02T03:04:05Z',
  })),
  containerStatuses: [
    { name: 'c', image: 'nginx:1.25', imageID: 'x', ready: true, restartCount: 0, started: true },
  ],
};

function decoded(kind: KindDef, body: unknown): KubeObject {
  const object = decodeObject(kind.schema, body, []) as unknown as KubeObject;
  kind.defaults?.(object);
  return object;
}

const write = (kind: KindDef, operation: 'Apply' | 'Update', subresource = ''): ManagedWrite => ({
  manager: { name: 'bench', operation, apiVersion: kind.apiVersion, subresource },
  part: subresource === 'status' ? 'statusOnly' : 'withoutStatus',
  nowMs: 1_767_323_045_000,
  view: () => ({ schema: kind.schema, fromStored: (object) => object, toStored: (object) => object }),
});

const created = decoded(Pod, podBody);
noteUpdate(write(Pod, 'Update'), undefined, created);
const running = { ...decoded(Pod, { ...podBody, status }), metadata: { ...created.metadata } };
noteUpdate(write(Pod, 'Update', 'status'), created, running);
const crashed = decoded(Pod, { ...running, status: { ...status, phase: 'Failed' } });
const deployment = (() => {
  const configuration = deploymentBody;
  const object = applyConfiguration(write(Deployment, 'Apply'), undefined, { configuration, force: false });
  Deployment.defaults?.(object as Deployment);
  return object;
})();

const bench = new Bench({ time: 800 });
bench
  .add('create a small pod', () => {
    const object = { ...created, metadata: { ...created.metadata, managedFields: undefined } };
    noteUpdate(write(Pod, 'Update'), undefined, object);
  })
  .add('its managedFields as JSON', () => JSON.stringify(created.metadata.managedFields))
  .add('create a small pod, decoding alone', () => decoded(Pod, podBody))
  .add('first status of a pod', () => {
    const object = { ...running, metadata: { ...running.metadata, managedFields: undefined } };
    noteUpdate(write(Pod, 'Update', 'status'), created, object);
  })
  .add('another status of a pod', () => {
    const object = { ...crashed, metadata: { ...crashed.metadata } };
    noteUpdate(write(Pod, 'Update', 'status'), running, object);
  })
  .add('an apply that changes nothing', () => {
    applyConfiguration(write(Deployment, 'Apply'), deployment, {
      configuration: deploymentBody,
      force: false,
    });
  });
await bench.run();
console.table(
  bench.tasks.map((task) => ({
    name: task.name,
    µs: task.result && 'latency' in task.result ? (task.result.latency.mean * 1000).toFixed(2) : 'failed',
  })),
);
