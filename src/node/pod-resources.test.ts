// What a node grants to pods: taken or refused, and resized while they run. Over fakes.
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Pod } from '../api/index.ts';
import { condition, container, isReady, type World, world } from './testdata/agent-world.ts';
import { noCgroups } from './worker/pod-cgroups.ts';

const asking = (requests: Record<string, string>, more: object = {}) => ({
  containers: [container('main', { resources: { requests }, ...more })] as Pod['spec']['containers'],
});

async function started(): Promise<World> {
  const w = await world();
  await w.start();
  return w;
}

/** As pods/resize does it. */
const resize = (w: World, name: string, resources: object) =>
  w.client(Pod).patch({ name, namespace: 'default' }, 'strategic', {
    spec: { containers: [{ name: 'main', resources }] },
  });

const updates = (w: World) => w.runtime.calls.filter((c) => c.method === 'updateContainerResources').length;

describe('a pod that the node does not take', () => {
  test('has failed, with why, and nothing of it was started', async () => {
    const w = await started();
    await w.create('big', asking({ cpu: '5' }));
    const pod = await w.until('refused', async () => {
      const found = await w.pod('big');
      return found?.status?.phase === 'Failed' && found;
    });
    expect(pod.status).toMatchObject({
      reason: 'OutOfcpu',
      message:
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 4000",
    });
    expect(pod.status?.containerStatuses).toBeUndefined();
    expect(w.runtime.find('big', 'main')).toBeUndefined();
    await w.until('an event', async () => (await w.events('big')).length > 0);
    expect(await w.events('big')).toEqual([
      "Warning OutOfcpu: Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 4000",
    ]);
    await w.client(Pod).delete('big', 'default');
    await w.until('it is gone', async () => (await w.pod('big')) === undefined);
  });

  test('does not take room from the next', async () => {
    const w = await started();
    await w.create('first', asking({ cpu: '3' }));
    await w.create('second', asking({ cpu: '3' }));
    await w.create('third', asking({ cpu: '1' }));
    await w.until('the first runs', async () => isReady(await w.pod('first')));
    await w.until('the third runs', async () => isReady(await w.pod('third')));
    expect((await w.pod('second'))?.status?.reason).toBe('OutOfcpu');
  });

  test('would have been taken on a node with its labels', async () => {
    const w = await started();
    await w.create('picky', { nodeSelector: { disk: 'ssd' } });
    const pod = await w.until('refused', async () => {
      const found = await w.pod('picky');
      return found?.status?.phase === 'Failed' && found;
    });
    expect(pod.status?.reason).toBe('NodeAffinity');
  });

  test('is taken again by an agent that was restarted while it ran', async () => {
    const w = await started();
    await w.create('web', asking({ cpu: '3' }));
    await w.until('it runs', async () => isReady(await w.pod('web')));
    const { id } = w.runtime.find('web', 'main')!;
    await w.agent.stop();
    await w.create('new', asking({ cpu: '3' }));
    await w.start();
    const refused = await w.until('the new one is refused', async () => {
      const found = await w.pod('new');
      return found?.status?.phase === 'Failed' && found;
    });
    expect(refused.status?.reason).toBe('OutOfcpu');
    expect(w.runtime.find('web', 'main')).toMatchObject({ id, state: 'running' });
  });
});

