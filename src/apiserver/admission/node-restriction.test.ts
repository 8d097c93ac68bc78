// What a node may write, through the whole server: authorizer and admission together.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Node, Pod } from '../../api/index.ts';
import { FakeClock, MetricRegistry, silentLog } from '../../base/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { createMemoryBackend, createStore } from '../../storage/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import { createAuthorizer, mastersAuthorizer } from '../auth/authorize.ts';
import { createNodeAuthorizer } from '../auth/node-authorizer.ts';
import { NodeRelations } from '../auth/node-relations.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import { forbiddenLabels } from './node-restriction.ts';

const n1 = 'system:node:n1@system:nodes,system:authenticated';
let f: ApiFixture;
let uid = '';
beforeAll(async () => {
  const clock = new FakeClock(Date.parse('2026-01-02T03:04:05Z'));
  const metrics = new MetricRegistry();
  const store = await createStore(await createMemoryBackend({ clock, log: silentLog }), {
    clock,
    log: silentLog,
    metrics,
  });
  const relations = new NodeRelations(store);
  f = await ApiFixture.create({
    clock,
    store,
    metrics,
    server: {
      authorize: createAuthorizer([
        mastersAuthorizer,
        createNodeAuthorizer({
          nodeOfPod(namespace, name) {
            const entry = store.get(keyFor(Pod, namespace, name));
            return entry === undefined ? undefined : (objectOf<Pod>(entry).spec.nodeName ?? '');
          },
          nodeOfVolume: () => undefined,
          nodeOfAttachment: () => undefined,
          isRelated: (node, kind, at) => relations.isRelated(node, kind, at),
        }),
      ]),
    },
  });
  const { client } = f.api;
  uid = (await client(Node).create({ metadata: { name: 'n1' }, spec: {} } as Draft<Node>)).metadata.uid;
  for (const [name, nodeName] of [
    ['mine', 'n1'],
    ['theirs', 'n2'],
  ] as const)
    await client(Pod).create({
      metadata: { name, namespace: 'default' },
      spec: { nodeName, containers: [{ name: 'c', image: 'i', envFrom: [{ secretRef: { name } }] }] },
    } as Draft<Pod>);
});
afterAll(() => f.close());

const owner = () => ({ apiVersion: 'v1', kind: 'Node', name: 'n1', uid, controller: true });
const mirror = (change: { owners?: object[]; annotations?: object; spec?: object } = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'static-n1',
    annotations: { 'kubernetes.io/config.mirror': 'x' },
    ownerReferences: change.owners ?? [owner()],
    ...(change.annotations !== undefined && { annotations: change.annotations }),
  },
  spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i' }], ...change.spec },
});
const pods = '/api/v1/namespaces/default/pods';
const patch = { type: 'application/merge-patch+json', user: n1 };

async function said(method: string, url: string, asking: Parameters<ApiFixture['ask']>[2]): Promise<string> {
  const { code, json } = await f.ask(method, url, asking);
  return code < 300 ? 'yes' : String(json.message);
}

describe('a node creates', () => {
  it.each<[string, () => object, string]>([
    [
      'a pod like any other',
      () => mirror({ annotations: {} }),
      'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
    ],
    [
      'a mirror pod elsewhere',
      () => mirror({ spec: { nodeName: 'n2' } }),
      'node "n1" can only create pods with spec.nodeName set to itself',
    ],
    [
      'one that nobody owns',
      () => mirror({ owners: [] }),
      'node "n1" can only create pods with an owner reference set to itself',
    ],
    [
      'one that others own',
      () => mirror({ owners: [{ ...owner(), name: 'n2' }] }),
      'node "n1" can only create pods with an owner reference set to itself',
    ],
    [
      'one with two owners',
      () => mirror({ owners: [owner(), { ...owner(), uid: 'other', controller: false }] }),
      'node "n1" can only create pods with a single owner reference set to itself',
    ],
    [
      'one that it does not control',
      () => mirror({ owners: [{ ...owner(), controller: false }] }),
      'node "n1" can only create pods with a controller owner reference set to itself',
    ],
    [
      'one that blocks',
      () => mirror({ owners: [{ ...owner(), blockOwnerDeletion: true }] }),
      'node "n1" must not set blockOwnerDeletion on an owner reference',
    ],
    [
      'one of an older node',
      () => mirror({ owners: [{ ...owner(), uid: 'old' }] }),
      'node n1 UID mismatch: expected old got',
    ],
    [
      'one with secrets',
      () => mirror({ spec: { imagePullSecrets: [{ name: 's' }] } }),
      'a mirror pod may not reference secrets',
    ],
    ['a mirror pod', () => mirror(), 'yes'],
  ])('%s', async (_, body, wanted) => {
    expect(await said('POST', pods, { body: body(), user: n1 })).toContain(wanted);
  });
});

