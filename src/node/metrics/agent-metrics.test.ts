// What an agent counts of a whole pod's life, over fakes.
import { expect, test } from 'vitest';
import { Pod } from '../../api/index.ts';
import { MetricRegistry } from '../../base/index.ts';
import { sampleOf } from '../../testkit/index.ts';
import { parseNodeSettings } from '../registration/node-settings.ts';
import { container, isReady, world } from '../testdata/agent-world.ts';

test('a pod is counted from when it is seen until its volumes are gone', async () => {
  const metrics = new MetricRegistry();
  const w = await world(undefined, { metrics });
  const value = (name: string, labels: Record<string, string> = {}) => sampleOf(metrics.text(), name, labels);
  const volumes = (state: string) =>
    value('volume_manager_total_volumes', {
      plugin_name: 'kubernetes.io/empty-dir',
      state: `${state}_state_of_world`,
    });
  const done = (operation_name: string) =>
    value('storage_operation_duration_seconds_count', {
      volume_plugin: 'kubernetes.io/empty-dir',
      operation_name,
      status: 'success',
      migrated: 'false',
    });
  await w.start();
  await w.create('web', {
    containers: [container('main', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
    initContainers: [container('first', { image: 'nowhere', imagePullPolicy: 'Never' })],
    volumes: [{ name: 'v' }, { name: 'unused', emptyDir: {} }],
  });
  const failed = { container_type: 'init_container', code: 'ErrImageNeverPull' };
  await w.until('it is told what fails', async () =>
    value('kubelet_started_containers_errors_total', failed),
  );
  expect(value('kubelet_pod_start_duration_seconds_count')).toBe(0);
  expect([volumes('desired'), volumes('actual'), done('volume_unmount')]).toEqual([1, 1, undefined]);

  await w.create('plain', {});
  await w.until('ready', async () => isReady(await w.pod('plain')));
  expect(value('kubelet_pod_start_duration_seconds_count')).toBe(1);
  expect(value('kubelet_pod_worker_start_duration_seconds_count')).toBe(2);
  expect(value('kubelet_started_pods_total')).toBe(2);
  expect(value('kubelet_run_podsandbox_duration_seconds_count', { runtime_handler: '' })).toBe(2);
  expect(value('kubelet_started_containers_total', { container_type: 'container' })).toBe(1);

  await w.client(Pod).delete('web', 'default', { gracePeriodSeconds: 0 });
  await w.until('its volume is gone', async () => done('volume_unmount'));
  await w.until('the pod is gone', async () => (await w.pod('web')) === undefined);
  expect([volumes('desired'), volumes('actual'), done('volume_mount')]).toEqual([
    undefined,
    undefined,
    expect.any(Number),
  ]);
});

test('a pod that ran before its agent did is not one that started', async () => {
  const metrics = new MetricRegistry();
  const w = await world(undefined, { metrics });
  const value = (name: string) => sampleOf(metrics.text(), `kubelet_${name}_count`);
  await w.start();
  await w.create('stays', {});
  await w.until('ready', async () => isReady(await w.pod('stays')));
  await w.agent.stop();
  await w.start();
  await w.until('it is seen again', async () => value('pod_worker_start_duration_seconds') === 2);
  await w.create('new', {});
  await w.until('another is ready', async () => isReady(await w.pod('new')));
  expect(value('pod_start_duration_seconds')).toBe(2);
});

test('an eviction is counted by what the node was short of', async () => {
  const metrics = new MetricRegistry();
  const w = await world(undefined, { metrics, settings: parseNodeSettings({}) });
  await w.start();
  await w.create('big', {});
  await w.until('it runs', async () => (await w.pod('big'))?.status?.phase === 'Running');
  w.free.memoryBytes = 50 << 20;
  await w.until('it is evicted', async () => (await w.pod('big'))?.status?.phase === 'Failed');
  expect(sampleOf(metrics.text(), 'kubelet_evictions', { eviction_signal: 'memory.available' })).toBe(1);
});
