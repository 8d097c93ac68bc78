// What the question "may he do this?" costs: for nodes, with 5,000 pods on 50 of them, and by role, with 1,000 bindings.
// `node --expose-gc --import tsx bench/authorize.ts`
import { ClusterRole, ClusterRoleBinding, Pod, Role, RoleBinding } from '../src/api/index.ts';
import { createAuthorization } from '../src/app/index.ts';
import { MetricRegistry, silentLog, systemClock } from '../src/base/index.ts';
import { type KindDef, storageKey } from '../src/machinery/index.ts';
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
const group = 'rbac.authorization.k8s.io';
const put = (of: unknown, name: string, object: object, namespace?: string) => {
  const kind = of as KindDef;
  const metadata = { name, ...(namespace !== undefined && { namespace }) };
  const value = Buffer.from(
    JSON.stringify({ kind: kind.kind, apiVersion: kind.apiVersion, metadata, ...object }),
  );
  return store.commit({ key: storageKey(kind, metadata), value, expect: 0 });
};
const roleRef = (kind: string, name: string) => ({ apiGroup: group, kind, name });
const robot = (i: number) => ({ kind: 'ServiceAccount', name: `robot-${i}`, namespace: `team-${i % 100}` });
const read = ['get', 'list', 'watch'];
// Twenty rules, as operators have them.
const operatorRules = Array.from({ length: 20 }, (_, i) => ({
  verbs: i % 2 === 0 ? read : ['create', 'update', 'patch', 'delete'],
  apiGroups: [i < 10 ? '' : 'apps'],
  resources: [`things-${i}`, `things-${i}/status`, ...(i === 18 ? ['deployments', '*/scale'] : [])],
}));
await put(ClusterRole, 'operator', { rules: operatorRules });
await put(ClusterRole, 'discovery', {
  rules: [{ verbs: ['get'], nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*'] }],
});
await put(ClusterRoleBinding, 'discovery', {
  roleRef: roleRef('ClusterRole', 'discovery'),
  subjects: [{ apiGroup: group, kind: 'Group', name: 'system:authenticated' }],
});
for (let i = 0; i < 1000; i++) {
  const namespace = `team-${i % 100}`;
  if (i < 500)
    await put(
      Role,
      `role-${i}`,
      { rules: [{ verbs: read, apiGroups: [''], resources: ['pods'] }] },
      namespace,
    );
  const subjects = [robot(i)];
  if (i % 10 === 0)
    await put(ClusterRoleBinding, `binding-${i}`, { roleRef: roleRef('ClusterRole', 'operator'), subjects });
  else {
    const ref = i < 500 ? roleRef('Role', `role-${i}`) : roleRef('ClusterRole', 'operator');
    await put(RoleBinding, `binding-${i}`, { roleRef: ref, subjects }, namespace);
  }
}
const account = (i: number) => ({
  name: `system:serviceaccount:team-${i % 100}:robot-${i}`,
  uid: '',
  groups: ['system:serviceaccounts', `system:serviceaccounts:team-${i % 100}`, 'system:authenticated'],
});
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

const byRole = {
  'by a role of a namespace': {
    ...about,
    user: account(7),
    verb: 'list',
    resource: 'pods',
    namespace: 'team-7',
  },
  'an operator, its object everywhere': {
    ...about,
    user: account(10),
    verb: 'watch',
    group: 'apps',
    resource: 'deployments',
  },
  'an operator, a part of an object': {
    ...about,
    user: account(10),
    verb: 'get',
    group: 'apps',
    resource: 'statefulsets',
    subresource: 'scale',
    namespace: 'team-3',
    name: 'web',
  },
  'discovery, by a group': { ...about, user: account(7), verb: 'get', resource: '', path: '/apis/apps/v1' },
  'pods of another namespace': {
    ...about,
    user: account(7),
    verb: 'list',
    resource: 'pods',
    namespace: 'team-8',
  },
};

let began = performance.now();
authorize.decide(questions['watch a secret of its pod']);
console.log(
  `first question of a node (${podCount} pods are read): ${(performance.now() - began).toFixed(1)} ms`,
);
began = performance.now();
authorize.decide(byRole['discovery, by a group']);
console.log(`first question by role (1,000 bindings are read): ${(performance.now() - began).toFixed(1)} ms`);
const rounds = 300_000;
for (const [what, question] of Object.entries({ ...questions, ...byRole })) {
  for (let i = 0; i < rounds / 10; i++) authorize.decide(question);
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed;
  const fromMs = performance.now();
  for (let i = 0; i < rounds; i++) authorize.decide(question);
  const each = ((performance.now() - fromMs) / rounds) * 1000;
  const bytes =
    globalThis.gc === undefined
      ? ''
      : `, ${Math.max(0, Math.round((process.memoryUsage().heapUsed - heap) / rounds))} bytes`;
  console.log(`${what}: ${each.toFixed(2)} µs${bytes}, ${authorize.decide(question).decision}`);
}
await store.close();
