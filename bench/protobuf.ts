// How fast a running pod of about 2 KB goes to protobuf and back, beside JSON; and what joining a list costs.
// Run: npx tsx bench/protobuf.ts
import { Bench } from 'tinybench';
import { Pod, protobufMessage } from '../src/api/index.ts';
import {
  decodeMessage,
  decodeObject,
  encodeMessage,
  messageField,
  parseJson,
  watchFrame,
  writeEnvelope,
} from '../src/machinery/index.ts';

const probe = {
  httpGet: { path: '/healthz', port: 80, scheme: 'HTTP' },
  periodSeconds: 10,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 3,
};

const body = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web-7d4b9c',
    namespace: 'default',
    resourceVersion: '123456',
    labels: { app: 'web', tier: 'front' },
    uid: '2f1c7a3e-5a1c-4a57-9d3b-0d9d8f9a7b11',
    creationTimestamp: '2026-01-02T03:04:05Z',
    ownerReferences: [
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: 'web-7d4b9c',
        uid: '7a3e2f1c-5a1c-4a57-9d3b-0d9d8f9a7b12',
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
  spec: {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    nodeName: 'node-1',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    serviceAccountName: 'default',
    securityContext: {},
    tolerations: [
      {
        key: 'node.kubernetes.io/not-ready',
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      },
    ],
    volumes: [{ name: 'config', configMap: { name: 'web', defaultMode: 420 } }],
    containers: [
      {
        name: 'web',
        image: 'registry.example.com/team/web:1.2.3',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '1Gi' } },
        env: [
          { name: 'MODE', value: 'production' },
          { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
        ],
        imagePullPolicy: 'IfNotPresent',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        volumeMounts: [{ name: 'config', mountPath: '/etc/web', readOnly: true }],
        livenessProbe: probe,
      },
    ],
  },
  status: {
    phase: 'Running',
    hostIP: '10.0.0.1',
    podIP: '10.1.0.7',
    podIPs: [{ ip: '10.1.0.7' }],
    startTime: '2026-01-02T03:04:06Z',
    conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
      type,
      status: 'True',
      lastTransitionTime: '2026-01-02T03:04:07Z',
    })),
    containerStatuses: [
      {
        name: 'web',
        ready: true,
        started: true,
        restartCount: 0,
        image: 'registry.example.com/team/web:1.2.3',
        imageID: 'registry.example.com/team/web@sha256:0d9d8f9a7b11',
        containerID: 'containerd://2f1c7a3e5a1c4a579d3b0d9d8f9a7b11',
        state: { running: { startedAt: '2026-01-02T03:04:07Z' } },
      },
    ],
  },
};

const message = protobufMessage(Pod.schema)!;
const json = JSON.stringify(body);
const object = JSON.parse(json) as Record<string, unknown>;
const bytes = encodeMessage(message, object);
const items = Array.from({ length: 1000 }, () => bytes);

const bench = new Bench({ time: 500, warmupTime: 200 })
  .add(`encodeMessage, ${bytes.length} bytes`, () => void encodeMessage(message, object))
  .add(`JSON.stringify, ${json.length} bytes`, () => void Buffer.from(JSON.stringify(object)))
  .add(`decodeMessage, ${bytes.length} bytes`, () => void decodeMessage(message, bytes))
  .add(`parseJson, ${json.length} bytes`, () => void parseJson(json))
  .add(
    'decodeMessage, then decodeObject',
    () => void decodeObject(Pod.schema, decodeMessage(message, bytes), []),
  )
  .add('watchFrame', () => void watchFrame('MODIFIED', writeEnvelope('v1', 'Pod', bytes)))
  .add('messageField, 1000 pods joined', () => void messageField(2, items));
await bench.run();
console.table(
  bench.tasks.map((task) => ({
    name: task.name,
    µs: task.result.state === 'completed' ? (task.result.latency.p50 * 1000).toFixed(2) : task.result.state,
    'µs p99': task.result.state === 'completed' ? (task.result.latency.p99 * 1000).toFixed(2) : '',
  })),
);
