// What the question "may this node do this?" costs, with 5,000 pods on 50 nodes. `node --import tsx bench/authorize.ts`
import { Pod } from '../src/api/index.ts';
import { createAuthorization } from '../src/app/index.ts';
import { MetricRegistry, silentLog, systemClock } from '../src/base/index.ts';
import { storageKey } from '../src/machinery/index.ts';
import { createMemoryBackend, createStore } from '../src/storage/index.ts';

const clock = systemClock;
const log = silentLog;
const store = await createStore(await createMemoryBackend({ clock, log }), {
  clock,
  log,
  metrics: new MetricRegistry(),
});
const podCount = 5000;
const nodeCount = 50;
for (let i = 0; i < podCount; i++) {
  const metadata = { name: `pod-${i}`, namespace: 'default', uid: `u${i}` };
  const secretName = `secret-${i % 200}`;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: {
      nodeName: `node-${i % nodeCount}`,
      serviceAccountName: 'default',
      containers: [{ name: 'c', image: 'i', envFrom: [{ configMapRef: { name: 'settings' } }] }],
      volumes: [
        { name: 's', secret: { secretName } },
        { name: 'a', projected: { sources: [{ configMap: { name: 'kube-root-ca.crt' } }] } },
      ],
    },
  };
  await store.commit({ key: storageKey(Pod, metadata), value: Buffer.from(JSON.stringify(pod)), expect: 0 });
}
const authorize = createAuthorization(store, { hasIngress: true });
const user = {
  name: 'system:node:node-7',
  uid: '',
  groups: ['system:nodes', 'system:authenticated'],
};
const about = { group: '', version: 'v1', subresource: '', namespace: '', name: '', path: '', user };
const questions = {
  'renew its Lease': {
    ...about,
    verb: 'update',
    group: 'coordination.k8s.io',
    resource: 'leases',
    namespace: 'kube-node-lease',
    name: 'node-7',
  },
  'write the status of its pod': {
    ...about,
    verb: 'patch',
    resource: 'pods',
    subresource: 'status',
    namespace: 'default',
    name: 'pod-7',
  },
  'watch a secret of its pod': {
    ...about,
    verb: 'watch',
    resource: 'secrets',
    namespace: 'default',
    name: 'secret-7',
  },
  'get the secret of another': {
    ...about,
    verb: 'get',
    resource: 'secrets',
    namespace: 'default',
    name: 'secret-8',
  },
  'watch services': { ...about, verb: 'watch', resource: 'services' },
  'an administrator, anything': {
    ...about,
    user: { name: 'admin', uid: '', groups: ['system:masters'] },
    verb: 'delete',
    resource: 'pods',
    namespace: 'default',
    name: 'pod-7',
  },
};

const began = performance.now();
authorize.decide(questions['watch a secret of its pod']);
console.log(
  `first question of a node (${podCount} pods are read): ${(performance.now() - began).toFixed(1)} ms`,
);
const rounds = 300_000;
for (const [what, question] of Object.entries(questions)) {
  for (let i = 0; i < rounds / 10; i++) authorize.decide(question);
  const fromMs = performance.now();
  for (let i = 0; i < rounds; i++) authorize.decide(question);
  const each = ((performance.now() - fromMs) / rounds) * 1000;
  console.log(`${what}: ${each.toFixed(2)} µs, ${authorize.decide(question).decision}`);
}
await store.close();
