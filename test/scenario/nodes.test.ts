// Nodes that lose their power, their network or their server, and what becomes of their pods.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Deployment, isActive, isReady, Lease, Node, Pod } from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane, type SimulatedNode } from '../../src/testkit/index.ts';

const labels = { app: 'web' };
let plane: ControlPlane;
let nodes: SimulatedNode[];
beforeEach(async () => {
  plane = await ControlPlane.start();
  nodes = [];
});
afterEach(() => plane.stop());

const addNodes = async (...zones: string[]) => {
  for (const [i, zone] of zones.entries()) nodes.push(await plane.addNode(`n${i + 1}`, { zone }));
};
const deploy = async (replicas: number, spec: object = {}) => {
  const template = buildTemplate(labels);
  Object.assign(template.spec!, spec);
  await plane.client(Deployment).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template },
  } as Draft<Deployment>);
  await plane.until('all ready', async () => (await readyPods()).length === replicas);
};
const readyPods = async () => (await plane.pods(labels)).filter((pod) => isActive(pod) && isReady(pod));
const uids = async () => (await plane.pods(labels)).map((pod) => pod.metadata.uid).sort();
const nodeOf = (name: string) => plane.client(Node).get(name);
const taintsOf = async (name: string) =>
  ((await nodeOf(name)).spec.taints ?? []).map(({ key, effect }) => `${key.split('/')[1]}:${effect}`).sort();
const readiness = async (name: string) =>
  (await nodeOf(name)).status?.conditions?.find((c) => c.type === 'Ready')?.status;

test('the pods of a node without power run elsewhere within five seconds; it comes back and is used again', async () => {
  await addNodes('a', 'a', 'a');
  await deploy(6);
  await plane.kill(nodes[2]!);
  const elsewhere = async () => {
    const ready = await readyPods();
    return ready.length === 6 && ready.every((pod) => pod.spec.nodeName !== 'n3');
  };
  const tookMs = await plane.until('six elsewhere', elsewhere);
  expect(tookMs).toBeGreaterThan(2000);
  expect(tookMs).toBeLessThanOrEqual(5000);
  expect(await plane.pods()).toHaveLength(6);
  expect(await readiness('n3')).toBe('Unknown');
  expect(await taintsOf('n3')).toEqual([
    'out-of-service:NoExecute',
    'unreachable:NoExecute',
    'unreachable:NoSchedule',
  ]);

  await plane.revive(nodes[2]!);
  await plane.until('taken back', async () => (await taintsOf('n3')).length === 0, 5000);
  expect(await readiness('n3')).toBe('True');
  expect(nodes[2]!.running).toEqual([]);
  await plane
    .client(Deployment)
    .patch({ name: 'web', namespace: 'default' }, 'merge', { spec: { replicas: 9 } });
  await plane.until('nine', async () => (await readyPods()).length === 9);
  expect((await readyPods()).filter((pod) => pod.spec.nodeName === 'n3')).toHaveLength(3);
});

test('a node that was only cut off ends its pods when it is heard again', async () => {
  await addNodes('a', 'a', 'a');
  await deploy(6);
  await nodes[2]!.disconnect();
  await plane.advance(5000);
  expect(nodes[2]!.running).toHaveLength(2);
  await plane.revive(nodes[2]!);
  await plane.advance(1000);
  expect(nodes[2]!.running).toEqual([]);
  expect(await readyPods()).toHaveLength(6);
});

test('a node that is silent for less than its grace is let be', async () => {
  await addNodes('a', 'a');
  await deploy(4);
  const before = await uids();
  await nodes[1]!.disconnect();
  await plane.advance(900);
  await plane.revive(nodes[1]!);
  await plane.advance(5000);
  expect(await uids()).toEqual(before);
  expect(await taintsOf('n2')).toEqual([]);
});

test('most nodes of a zone silent: nobody is evicted, services stop sending, and all is as before when they return', async () => {
  await addNodes('a', 'a', 'a', 'b', 'b');
  await deploy(10);
  const before = await uids();
  for (const node of nodes.slice(0, 3)) await node.disconnect();
  await plane.advance(30_000);
  expect(await uids()).toEqual(before);
  expect(await readyPods()).toHaveLength(4);
  for (const name of ['n1', 'n2', 'n3'])
    expect(await taintsOf(name)).toEqual(['unreachable:NoExecute', 'unreachable:NoSchedule']);
  for (const node of nodes.slice(0, 3)) await plane.revive(node);
  await plane.advance(2000);
  expect(await uids()).toEqual(before);
  expect(await readyPods()).toHaveLength(10);
});

test('a new node takes no pods until it is ready, and from then on at once', async () => {
  await plane.client(Node).create({ metadata: { name: 'early' }, spec: {} } as Draft<Node>);
  await plane.rest();
  expect(await taintsOf('early')).toEqual(['not-ready:NoSchedule']);
  // No time passes: the taint goes with the word that the node is ready.
  const conditions = [{ type: 'Ready', status: 'True' }];
  await plane
    .client(Node)
    .patch({ name: 'early', subresource: 'status' }, 'strategic', { status: { conditions } });
  await plane.rest();
  expect(await taintsOf('early')).toEqual([]);
});

