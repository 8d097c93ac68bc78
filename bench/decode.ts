// How fast a body becomes an object: decoding, the scan for duplicate fields, and quantities. Run: npx tsx bench/decode.ts
import { Bench } from 'tinybench';
import { shape } from '../src/api/index.ts';
import { canonicalQuantity, decodeObject, findDuplicateFields, parseJson } from '../src/machinery/index.ts';

const container = (name: string): Record<string, unknown> => ({
  name,
  image: 'registry.example.com/team/web:1.2.3',
  ports: [{ containerPort: 80, protocol: 'TCP' }],
  resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '1Gi' } },
});

/** What a client sends: about 600 bytes. */
const smallPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-7d4b9c', namespace: 'default', labels: { app: 'web', tier: 'front' } },
  spec: {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    containers: [
      {
        ...container('web'),
        env: [
          { name: 'MODE', value: 'production' },
          { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        ],
      },
    ],
  },
};

/** What the server stores once the pod runs: about 2 KB. */
const fullPod = {
  ...smallPod,
  metadata: {
    ...smallPod.metadata,
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
    ...smallPod.spec,
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
    volumes: [
      {
        name: 'kube-api-access',
        projected: {
          defaultMode: 420,
          sources: [{ configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } }],
        },
      },
    ],
    containers: [
      {
        ...smallPod.spec.containers[0],
        imagePullPolicy: 'IfNotPresent',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        volumeMounts: [
          {
            name: 'kube-api-access',
            mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
            readOnly: true,
          },
        ],
        livenessProbe: {
          httpGet: { path: '/healthz', port: 80, scheme: 'HTTP' },
          periodSeconds: 10,
          timeoutSeconds: 1,
          successThreshold: 1,
          failureThreshold: 3,
        },
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

const pod = shape('core.v1.Pod');
const small = JSON.stringify(smallPod);
const full = JSON.stringify(fullPod);
const parsedSmall = JSON.parse(small);
const parsedFull = JSON.parse(full);
for (const value of [parsedSmall, parsedFull]) {
  const unknown: string[] = [];
  decodeObject(pod, value, unknown);
  if (unknown.length > 0) throw new Error(`the bench's pod has unknown fields: ${unknown.join(', ')}`);
}

const bench = new Bench({ time: 500, warmupTime: 200 })
  .add(`decodeObject, pod of ${small.length} bytes`, () => void decodeObject(pod, parsedSmall, []))
  .add(`decodeObject, pod of ${full.length} bytes`, () => void decodeObject(pod, parsedFull, []))
  .add(`parseJson, ${full.length} bytes`, () => void parseJson(full))
  .add(`findDuplicateFields, ${small.length} bytes`, () => void findDuplicateFields(small))
  .add(`findDuplicateFields, ${full.length} bytes`, () => void findDuplicateFields(full))
  .add('canonicalQuantity, already canonical', () => void canonicalQuantity('128Mi'))
  .add('canonicalQuantity, to be converted', () => void canonicalQuantity('1024Mi'));
await bench.run();
console.table(
  bench.tasks.map((task) => ({
    name: task.name,
    µs: task.result.state === 'completed' ? (task.result.latency.p50 * 1000).toFixed(2) : task.result.state,
    'µs p99': task.result.state === 'completed' ? (task.result.latency.p99 * 1000).toFixed(2) : '',
  })),
);