describe('a resize', () => {
  test('changes the container as it runs', async () => {
    const w = await started();
    await w.create('web', asking({ cpu: '100m' }));
    const before = await w.until('it runs', async () => isReady(await w.pod('web')));
    expect(before.status?.containerStatuses?.[0]).toMatchObject({
      allocatedResources: { cpu: '100m' },
      resources: { requests: { cpu: '100m' } },
    });
    await resize(w, 'web', { requests: { cpu: '200m' } });
    const after = await w.until('it has more', async () => {
      const found = await w.pod('web');
      return found?.status?.containerStatuses?.[0]?.resources?.requests?.['cpu'] === '200m' && found;
    });
    expect(after.status?.containerStatuses?.[0]).toMatchObject({
      allocatedResources: { cpu: '200m' },
      restartCount: 0,
    });
    expect(updates(w)).toBe(1);
    await w.until(
      'it is done',
      async () => condition(await w.pod('web'), 'PodResizeInProgress') === undefined,
    );
    await w.until('events', async () => (await w.events('web')).length >= 5);
    expect((await w.events('web')).filter((e) => e.includes('Resize'))).toEqual([
      expect.stringMatching(/^Normal ResizeStarted: Pod resize started: \{"containers":\[\{"name":"main"/),
      expect.stringMatching(/^Normal ResizeCompleted: Pod resize completed: /),
    ]);
  });

  test('starts the container anew when its policy says so', async () => {
    const w = await started();
    const policy = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
    await w.create('web', asking({ memory: '1Gi' }, policy));
    await w.until('it runs', async () => isReady(await w.pod('web')));
    await resize(w, 'web', { requests: { memory: '2Gi' } });
    const after = await w.until('it has more', async () => {
      const found = await w.pod('web');
      const [status] = found?.status?.containerStatuses ?? [];
      return status?.restartCount === 1 && status.resources?.requests?.['memory'] === '2Gi' && found;
    });
    expect(after.spec.containers[0]!.resources?.requests).toEqual({ memory: '2Gi' });
    expect(updates(w)).toBe(0);
    await w.until('an event', async () =>
      (await w.events('web')).includes('Normal Killing: Container main resize requires restart'),
    );
  });

  test('makes the group of the pod larger before what starts anew has more', async () => {
    const w = await started();
    const policy = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
    await w.create('web', asking({ cpu: '1', memory: '1Gi' }, policy));
    await w.until('it runs', async () => isReady(await w.pod('web')));
    const starts = () => w.runtime.calls.filter((c) => c.method === 'createContainer').length;
    const before: number[] = [];
    const loosen = vi.spyOn(noCgroups, 'loosen').mockImplementation(() => before.push(starts()));
    onTestFinished(() => loosen.mockRestore());
    await resize(w, 'web', { requests: { cpu: '2', memory: '2Gi' } });
    await w.until('it was started anew', async () => starts() === 2 && isReady(await w.pod('web')));
    expect(before).toContain(1);
  });

  test('waits for room, and is granted when another pod has gone', async () => {
    const w = await started();
    await w.create('web', asking({ cpu: '1' }));
    await w.create('other', asking({ cpu: '2' }));
    await w.until('both run', async () => isReady(await w.pod('web')) && isReady(await w.pod('other')));
    await resize(w, 'web', { requests: { cpu: '3' } });
    const waiting = await w.until('it waits', async () => {
      const found = await w.pod('web');
      return condition(found, 'PodResizePending') !== undefined && found;
    });
    expect(condition(waiting, 'PodResizePending')).toMatchObject({
      status: 'True',
      reason: 'Deferred',
      message: "Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000",
    });
    expect(waiting?.status?.containerStatuses?.[0]?.allocatedResources).toEqual({ cpu: '1' });
    await w.client(Pod).delete('other', 'default');
    const done = await w.until('it has more', async () => {
      const found = await w.pod('web');
      return found?.status?.containerStatuses?.[0]?.resources?.requests?.['cpu'] === '3' && found;
    });
    expect(condition(done, 'PodResizePending')).toBeUndefined();
  });

  test('that no node of this size could grant is infeasible', async () => {
    const w = await started();
    await w.create('web', asking({ cpu: '1' }));
    await w.until('it runs', async () => isReady(await w.pod('web')));
    await resize(w, 'web', { requests: { cpu: '5' } });
    const found = await w.until('it is told', async () => condition(await w.pod('web'), 'PodResizePending'));
    expect(found).toMatchObject({
      reason: 'Infeasible',
      message: "Node didn't have enough capacity: cpu, requested: 5000, capacity: 4000",
    });
    expect(updates(w)).toBe(0);
    // Taken back, nothing is left of it.
    await resize(w, 'web', { requests: { cpu: '1' } });
    await w.until(
      'it is forgotten',
      async () => condition(await w.pod('web'), 'PodResizePending') === undefined,
    );
  });

  test('goes on after the agent was restarted in its midst', async () => {
    const w = await started();
    await w.create('web', asking({ cpu: '1' }));
    await w.until('it runs', async () => isReady(await w.pod('web')));
    await w.agent.stop();
    await resize(w, 'web', { requests: { cpu: '2' } });
    await w.start();
    await w.until(
      'it has more',
      async () => (await w.pod('web'))?.status?.containerStatuses?.[0]?.resources?.requests?.['cpu'] === '2',
    );
    expect(updates(w)).toBe(1);
  });
});