describe('a node changes', () => {
  const status = (name: string, body: object) => said('PATCH', `${pods}/${name}/status`, { ...patch, body });
  const node = (body: object, what = '') => said('PATCH', `/api/v1/nodes/n1${what}`, { ...patch, body });

  it('the status of its own pods, and only that', async () => {
    const body = { status: { phase: 'Running' } };
    expect(await status('mine', body)).toBe('yes');
    expect(await status('theirs', body)).toContain(
      'node "n1" can only patch pods with spec.nodeName set to itself',
    );
    expect(await status('mine', { metadata: { labels: { app: 'db' } } })).toContain(
      'node "n1" cannot update labels through pod status',
    );
  });

  it('itself, but not what draws pods to it', async () => {
    expect(await node({ metadata: { labels: { 'topology.kubernetes.io/zone': 'a', mine: 'x' } } })).toBe(
      'yes',
    );
    expect(await node({ metadata: { annotations: { a: 'b' } } })).toBe('yes');
    expect(await node({ status: { capacity: { cpu: '2' } } }, '/status')).toBe('yes');
    expect(await node({ spec: { taints: [] } })).toContain('node "n1" is not allowed to modify taints');
    expect(await node({ metadata: { labels: { 'node-restriction.kubernetes.io/a': 'b' } } })).toContain(
      'is not allowed to modify labels: node-restriction.kubernetes.io/a',
    );
    expect(
      await node({ metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } }, '/status'),
    ).toContain('is not allowed to modify labels: node-role.kubernetes.io/control-plane');
    const own = { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'x' };
    expect(await node({ metadata: { ownerReferences: [own] } })).toContain(
      'node "n1" is not allowed to modify ownerReferences',
    );
  });

  it('its own Lease, which has its name', async () => {
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
    const lease = (name: string) => ({ metadata: { name }, spec: { holderIdentity: 'n1' } });
    expect(await said('POST', leases, { body: lease('n1'), user: n1 })).toBe('yes');
    expect(await said('POST', leases, { body: lease('n2'), user: n1 })).toContain(
      'can only access node lease with the same name as the requesting node',
    );
  });

  it('no node but itself', async () => {
    expect(await said('POST', '/api/v1/nodes', { body: { metadata: { name: 'n3' } }, user: n1 })).toContain(
      'node "n1" is not allowed to modify node "n3"',
    );
    const role = { metadata: { name: 'n4', labels: { 'node-role.kubernetes.io/x': '' } } };
    const n4 = 'system:node:n4@system:nodes,system:authenticated';
    expect(await said('POST', '/api/v1/nodes', { body: role, user: n4 })).toContain(
      'node "n4" is not allowed to set the following labels: node-role.kubernetes.io/x',
    );
  });
});

it('a node reads what its pods refer to', async () => {
  const get = (name: string) => said('GET', `/api/v1/namespaces/default/secrets/${name}`, { user: n1 });
  expect(await get('mine')).toBe('secrets "mine" not found');
  expect(await get('theirs')).toContain("no relationship found between node 'n1' and this object");
});

it.each<[string[], string[], string[]]>([
  [['kubernetes.io/hostname', 'beta.kubernetes.io/os', 'example.com/a', 'plain'], [], []],
  [['kubelet.kubernetes.io/a', 'x.kubelet.kubernetes.io/a', 'node.kubernetes.io/a'], [], []],
  [
    ['kubernetes.io/role', 'k8s.io/x', 'a.k8s.io/x', 'notk8s.io/x'],
    [],
    ['a.k8s.io/x', 'k8s.io/x', 'kubernetes.io/role'],
  ],
  [[], ['node-role.kubernetes.io/x'], ['node-role.kubernetes.io/x']],
  [['node-role.kubernetes.io/x'], ['node-role.kubernetes.io/x'], []],
])('labels %j after %j: %j', (after, before, wanted) => {
  const labels = (keys: string[]) => Object.fromEntries(keys.map((key) => [key, '']));
  expect(forbiddenLabels(labels(after), labels(before))).toEqual(wanted);
});