test('everything silent, for longer than pods bear it: nobody is evicted', async () => {
  await addNodes('a', 'b');
  await deploy(4);
  const before = await uids();
  for (const node of nodes) await node.disconnect();
  await plane.advance(330_000);
  for (const name of ['n1', 'n2']) expect(await taintsOf(name)).toEqual(['unreachable:NoSchedule']);
  expect(await uids()).toEqual(before);
  for (const node of nodes) await plane.revive(node);
  await plane.advance(2000);
  expect(await readyPods()).toHaveLength(4);
});

test('a zone that is not cut off any more gives up the node that stays silent', async () => {
  await addNodes('a', 'a', 'a', 'b');
  await deploy(8);
  for (const node of nodes.slice(0, 3)) await plane.kill(node);
  await plane.advance(10_000);
  expect(await plane.pods()).toHaveLength(8);
  await plane.revive(nodes[0]!);
  const left = async () =>
    (await plane.pods()).filter((pod) => ['n2', 'n3'].includes(pod.spec.nodeName ?? ''));
  await plane.until('their pods are elsewhere', async () => (await left()).length === 0, 5000);
  await plane.until('eight', async () => (await readyPods()).length === 8, 5000);
});

test('a pod whose author bears an unreachable node for a minute stays for a minute', async () => {
  await addNodes('a', 'a', 'a');
  const toleration = {
    key: 'node.kubernetes.io/unreachable',
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 60,
  };
  await deploy(3, { tolerations: [toleration] });
  await plane.kill(nodes[0]!);
  const stays = async () => (await plane.pods()).some((pod) => pod.spec.nodeName === 'n1' && isActive(pod));
  await plane.advance(55_000);
  expect(await stays()).toBe(true);
  await plane.advance(15_000);
  expect(await stays()).toBe(false);
});

test('a taint without a time counts from when it was seen', async () => {
  await addNodes('a', 'a');
  const toleration = { key: 'maintenance', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 10 };
  await deploy(2, { tolerations: [toleration] });
  const taints = [{ key: 'maintenance', effect: 'NoExecute' }];
  await plane.client(Node).patch({ name: 'n1' }, 'merge', { spec: { taints } });
  const here = async () => (await plane.pods()).filter((pod) => pod.spec.nodeName === 'n1' && isActive(pod));
  await plane.advance(9000);
  expect(await here()).toHaveLength(1);
  // The replacement goes to the other node: it bears the taint, but not to be placed there for long.
  const [pod] = await here();
  await plane.advance(2000);
  expect((await here()).map((p) => p.metadata.uid)).not.toContain(pod!.metadata.uid);
});

test('a node that nobody keeps alive is used for a minute, one that renews as long as it does', async () => {
  await plane.client(Node).create({
    metadata: { name: 'bare' },
    spec: {},
    status: {
      allocatable: { cpu: '4', memory: '8Gi', pods: '10' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  } as Draft<Node>);
  await addNodes('a');
  await plane.advance(55_000);
  expect([await taintsOf('bare'), await taintsOf('n1')]).toEqual([[], []]);
  await plane.advance(10_000);
  expect(await taintsOf('bare')).toContain('unreachable:NoSchedule');
  expect(await taintsOf('n1')).toEqual([]);
});

test('a node that is deleted takes its pods and its lease with it', async () => {
  await addNodes('a', 'a');
  await deploy(4);
  await plane.kill(nodes[1]!);
  await plane.client(Node).delete('n2');
  await plane.until(
    'four on the other',
    async () =>
      (await readyPods()).length === 4 && (await readyPods()).every((pod) => pod.spec.nodeName === 'n1'),
    5000,
  );
  expect(await plane.pods()).toHaveLength(4);
});

test('cordon keeps new pods off, drain by eviction moves the others', async () => {
  await addNodes('a', 'a');
  await deploy(4);
  await plane.client(Node).patch({ name: 'n2' }, 'merge', { spec: { unschedulable: true } });
  for (const pod of await plane.pods())
    if (pod.spec.nodeName === 'n2') {
      const { name, namespace } = pod.metadata;
      await plane
        .client(Pod)
        .createSub({ name, namespace, subresource: 'eviction' }, { metadata: { name, namespace } });
    }
  await plane.until(
    'all on the first',
    async () =>
      (await readyPods()).length === 4 && (await readyPods()).every((pod) => pod.spec.nodeName === 'n1'),
    5000,
  );
  expect(await taintsOf('n2')).toEqual(['unschedulable:NoSchedule']);
});

test('the server restarts: nodes that are alive have their whole grace again', async () => {
  await addNodes('a', 'a', 'a');
  await deploy(6);
  const before = await uids();
  await plane.restart(10_000);
  await plane.advance(10_000);
  expect(await uids()).toEqual(before);
  expect((await plane.list(Lease, 'kube-node-lease')).map((lease) => lease.metadata.name).sort()).toEqual([
    'n1',
    'n2',
    'n3',
  ]);
  expect(await readyPods()).toHaveLength(6);
});
