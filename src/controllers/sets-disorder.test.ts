// Everything that keeps pods running, while events come late, twice and out of step and any write may be the last of its
// run: they come to the same end, keep their promises on the way, and write nothing once they are there.
import { afterEach, describe, expect, test } from 'vitest';
import {
  ControllerRevision,
  DaemonSet,
  Deployment,
  isActive,
  isReady,
  Node,
  PersistentVolumeClaim,
  Pod,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../api/index.ts';
import { seededRandom } from '../base/index.ts';
import { type Draft, serviceUnavailable } from '../machinery/index.ts';
import { buildTemplate, ControllerHarness, disorderly } from '../testkit/index.ts';
import { daemonSetController } from './daemon-set/controller.ts';
import { nodeOf } from './daemon-set/pod.ts';
import { deploymentController } from './deployment/controller.ts';
import { replicaSetController, replicationController } from './replicaset/controller.ts';
import { statefulSetController } from './stateful-set/controller.ts';

const seeds = [1, 2, 3, 4, 5, 6];
const labels = { app: 'web' };
const meta = { name: 'web', namespace: 'default' };
let harness: ControllerHarness;
afterEach(() => harness.stop());

/** `fragile`: every third write fails, so that runs end after any of their writes. */
function begin(seed: number, fragile: boolean): void {
  const delivery = disorderly(seededRandom(seed), { maxMs: 800, twice: true });
  harness = new ControllerHarness({ seed, delivery });
  if (!fragile) return;
  const random = seededRandom(seed);
  harness.transport.failWith = ({ verb }) =>
    !crashing || verb === 'get' || verb === 'list' || verb === 'watch' || random.next() > 0.35
      ? undefined
      : serviceUnavailable('the server is on its way down');
}
/** Only the controllers' calls fail, not those of this test. */
let crashing = false;
async function advance(ms: number): Promise<void> {
  crashing = true;
  await harness.advance(ms);
  crashing = false;
}

/** Nodes, as far as these controllers know them: every pod runs and is ready at the next turn, what is deleted ends. */
async function turns(count: number, check: () => Promise<void> = async () => {}): Promise<void> {
  for (let i = 0; i < count; i++) {
    await advance(400);
    await check();
    for (const pod of await harness.list(Pod)) {
      const { name, namespace } = pod.metadata;
      if (!isActive(pod)) await harness.client(Pod).delete(name, namespace, { gracePeriodSeconds: 0 });
      else if (!isReady(pod)) {
        const nodeName = nodeOf(pod) ?? 'n1';
        if (!pod.spec.nodeName)
          await harness.client(Pod).patch({ name, namespace }, 'merge', { spec: { nodeName } });
        await harness.client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', {
          status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
        });
      }
    }
  }
}
const serving = async () => (await harness.list(Pod)).filter((pod) => isActive(pod) && isReady(pod));
const imagesOf = (pods: readonly Pod[]) => pods.map((pod) => pod.spec.containers[0]?.image);

/** Until all that serves has the image, whatever the back-off of what failed in a row; `check` holds at every turn. */
async function turnsUntilAll(image: string, count: number, check: () => Promise<void>): Promise<void> {
  const goal = Array(count).fill(image).join();
  for (let i = 0; i < 100 && imagesOf(await serving()).join() !== goal; i++) await turns(10, check);
  await turns(30, check);
  expect(imagesOf(await serving())).toEqual(Array(count).fill(image));
}
const newImage = { spec: { template: { spec: { containers: [{ name: 'c', image: 'i:2' }] } } } };

async function expectSilence(fragile: boolean): Promise<void> {
  if (fragile) expect(harness.stats().some((one) => one.retries > 0)).toBe(true);
  harness.transport.failWith = () => undefined;
  await harness.advance(1_000_000);
  const before = harness.transport.calls.length;
  await harness.advance(60_000);
  const calls = harness.transport.calls
    .slice(before)
    .map(({ verb, target }) => `${verb} ${target.kind.kind}`);
  expect(calls).toEqual([]);
}

