// What a user does with a DaemonSet, on a whole control plane: a pod on every node that fits, whatever happens to nodes and template.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControllerRevision, DaemonSet, isActive, isReady, Node, Pod } from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane } from '../../src/testkit/index.ts';

const labels = { app: 'log' };
let plane: ControlPlane;
beforeEach(async () => {
  plane = await ControlPlane.start();
  for (const name of ['n1', 'n2', 'n3', 'n4']) await addNode(name);
});
afterEach(() => plane.stop());

const imageOf = (pod: Pod) => pod.spec.containers[0]!.image;
const addNode = (name: string, more: object = {}) =>
  plane.addNode(name, { readyAfterMs: (pod) => (imageOf(pod) === 'i:bad' ? undefined : 500), ...more });
const run = (spec: Partial<DaemonSet['spec']> = {}) =>
  plane.client(DaemonSet).create({
    metadata: { name: 'log', namespace: 'default' },
    spec: { selector: { matchLabels: labels }, template: buildTemplate(labels, 'i:1'), ...spec },
  } as Draft<DaemonSet>);
const at = { name: 'log', namespace: 'default' };
const patch = (spec: object) => plane.client(DaemonSet).patch(at, 'strategic', { spec });
const setImage = (image: string) => patch({ template: { spec: { containers: [{ name: 'c', image }] } } });
const theSet = () => plane.client(DaemonSet).get('log', 'default');
const serving = async () => (await plane.pods(labels)).filter((pod) => isActive(pod) && isReady(pod));
const nodesOf = async () => (await serving()).map((pod) => pod.spec.nodeName).sort();
const patchNode = (name: string, body: object) => plane.client(Node).patch({ name }, 'merge', body);

/** As `kubectl rollout status` judges it. */
async function isRolledOut(): Promise<boolean> {
  const { metadata, status } = await theSet();
  const desired = status?.desiredNumberScheduled ?? 0;
  return (
    status?.observedGeneration === metadata.generation &&
    (status?.updatedNumberScheduled ?? 0) >= desired &&
    (status?.numberAvailable ?? 0) >= desired
  );
}
const rolledOut = (limitMs = 60_000) => plane.until('rolled out', isRolledOut, limitMs);

test('runs on every node, bound by the scheduler through affinity', async () => {
  await run();
  expect(await rolledOut()).toBeLessThanOrEqual(1000);
  expect(await nodesOf()).toEqual(['n1', 'n2', 'n3', 'n4']);
  const [pod] = await serving();
  expect(pod?.metadata.name).toMatch(/^log-/);
  const required = pod?.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  expect(required?.nodeSelectorTerms).toEqual([
    { matchFields: [{ key: 'metadata.name', operator: 'In', values: [pod?.spec.nodeName] }] },
  ]);
  expect(pod?.spec.tolerations?.map((t) => `${t.key}:${t.effect}`)).toEqual([
    'node.kubernetes.io/not-ready:NoExecute',
    'node.kubernetes.io/unreachable:NoExecute',
    'node.kubernetes.io/disk-pressure:NoSchedule',
    'node.kubernetes.io/memory-pressure:NoSchedule',
    'node.kubernetes.io/pid-pressure:NoSchedule',
    'node.kubernetes.io/unschedulable:NoSchedule',
  ]);
  const [revision] = await plane.list(ControllerRevision);
  expect(pod?.metadata.labels).toEqual({
    app: 'log',
    'controller-revision-hash': revision?.metadata.labels?.['controller-revision-hash'],
    'pod-template-generation': '1',
  });
  expect((await theSet()).status).toEqual({
    currentNumberScheduled: 4,
    desiredNumberScheduled: 4,
    numberAvailable: 4,
    numberMisscheduled: 0,
    numberReady: 4,
    observedGeneration: 1,
    updatedNumberScheduled: 4,
  });
  expect((await plane.events('SuccessfulCreate')).every((text) => /^Created pod: log-/.test(text))).toBe(
    true,
  );
});

