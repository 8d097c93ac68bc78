// Controllers whose events come late, twice and out of step between kinds: they come to the same end, never make too much on the way,
// and write nothing once they are there.
import { afterEach, describe, expect, test } from 'vitest';
import {
  Deployment,
  EndpointSlice,
  Endpoints,
  isActive,
  isReady,
  Node,
  Pod,
  ReplicaSet,
  Service,
} from '../api/index.ts';
import { seededRandom } from '../base/index.ts';
import { type Draft, forbidden } from '../machinery/index.ts';
import { buildNode, buildTemplate, ControllerHarness, disorderly } from '../testkit/index.ts';
import { deploymentController } from './deployment/controller.ts';
import { endpointSliceController } from './endpoint-slice/controller.ts';
import { endpointSliceMirroringController } from './endpoint-slice-mirroring/controller.ts';
import { endpointsController } from './endpoints/controller.ts';
import { nodeIpamController } from './node-ipam/controller.ts';
import { replicaSetController } from './replicaset/controller.ts';
import { templateHash } from './template-hash.ts';

const seeds = [1, 2, 3, 4, 5, 6];
const labels = { app: 'web' };
let harness: ControllerHarness;
afterEach(() => harness.stop());

const disorder = (seed: number) =>
  new ControllerHarness({ seed, delivery: disorderly(seededRandom(seed), { maxMs: 800, twice: true }) });
const nodeDraft = (name: string): Draft<Node> => {
  const { metadata, spec, status } = buildNode(name);
  return { metadata: { name, labels: metadata.labels }, spec, status };
};
const meta = (name: string) => ({ name, namespace: 'default' });
const set = (replicas: number, more: object = {}) =>
  ({
    metadata: { ...meta('web'), labels },
    spec: { replicas, selector: { matchLabels: labels }, template: buildTemplate(labels), ...more },
  }) as Draft<ReplicaSet>;
const activePods = async () => (await harness.list(Pod)).filter(isActive);

/** Nodes, as far as these controllers know them: every pod runs and is ready at the next turn, what is deleted ends. */
async function nodesTurn(): Promise<void> {
  for (const pod of await harness.list(Pod)) {
    const { name, namespace } = pod.metadata;
    if (!isActive(pod)) await harness.client(Pod).delete(name, namespace, { gracePeriodSeconds: 0 });
    else if (!isReady(pod))
      await harness.client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', {
        status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
      });
  }
}
async function turns(count: number, check: () => Promise<void> = async () => {}): Promise<void> {
  for (let i = 0; i < count; i++) {
    await harness.advance(400);
    await check();
    await nodesTurn();
  }
}
/** Nothing but the passing of time. */
async function expectSilence(): Promise<void> {
  await harness.advance(10_000);
  const before = harness.transport.calls.length;
  await harness.advance(30_000);
  expect(
    harness.transport.calls.slice(before).map(({ verb, target }) => `${verb} ${target.kind.kind}`),
  ).toEqual([]);
}

