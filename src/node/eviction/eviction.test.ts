// Eviction as the API sees it: the whole agent over fakes, with a machine that runs short.
import { describe, expect, test } from 'vitest';
import { Event, Node } from '../../api/index.ts';
import { parseNodeSettings } from '../registration/node-settings.ts';
import { container, world } from '../testdata/agent-world.ts';

const memory = (bytes: string) => ({ ...container('main'), resources: { requests: { memory: bytes } } });

async function running(names: readonly string[], priorities: readonly number[] = []) {
  const settings = parseNodeSettings({ evictionPressureTransitionPeriod: '30s' });
  const w = await world(undefined, { settings });
  await w.start();
  for (const [i, name] of names.entries())
    await w.create(name, { containers: [memory('1Mi')], priority: priorities[i] ?? 0 });
  for (const name of names)
    await w.until(`${name} runs`, async () => (await w.pod(name))?.status?.phase === 'Running');
  const stats = async () =>
    (await w.runtime.listContainers()).map(({ id, labels }) => ({
      containerId: id,
      cpuNanoseconds: 0,
      memoryWorkingSetBytes: labels['io.kubernetes.pod.name'] === 'big' ? 300 << 20 : 2 << 20,
      writableLayerBytes: 0,
      atMs: w.clock.nowMs(),
    }));
  w.runtime.containerStats = stats;
  const failed = async () => {
    const found: string[] = [];
    for (const name of names) if ((await w.pod(name))?.status?.phase === 'Failed') found.push(name);
    return found;
  };
  const nodeEvents = async () =>
    (await w.client(Event).list({ namespace: 'default' })).items
      .filter(({ involvedObject }) => involvedObject.kind === 'Node')
      .map(({ reason, message }) => `${reason}: ${message}`);
  const condition = async (type: string) =>
    (await w.client(Node).get('n1')).status?.conditions?.find((one) => one.type === type);
  return { ...w, w, failed, nodeEvents, condition };
}

describe('a machine that runs short of memory', () => {
  test('ends the pod that uses most beyond its request, says why, refuses new ones, and recovers', async () => {
    const t = await running(['big', 'small']);
    t.free.memoryBytes = 50 << 20;
    await t.until('a pod is evicted', async () => (await t.failed()).length > 0);
    t.free.memoryBytes = 4 * 2 ** 30;
    expect(await t.failed()).toEqual(['big']);
    const big = await t.until('its containers have ended', async () => {
      const pod = await t.pod('big');
      return pod?.status?.containerStatuses?.[0]?.state?.terminated === undefined ? undefined : pod;
    });
    const message =
      'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container main was using 300Mi, request is 1Mi, has larger consumption of memory. ';
    expect(big.status).toMatchObject({ phase: 'Failed', reason: 'Evicted', message });
    expect(big.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'TerminationByKubelet',
      message,
    });
    expect(await t.events('big')).toContain(`Warning Evicted: ${message}`);
    expect(await t.condition('MemoryPressure')).toMatchObject({
      status: 'True',
      reason: 'KubeletHasInsufficientMemory',
    });
    for (const said of [
      'Starting: Starting kubelet.',
      'NodeHasInsufficientMemory: Node n1 status is now: NodeHasInsufficientMemory',
      'EvictionThresholdMet: Attempting to reclaim memory',
    ])
      await t.until(said, async () => (await t.nodeEvents()).includes(said));

    // Those who asked for nothing are not taken now; the others are.
    await t.create('late', { containers: [container('main')] });
    const late = await t.until('it is refused', async () => {
      const pod = await t.pod('late');
      return pod?.status?.phase === 'Failed' ? pod : undefined;
    });
    expect(late.status).toMatchObject({
      reason: 'Evicted',
      message: 'Pod was rejected: The node had condition: [MemoryPressure]. ',
    });
    expect((late.status?.conditions ?? []).some(({ type }) => type === 'DisruptionTarget')).toBe(false);
    await t.until(
      'the pressure is over',
      async () => (await t.condition('MemoryPressure'))?.status === 'False',
    );
    expect(await t.failed()).toEqual(['big']);
  });

  test('ends one pod after another, the unimportant first, and never what the node needs', async () => {
    const t = await running(['small', 'big', 'vital'], [0, 10, 2_000_000_000]);
    t.free.memoryBytes = 50 << 20;
    await t.until('the first is evicted', async () => (await t.failed()).length > 0);
    expect(await t.failed()).toEqual(['small']);
    await t.until('the second is evicted', async () => (await t.failed()).length > 1);
    for (let i = 0; i < 5; i++) await t.clock.advance(10_000);
    expect(await t.failed()).toEqual(['small', 'big']);
  });
});

test('a pod that takes long to end is told of its eviction once, and is not Failed before it has ended', async () => {
  const settings = parseNodeSettings({
    evictionSoft: 'memory.available<1Gi',
    evictionSoftGracePeriod: 'memory.available=1s',
    evictionMaxPodGracePeriod: 120,
  });
  const w = await world(() => ({ stopAfterMs: 100_000 }), { settings });
  await w.start();
  await w.create('slow', { containers: [memory('1Mi')], terminationGracePeriodSeconds: 120 });
  await w.until('it runs', async () => (await w.pod('slow'))?.status?.phase === 'Running');
  w.free.memoryBytes = 500 << 20;
  const evictions = async () =>
    (await w.client(Event).list({ namespace: 'default' })).items
      .filter(({ reason }) => reason === 'Evicted')
      .reduce((sum, { count }) => sum + (count ?? 1), 0);
  await w.until('it is evicted', async () => (await evictions()) > 0);
  const beganMs = w.clock.nowMs();
  await w.until('a minute has passed', async () => w.clock.nowMs() - beganMs > 60_000);
  expect((await w.pod('slow'))?.status?.phase).toBe('Running');
  await w.until('it has ended', async () => (await w.pod('slow'))?.status?.phase === 'Failed');
  expect(await evictions()).toBe(1);
});

test('a full disk from the start: the node is ready, and says what it is short of', async () => {
  const w = await world();
  w.free.diskBytes = 1_000_000;
  await w.start();
  const node = await w.until('it says so', async () => {
    const found = await w.client(Node).get('n1');
    const of = (type: string) => found.status?.conditions?.find((one) => one.type === type);
    return of('DiskPressure')?.status === 'True' && of('Ready')?.status === 'True' ? found : undefined;
  });
  expect(node.status?.allocatable?.['ephemeral-storage']).toBe('90G');
  expect(node.status?.conditions?.find(({ type }) => type === 'DiskPressure')?.message).toBe(
    'kubelet has disk pressure',
  );
});