describe('nodes', () => {
  test('that come get a pod, also when they are cordoned; those that go take theirs along', async () => {
    await run();
    await rolledOut();
    const node = await addNode('n5');
    await patchNode('n5', { spec: { unschedulable: true } });
    await rolledOut();
    expect(await nodesOf()).toEqual(['n1', 'n2', 'n3', 'n4', 'n5']);
    await plane.kill(node);
    await plane.client(Node).delete('n5');
    await plane.until('forgotten', async () => (await plane.pods()).length === 4);
    expect((await theSet()).status?.desiredNumberScheduled).toBe(4);
  });

  test('are chosen by labels and taints, also when these change', async () => {
    const template = buildTemplate(labels, 'i:1');
    template.spec!.nodeSelector = { disk: 'ssd' };
    await run({ template });
    await plane.advance(1000);
    expect(await nodesOf()).toEqual([]);
    for (const name of ['n1', 'n2', 'n3']) await patchNode(name, { metadata: { labels: { disk: 'ssd' } } });
    await rolledOut();
    expect(await nodesOf()).toEqual(['n1', 'n2', 'n3']);
    await patchNode('n1', { metadata: { labels: { disk: 'hdd' } } });
    await patchNode('n2', { spec: { taints: [{ key: 'k', effect: 'NoExecute' }] } });
    await patchNode('n3', { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
    await plane.advance(2000);
    // What is there stays on a node that only takes nothing new.
    expect(await nodesOf()).toEqual(['n3']);
    expect((await theSet()).status).toMatchObject({
      desiredNumberScheduled: 0,
      currentNumberScheduled: 0,
      numberMisscheduled: 1,
    });
  });
});

describe('a new image', () => {
  test.each([
    ['one at a time by default', undefined, 3, 4],
    ['two at a time', { maxUnavailable: 2 }, 2, 4],
    ['half of them', { maxUnavailable: '50%' }, 2, 4],
    ['the new one first', { maxUnavailable: 0, maxSurge: 1 }, 4, 5],
    ['all new ones first', { maxUnavailable: 0, maxSurge: '100%' }, 4, 8],
  ])('%s', async (_, rollingUpdate, least, most) => {
    await run(
      rollingUpdate === undefined ? {} : { updateStrategy: { type: 'RollingUpdate', rollingUpdate } },
    );
    await rolledOut();
    await setImage('i:2');
    const seen = { least: 9, most: 0 };
    await plane.advance(15_000, async () => {
      seen.least = Math.min(seen.least, new Set(await nodesOf()).size);
      seen.most = Math.max(seen.most, (await plane.pods(labels)).filter(isActive).length);
    });
    expect(seen).toEqual({ least, most });
    expect(await isRolledOut()).toBe(true);
    expect((await serving()).map(imageOf)).toEqual(Array(4).fill('i:2'));
  });

  test('that never gets ready stops, and is taken back', async () => {
    await run();
    await rolledOut();
    await setImage('i:bad');
    await plane.advance(10_000);
    expect(await serving()).toHaveLength(3);
    const [first] = [...(await plane.list(ControllerRevision))].sort((a, b) => a.revision - b.revision);
    // What `kubectl rollout undo` sends.
    await plane.client(DaemonSet).patch(at, 'strategic', first?.data as object);
    await rolledOut();
    expect((await serving()).map(imageOf)).toEqual(Array(4).fill('i:1'));
    expect((await plane.list(ControllerRevision)).map((r) => r.revision).sort()).toEqual([2, 3]);
  });

  test('waits with OnDelete until somebody deletes', async () => {
    await run({ updateStrategy: { type: 'OnDelete' } });
    await plane.until('ready', async () => (await serving()).length === 4);
    await setImage('i:2');
    await plane.advance(2000);
    expect((await theSet()).status?.updatedNumberScheduled).toBeUndefined();
    const [pod] = await serving();
    await plane.client(Pod).delete(pod!.metadata.name, 'default');
    await plane.advance(2000);
    expect((await serving()).map(imageOf).sort()).toEqual(['i:1', 'i:1', 'i:1', 'i:2']);
  });

  test('waits between pods for minReadySeconds', async () => {
    await run({ minReadySeconds: 5 });
    await plane.advance(3000);
    expect((await theSet()).status).toMatchObject({ numberReady: 4, numberUnavailable: 4 });
    await rolledOut();
    await setImage('i:2');
    // Times in conditions are whole seconds.
    expect(await rolledOut()).toBeGreaterThanOrEqual(4 * 5000);
  });

  test('keeps as many revisions as it is told', async () => {
    await run({ revisionHistoryLimit: 1 });
    await rolledOut();
    for (const image of ['i:2', 'i:3', 'i:4']) {
      await setImage(image);
      await rolledOut();
    }
    await plane.advance(1000);
    expect((await plane.list(ControllerRevision)).map((r) => r.revision).sort()).toEqual([3, 4]);
  });
});

test('a failed pod is replaced, less and less often', async () => {
  await run();
  await rolledOut();
  const fail = async () => {
    const pod = (await plane.pods(labels)).find((p) => p.spec.nodeName === 'n1' && isActive(p));
    if (pod === undefined || !isReady(pod)) return;
    await plane
      .client(Pod)
      .patch({ name: pod.metadata.name, namespace: 'default', subresource: 'status' }, 'merge', {
        status: { phase: 'Failed' },
      });
  };
  await plane.advance(30_000, fail);
  const told = await plane.events('FailedDaemonPod');
  expect(told[0]).toMatch(/^Found failed daemon pod default\/log-\w+ on node n1, will try to kill it$/);
  expect(told.length).toBeGreaterThanOrEqual(4);
  expect(told.length).toBeLessThanOrEqual(6);
});

test.each([0, 300, 700])(
  'the server restarts %d ms into a rollout: no more is missing than may be',
  async (ms) => {
    await run();
    await rolledOut();
    await setImage('i:2');
    const check = async () => expect((await serving()).length).toBeGreaterThanOrEqual(3);
    await plane.advance(ms, check);
    await plane.restart(500);
    await plane.advance(10_000, check);
    expect(await isRolledOut()).toBe(true);
    expect(await plane.list(ControllerRevision)).toHaveLength(2);
  },
);