describe.each(seeds)('in disorder %d', (seed) => {
  test('a replica set makes what is missing and no more, through scaling up and down', async () => {
    harness = disorder(seed);
    await harness.create(ReplicaSet, set(5));
    await harness.start(replicaSetController);
    const atMost = (limit: number) => async () =>
      expect((await activePods()).length).toBeLessThanOrEqual(limit);
    await turns(8, atMost(5));
    expect(await activePods()).toHaveLength(5);
    const [first] = await activePods();
    await harness.client(Pod).delete(first!.metadata.name, 'default', { gracePeriodSeconds: 0 });
    await turns(8, atMost(5));
    expect(await activePods()).toHaveLength(5);
    for (const replicas of [9, 2]) {
      await harness.client(ReplicaSet).patch(meta('web'), 'merge', { spec: { replicas } });
      await turns(10, atMost(9));
      expect(await activePods()).toHaveLength(replicas);
    }
    expect(harness.stats().every(({ gateTimeouts }) => gateTimeouts === 0)).toBe(true);
    expect((await harness.list(ReplicaSet))[0]?.status).toMatchObject({ replicas: 2, readyReplicas: 2 });
    await expectSilence();
  });

  test('orphans are adopted, relabelled pods let go', async () => {
    harness = disorder(seed);
    for (const name of ['a', 'b'])
      await harness.create(Pod, {
        metadata: { ...meta(name), labels },
        spec: buildTemplate(labels).spec!,
      } as Draft<Pod>);
    await harness.create(ReplicaSet, set(3));
    await harness.start(replicaSetController);
    await turns(8);
    expect(await activePods()).toHaveLength(3);
    await harness.client(Pod).patch(meta('a'), 'merge', { metadata: { labels: { app: 'other' } } });
    await turns(8);
    const owned = (await activePods()).filter((pod) => pod.metadata.ownerReferences !== undefined);
    expect(owned).toHaveLength(3);
    expect((await harness.client(Pod).get('a', 'default')).metadata.ownerReferences).toBeUndefined();
    await expectSilence();
  });

  test('a deployment rolls out within its bounds', async () => {
    harness = disorder(seed);
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 2, maxUnavailable: 1 } };
    await harness.create(Deployment, {
      metadata: meta('web'),
      spec: { replicas: 5, selector: { matchLabels: labels }, template: buildTemplate(labels), strategy },
    } as Draft<Deployment>);
    await harness.start(deploymentController, replicaSetController);
    await turns(15);
    expect((await activePods()).filter(isReady)).toHaveLength(5);
    await harness.client(Deployment).patch(meta('web'), 'strategic', {
      spec: { template: { spec: { containers: [{ name: 'c', image: 'i:2' }] } } },
    });
    await turns(60, async () => {
      const active = await activePods();
      expect(active.length).toBeLessThanOrEqual(7);
      expect(active.filter(isReady).length).toBeGreaterThanOrEqual(4);
    });
    const pods = await activePods();
    expect(pods.map((pod) => pod.spec.containers[0]?.image)).toEqual(Array(5).fill('i:2'));
    expect(await harness.list(ReplicaSet)).toHaveLength(2);
    const said = (await harness.list(Deployment))[0]?.status?.conditions?.find(
      (c) => c.type === 'Progressing',
    );
    expect(said?.reason).toBe('NewReplicaSetAvailable');
    // The last deadline was noted before the rollout was complete.
    await harness.advance(700_000);
    await expectSilence();
  });

  test('a service’s slices hold each of its pods once', async () => {
    harness = disorder(seed);
    await harness.create(Node, nodeDraft('n1'));
    await harness.create(Service, {
      metadata: meta('web'),
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }] },
    } as Draft<Service>);
    await harness.create(
      ReplicaSet,
      set(130, {
        template: { ...buildTemplate(labels), spec: { ...buildTemplate(labels).spec!, nodeName: 'n1' } },
      }),
    );
    await harness.start(replicaSetController, endpointSliceController);
    await turns(12);
    const names = async () =>
      (await harness.list(EndpointSlice))
        .flatMap((s) => s.endpoints ?? [])
        .map((e) => e.targetRef?.name)
        .sort();
    expect(await names()).toEqual((await activePods()).map((pod) => pod.metadata.name).sort());
    expect((await harness.list(EndpointSlice)).map((s) => s.endpoints?.length).sort()).toEqual([100, 30]);
    await harness.client(ReplicaSet).patch(meta('web'), 'merge', { spec: { replicas: 40 } });
    await turns(12);
    expect(await names()).toEqual((await activePods()).map((pod) => pod.metadata.name).sort());
    await expectSilence();
  });

  test('a service’s endpoints and the mirror of hand-made ones come to the same end', async () => {
    harness = disorder(seed);
    await harness.create(Node, nodeDraft('n1'));
    const ports = [{ port: 80, targetPort: 8080, protocol: 'TCP' }];
    const service = (name: string, spec: object) =>
      harness.create(Service, { metadata: meta(name), spec: { ports, ...spec } } as Draft<Service>);
    await service('web', { selector: labels });
    await service('db', {});
    const template = { ...buildTemplate(labels), spec: { ...buildTemplate(labels).spec!, nodeName: 'n1' } };
    await harness.create(ReplicaSet, set(12, { template }));
    await harness.start(
      replicaSetController,
      endpointSliceController,
      endpointsController,
      endpointSliceMirroringController,
    );
    const subsets = (ip: string) => [{ addresses: [{ ip }], ports: [{ port: 5432, protocol: 'TCP' }] }];
    await harness.create(Endpoints, { metadata: meta('db'), subsets: subsets('192.0.2.1') });
    await turns(12);
    const active = async () => (await activePods()).map((pod) => pod.metadata.name).sort();
    const shown = async () =>
      (await harness.list(Endpoints))
        .flatMap((e) => e.subsets ?? [])
        .flatMap((s) => [...(s.addresses ?? []), ...(s.notReadyAddresses ?? [])])
        .flatMap((a) => (a.targetRef?.name === undefined ? [] : [a.targetRef.name]))
        .sort();
    const mirrored = async () =>
      (await harness.list(EndpointSlice))
        .filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === 'db')
        .map((s) => s.endpoints?.map((e) => e.addresses[0]));
    expect(await shown()).toEqual(await active());
    expect(await mirrored()).toEqual([['192.0.2.1']]);
    await harness.client(ReplicaSet).patch(meta('web'), 'merge', { spec: { replicas: 5 } });
    await harness.client(Endpoints).patch(meta('db'), 'merge', { subsets: subsets('192.0.2.2') });
    await turns(12);
    expect(await shown()).toEqual(await active());
    expect(await mirrored()).toEqual([['192.0.2.2']]);
    await harness.client(Service).delete('web', 'default');
    await harness.client(Service).delete('db', 'default');
    await turns(12);
    expect(await harness.list(Endpoints)).toEqual([]);
    expect(await mirrored()).toEqual([]);
    await expectSilence();
  });

  test('every node gets a range of its own', async () => {
    harness = disorder(seed);
    for (let i = 0; i < 6; i++)
      await harness.create(Node, { metadata: { name: `n${i}` }, spec: {} } as Draft<Node>);
    await harness.start(
      nodeIpamController({ clusterCidr: '10.0.0.0/22', nodeCidrMaskSize: 24, nodeCidrMaskSizeIpv6: 64 }),
    );
    await harness.advance(10_000);
    const ranges = async () =>
      (await harness.list(Node)).map((node) => node.spec.podCIDR).filter((cidr) => cidr !== undefined);
    expect(new Set(await ranges()).size).toBe(4);
    expect(await ranges()).toHaveLength(4);
    expect(harness.events.filter((e) => e.reason === 'CIDRNotAvailable')).toHaveLength(2);
    const taken = (await harness.list(Node)).find((node) => node.spec.podCIDR !== undefined)!;
    await harness.client(Node).delete(taken.metadata.name);
    await harness.advance(10_000);
    expect(new Set(await ranges()).size).toBe(4);
    expect(await ranges()).toHaveLength(4);
    await expectSilence();
  });
});

