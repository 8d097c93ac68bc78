// A node whose machine is shut down, over fakes.
import { describe, expect, test } from 'vitest';
import { Node } from '../../api/index.ts';
import { parseNodeSettings } from '../registration/node-settings.ts';
import { condition, container, world } from '../testdata/agent-world.ts';

const settings = parseNodeSettings({
  shutdownGracePeriod: '30s',
  shutdownGracePeriodCriticalPods: '10s',
});
const critical = { priority: 2_000_000_000, priorityClassName: 'system-cluster-critical' };

async function running(names: Record<string, object>, stopAfterMs: number) {
  const w = await world(() => ({ stopAfterMs }), { settings });
  await w.start();
  for (const [name, spec] of Object.entries(names)) await w.create(name, spec);
  for (const name of Object.keys(names))
    await w.until(`${name} runs`, async () => (await w.pod(name))?.status?.phase === 'Running');
  const ready = async () =>
    (await w.client(Node).get('n1')).status?.conditions?.find(({ type }) => type === 'Ready');
  await w.until('the node is ready', async () => (await ready())?.status === 'True');
  return { ...w, ready };
}

describe('a machine that is shut down', () => {
  test('ends its pods in the words of Kubernetes, and says why it is not ready', async () => {
    const w = await running({ web: {} }, 500);
    const over = w.agent.shutdown();
    let resolved = false;
    void over.then(() => (resolved = true));
    const ending = await w.until('its conditions know', async () => {
      const pod = await w.pod('web');
      return condition(pod, 'DisruptionTarget') !== undefined ? pod : undefined;
    });
    expect(condition(ending, 'DisruptionTarget')).toMatchObject({
      status: 'True',
      reason: 'TerminationByKubelet',
      message: 'Pod was terminated in response to imminent node shutdown.',
    });
    // It still runs, so nobody may take its place yet.
    expect(ending!.status).toMatchObject({ phase: 'Running' });
    await w.until('the shutdown is over', async () => resolved);
    const pod = await w.pod('web');
    expect(pod?.status).toMatchObject({
      phase: 'Failed',
      reason: 'Terminated',
      message: 'Pod was terminated in response to imminent node shutdown.',
    });
    expect(condition(pod, 'Ready')).toMatchObject({ status: 'False', reason: 'PodFailed' });
    await w.until('the node is not ready', async () => (await w.ready())?.status === 'False');
    expect(await w.ready()).toMatchObject({
      reason: 'KubeletNotReady',
      message: 'node is shutting down',
    });
  });

  test('critical pods outlive the others, and nobody outlives its time', async () => {
    const w = await running(
      {
        web: { terminationGracePeriodSeconds: 3600 },
        dns: { ...critical, terminationGracePeriodSeconds: 3600 },
      },
      3_600_000,
    );
    const beganMs = w.clock.monotonicMs();
    let resolved = false;
    void w.agent.shutdown().then(() => (resolved = true));
    await w.until('the first ends', async () => (await w.pod('web'))?.status?.phase === 'Failed');
    const firstMs = w.clock.monotonicMs() - beganMs;
    expect(firstMs).toBeGreaterThanOrEqual(20_000);
    expect((await w.pod('dns'))?.status?.phase).toBe('Running');
    await w.until('all is over', async () => resolved);
    expect((await w.pod('dns'))?.status?.phase).toBe('Failed');
    expect(w.clock.monotonicMs() - beganMs).toBeLessThan(36_000);
  });

  test('takes no pod any more', async () => {
    const w = await running({}, 0);
    void w.agent.shutdown();
    await w.create('late', {});
    const late = await w.until('it is refused', async () => {
      const pod = await w.pod('late');
      return pod?.status?.phase === 'Failed' ? pod : undefined;
    });
    expect(late!.status).toMatchObject({
      reason: 'NodeShutdown',
      message: 'Pod was rejected: Pod was rejected as the node is shutting down.',
    });
  });

  test('that is not shut down after all is ready again and takes pods', async () => {
    const w = await running({ web: {} }, 10_000);
    let resolved = false;
    void w.agent.shutdown().then(() => (resolved = true));
    await w.until('the node is not ready', async () => (await w.ready())?.status === 'False');
    w.agent.callOffShutdown();
    await w.until('it is over', async () => resolved);
    await w.until('the node is ready', async () => (await w.ready())?.status === 'True');
    await w.create('late', { containers: [container('main')] });
    await w.until('a pod runs', async () => (await w.pod('late'))?.status?.phase === 'Running');
    // What was told to end does so all the same.
    await w.until('the first ends', async () => (await w.pod('web'))?.status?.reason === 'Terminated');
  });

  test('without time for its pods leaves them alone', async () => {
    const w = await world(() => ({ stopAfterMs: 0 }));
    await w.start();
    await w.create('web', {});
    await w.until('it runs', async () => (await w.pod('web'))?.status?.phase === 'Running');
    let resolved = false;
    void w.agent.shutdown().then(() => (resolved = true));
    await w.until('it is over', async () => resolved);
    expect((await w.pod('web'))?.status?.phase).toBe('Running');
  });
});