describe.each([
  ['late and twice', false],
  ['with crashes', true],
])('%s', (_, fragile) => {
  describe.each(seeds)('%d', (seed) => {
    test.each(['OrderedReady', 'Parallel'])('a stateful set, %s', async (podManagementPolicy) => {
      begin(seed, fragile);
      await harness.create(StatefulSet, {
        metadata: meta,
        spec: {
          replicas: 3,
          podManagementPolicy,
          selector: { matchLabels: labels },
          template: buildTemplate(labels),
          volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }],
        },
      } as unknown as Draft<StatefulSet>);
      await harness.start(statefulSetController);
      const inOrder = async () => {
        if (podManagementPolicy === 'Parallel') return;
        const made = (await harness.list(Pod)).map((pod) => pod.metadata.name).sort();
        expect(made).toEqual(['web-0', 'web-1', 'web-2'].slice(0, made.length));
      };
      await turns(40, inOrder);
      expect(await serving()).toHaveLength(3);
      expect(await harness.list(PersistentVolumeClaim)).toHaveLength(3);
      await harness.client(StatefulSet).patch(meta, 'strategic', newImage);
      await turnsUntilAll('i:2', 3, async () => expect((await serving()).length).toBeGreaterThanOrEqual(2));
      const { status } = await harness.client(StatefulSet).get('web', 'default');
      expect(status?.currentRevision).toBe(status?.updateRevision);
      expect((await harness.list(ControllerRevision)).map((r) => r.revision).sort()).toEqual([1, 2]);
      await harness.client(StatefulSet).patch(meta, 'merge', { spec: { replicas: 1 } });
      await turns(20);
      expect((await harness.list(Pod)).map((pod) => pod.metadata.name)).toEqual(['web-0']);
      await expectSilence(fragile);
    });

    test('a daemon set', async () => {
      begin(seed, fragile);
      for (let i = 0; i < 5; i++)
        await harness.create(Node, { metadata: { name: `n${i}` }, spec: {} } as Draft<Node>);
      await harness.create(DaemonSet, {
        metadata: meta,
        spec: { selector: { matchLabels: labels }, template: buildTemplate(labels) },
      } as Draft<DaemonSet>);
      await harness.start(daemonSetController);
      const atMostOne = async () => {
        const nodes = (await harness.list(Pod)).filter(isActive).map(nodeOf);
        expect(new Set(nodes).size).toBe(nodes.length);
      };
      await turns(25, atMostOne);
      expect(await serving()).toHaveLength(5);
      await harness.client(DaemonSet).patch(meta, 'strategic', newImage);
      await turnsUntilAll('i:2', 5, async () => {
        await atMostOne();
        expect((await serving()).length).toBeGreaterThanOrEqual(4);
      });
      expect((await harness.list(ControllerRevision)).map((r) => r.revision).sort()).toEqual([1, 2]);
      await harness.client(Node).patch({ name: 'n0' }, 'merge', {
        spec: { taints: [{ key: 'k', effect: 'NoExecute' }] },
      });
      await harness.client(Node).delete('n1');
      await harness.create(Node, { metadata: { name: 'n5' }, spec: {} } as Draft<Node>);
      await turns(20);
      const nodes = (await serving()).map((pod) => pod.spec.nodeName).sort();
      expect(nodes.filter((name) => name !== 'n1')).toEqual(['n2', 'n3', 'n4', 'n5']);
      const { status } = await harness.client(DaemonSet).get('web', 'default');
      expect(status).toMatchObject({ desiredNumberScheduled: 4, numberAvailable: 4, numberMisscheduled: 0 });
      await expectSilence(fragile);
    });

    test('a deployment, forth and back', async () => {
      begin(seed, fragile);
      const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } };
      await harness.create(Deployment, {
        metadata: meta,
        spec: { replicas: 4, selector: { matchLabels: labels }, template: buildTemplate(labels), strategy },
      } as Draft<Deployment>);
      await harness.start(deploymentController, replicaSetController);
      await turns(25);
      expect(await serving()).toHaveLength(4);
      const withinBounds = async () => {
        expect((await harness.list(Pod)).filter(isActive).length).toBeLessThanOrEqual(5);
        expect((await serving()).length).toBeGreaterThanOrEqual(3);
      };
      for (const image of ['i:2', 'i:1']) {
        const spec = { template: { spec: { containers: [{ name: 'c', image }] } } };
        await harness.client(Deployment).patch(meta, 'strategic', { spec });
        await turnsUntilAll(image, 4, withinBounds);
      }
      const found = await harness.list(ReplicaSet);
      expect(
        found.map((set) => set.metadata.annotations?.['deployment.kubernetes.io/revision']).sort(),
      ).toEqual(['2', '3']);
      await expectSilence(fragile);
    });

    test('a replication controller', async () => {
      begin(seed, fragile);
      await harness.create(ReplicationController, {
        metadata: meta,
        spec: { replicas: 4, selector: labels, template: buildTemplate(labels) },
      } as Draft<ReplicationController>);
      await harness.create(Pod, {
        metadata: { name: 'stray', namespace: 'default', labels },
        spec: buildTemplate(labels).spec!,
      } as Draft<Pod>);
      await harness.start(replicationController);
      const most = async () =>
        expect((await harness.list(Pod)).filter(isActive).length).toBeLessThanOrEqual(4);
      await turns(20, most);
      expect(await serving()).toHaveLength(4);
      expect(
        (await serving()).every((pod) => pod.metadata.ownerReferences?.[0]?.kind === 'ReplicationController'),
      ).toBe(true);
      await harness.client(ReplicationController).patch(meta, 'merge', { spec: { replicas: 2 } });
      await turns(20);
      expect((await harness.list(ReplicationController))[0]?.status).toEqual({
        replicas: 2,
        readyReplicas: 2,
        availableReplicas: 2,
        fullyLabeledReplicas: 2,
        observedGeneration: 2,
      });
      await expectSilence(fragile);
    });
  });
});

test('a revision whose name is taken gets another one', async () => {
  harness = new ControllerHarness();
  const spec = { replicas: 0, selector: { matchLabels: labels }, template: buildTemplate(labels) };
  await harness.create(StatefulSet, { metadata: meta, spec } as unknown as Draft<StatefulSet>);
  await harness.start(statefulSetController);
  const [first] = await harness.list(ControllerRevision);
  await harness.client(StatefulSet).delete('web', 'default');
  await harness.client(ControllerRevision).delete(first!.metadata.name, 'default');
  await harness.create(ControllerRevision, {
    metadata: { name: first!.metadata.name, namespace: 'default' },
    revision: 1,
    data: { spec: { template: {} } },
  });
  await harness.create(StatefulSet, { metadata: meta, spec } as unknown as Draft<StatefulSet>);
  await harness.advance(1000);
  const set = await harness.client(StatefulSet).get('web', 'default');
  expect(set.status?.collisionCount).toBe(1);
  expect(set.status?.updateRevision).not.toBe(first?.metadata.name);
});