test('a replica set that cannot create tells why once, and goes on when it can', async () => {
  harness = new ControllerHarness();
  let refuse = true;
  let tries = 0;
  harness.transport.failWith = ({ verb, target }) => {
    if (!refuse || verb !== 'create' || target.kind.kind !== 'Pod') return undefined;
    return forbidden({ group: '', resource: 'pods' }, `web-${tries++}`, 'exceeded quota');
  };
  await harness.create(ReplicaSet, set(3));
  await harness.start(replicaSetController);
  await harness.advance(1000);
  const failure = async () => (await harness.list(ReplicaSet))[0]?.status?.conditions?.[0];
  expect(await failure()).toMatchObject({ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate' });
  // One at a time while it fails, and less and less often.
  expect(tries).toBeLessThan(12);
  refuse = false;
  await harness.advance(10_000);
  expect(await activePods()).toHaveLength(3);
  expect(await failure()).toBeUndefined();
});

test('noting the revision of a deployment is no change of it', async () => {
  harness = new ControllerHarness();
  await harness.create(Deployment, set(1) as unknown as Draft<Deployment>);
  await harness.start(deploymentController, replicaSetController);
  await harness.advance(10_000);
  const [{ metadata, status }] = (await harness.list(Deployment)) as [Deployment];
  expect([metadata.annotations, metadata.generation, status?.observedGeneration]).toEqual([
    { 'deployment.kubernetes.io/revision': '1' },
    1,
    1,
  ]);
});

test('a deployment whose replica set’s name is taken tries another', async () => {
  harness = new ControllerHarness();
  await harness.create(Deployment, {
    metadata: meta('web'),
    spec: { replicas: 1, selector: { matchLabels: labels }, template: buildTemplate(labels) },
  } as Draft<Deployment>);
  const [deployment] = await harness.list(Deployment);
  const name = `web-${templateHash(deployment!.spec.template, 0)}`;
  const other = { app: 'other' };
  await harness.create(ReplicaSet, {
    metadata: { ...meta(name), labels: other },
    spec: { replicas: 0, selector: { matchLabels: other }, template: buildTemplate(other) },
  } as Draft<ReplicaSet>);
  await harness.start(deploymentController);
  await harness.advance(10_000);
  const owned = (await harness.list(ReplicaSet)).filter((s) => s.metadata.ownerReferences !== undefined);
  expect(owned).toHaveLength(1);
  expect(owned[0]?.metadata.name).not.toBe(name);
  expect((await harness.list(Deployment))[0]?.status?.collisionCount).toBe(1);
});

test('a set that is deleted meanwhile adopts nothing', async () => {
  harness = new ControllerHarness();
  await harness.create(ReplicaSet, set(1));
  await harness.start(replicaSetController);
  harness.transport.delivery = { lateMs: (kind) => (kind.kind === 'ReplicaSet' ? 60_000 : 0), twice: false };
  const finalizers = ['orphan'];
  await harness.client(ReplicaSet).patch(meta('web'), 'merge', { metadata: { finalizers } });
  await harness.client(ReplicaSet).delete('web', 'default');
  await harness.create(Pod, {
    metadata: { ...meta('stray'), labels },
    spec: buildTemplate(labels).spec!,
  } as Draft<Pod>);
  await harness.advance(20_000);
  expect((await harness.client(Pod).get('stray', 'default')).metadata.ownerReferences).toBeUndefined();
});
