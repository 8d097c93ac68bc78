import { expect, it } from 'vitest';
import { FakeClock, MetricRegistry } from '../../base/index.ts';
import {
  type ContainerRuntime,
  type ContainerStatus,
  FakeRuntime,
  type SandboxStatus,
} from '../../os/index.ts';
import { buildPod, sampleOf } from '../../testkit/index.ts';
import type { PodRuntime } from '../plan/pod-runtime.ts';
import type { PodSnapshot, VolumeSnapshot } from '../stats/stats-collector.ts';
import { HealthMetrics } from './health-metrics.ts';
import { countEvictions, showNode, timeCgroups, timeRelists, volumeMetrics } from './node-metrics.ts';
import { PodMetrics } from './pod-metrics.ts';
import { ProbeMetrics } from './probe-metrics.ts';
import { countRuntime } from './runtime-metrics.ts';
import { showVolumes, timeVolumes } from './volume-metrics.ts';

it('counts what the runtime is asked for, and what it refuses', async () => {
  const clock = new FakeClock();
  const registry = new MetricRegistry();
  const slow = Object.assign(Object.create(new FakeRuntime({ clock })) as ContainerRuntime, {
    async listImages() {
      await clock.advance(2_000);
      return [];
    },
    removeImage: () => Promise.reject(new Error('in use')),
  });
  const runtime = countRuntime(slow, { registry, clock });
  await runtime.listImages();
  await runtime.listImages();
  await expect(runtime.removeImage('busybox')).rejects.toThrow('in use');
  const value = (name: string, operation_type: string) =>
    sampleOf(registry.text(), `kubelet_runtime_operations_${name}`, { operation_type });
  expect([
    value('total', 'list_images'),
    value('errors_total', 'list_images'),
    value('duration_seconds_sum', 'list_images'),
    value('total', 'remove_image'),
    value('errors_total', 'remove_image'),
  ]).toEqual([2, undefined, 4, 1, 1]);
});

it('leaves a runtime with a state of its own as it is', async () => {
  const clock = new FakeClock();
  const inner = new FakeRuntime({ clock });
  const runtime = countRuntime(inner, { registry: new MetricRegistry(), clock });
  expect(await runtime.version()).toEqual(await inner.version());
  expect(await runtime.listContainers()).toEqual([]);
  expect(runtime.listContainers).toBe(runtime.listContainers);
});

it('counts pods with a running sandbox, and containers by state', () => {
  const of = (ready: boolean, ...states: ContainerStatus['state'][]): PodRuntime => ({
    sandboxes: [{ ready } as SandboxStatus],
    containers: states.map((state) => ({ state }) as ContainerStatus),
  });
  const pods = new Map([
    ['a', of(true, 'running', 'running', 'exited')],
    ['b', of(false, 'exited')],
  ]);
  const registry = new MetricRegistry();
  showNode(registry, {
    nodeName: 'n1',
    cache: { podUids: () => [...pods.keys()], get: (uid) => pods.get(uid) ?? of(false) },
  });
  const text = registry.text();
  expect(sampleOf(text, 'kubelet_node_name', { node: 'n1' })).toBe(1);
  expect(sampleOf(text, 'kubelet_running_pods')).toBe(1);
  for (const [container_state, count] of Object.entries({ running: 2, exited: 2, created: 0, unknown: 0 }))
    expect(sampleOf(text, 'kubelet_running_containers', { container_state })).toBe(count);
});

it('times lists and steps', async () => {
  const clock = new FakeClock();
  const registry = new MetricRegistry();
  const time = timeRelists(registry, clock);
  for (const tookMs of [100, 300]) {
    const done = time();
    await clock.advance(tookMs);
    done();
    await clock.advance(900);
  }
  new PodMetrics(registry).stepped('create', 1.5);
  const text = registry.text();
  expect(sampleOf(text, 'kubelet_pleg_relist_duration_seconds_sum')).toBeCloseTo(0.4);
  expect(sampleOf(text, 'kubelet_pleg_relist_interval_seconds_sum')).toBeCloseTo(1);
  expect(sampleOf(text, 'kubelet_pod_worker_duration_seconds_sum', { operation_type: 'create' })).toBe(1.5);
});

it('tells how long pods take to start, and what fails on the way', () => {
  const registry = new MetricRegistry();
  const metrics = new PodMetrics(registry);
  metrics.firstStep(0.25);
  metrics.started(2.5);
  metrics.sandboxTried('made');
  metrics.sandboxTried('failed');
  metrics.sandboxRun('', { seconds: 0.5, ok: true });
  metrics.sandboxRun('kata', { seconds: 3, ok: false });
  metrics.containerTried('init');
  metrics.containerTried('app');
  metrics.containerFailed('app', 'ErrImagePull');
  const text = registry.text();
  const value = (name: string, labels: Record<string, string> = {}) =>
    sampleOf(text, `kubelet_${name}`, labels);
  expect([
    value('pod_worker_start_duration_seconds_sum'),
    value('pod_start_duration_seconds_bucket', { le: '2' }),
    value('pod_start_duration_seconds_bucket', { le: '3' }),
    value('started_pods_total'),
    value('started_pods_errors_total'),
    value('run_podsandbox_duration_seconds_sum', { runtime_handler: '' }),
    value('run_podsandbox_errors_total', { runtime_handler: 'kata' }),
    value('started_containers_total', { container_type: 'init_container' }),
    value('started_containers_errors_total', { container_type: 'container', code: 'ErrImagePull' }),
  ]).toEqual([0.25, 0, 1, 2, 1, 0.5, 1, 1, 1]);
});

it('times control groups, counts evictions', async () => {
  const clock = new FakeClock();
  const registry = new MetricRegistry();
  const done = timeCgroups(registry, clock)('destroy');
  await clock.advance(2_000);
  done();
  countEvictions(registry)('memory.available');
  const text = registry.text();
  const operation = { operation_type: 'destroy' };
  expect(sampleOf(text, 'kubelet_cgroup_manager_duration_seconds_sum', operation)).toBe(2);
  expect(sampleOf(text, 'kubelet_evictions', { eviction_signal: 'memory.available' })).toBe(1);
});

it('times what is done with volumes, by what came of it', async () => {
  const clock = new FakeClock();
  const registry = new MetricRegistry();
  const time = timeVolumes(registry, clock);
  const of = { plugin: 'kubernetes.io/secret', operation: 'volume_mount' } as const;
  expect(await time(of, () => clock.advance(2_000).then(() => 'path'))).toBe('path');
  await expect(time(of, () => Promise.reject(new Error('no such secret')))).rejects.toThrow('no such');
  const text = registry.text();
  const value = (what: string, status: string) =>
    sampleOf(text, `storage_operation_duration_seconds_${what}`, {
      volume_plugin: of.plugin,
      operation_name: of.operation,
      status,
      migrated: 'false',
    });
  expect([value('sum', 'success'), value('count', 'success'), value('count', 'fail-unknown')]).toEqual([
    2, 1, 1,
  ]);
});

it('counts the volumes that pods are to have, and that they have', () => {
  const registry = new MetricRegistry();
  const pods = [buildPod('a'), buildPod('b')];
  showVolumes(registry, {
    pods: () => pods,
    plugins: () => ['kubernetes.io/secret', 'kubernetes.io/secret', 'kubernetes.io/projected'],
    isMade: ({ metadata: { name } }) => name === 'a',
  });
  const value = (plugin: string, state: string) =>
    sampleOf(registry.text(), 'volume_manager_total_volumes', {
      plugin_name: `kubernetes.io/${plugin}`,
      state: `${state}_state_of_world`,
    });
  const look = () => [value('secret', 'desired'), value('secret', 'actual'), value('projected', 'actual')];
  expect(look()).toEqual([4, 2, 1]);
  pods.length = 0;
  expect(look()).toEqual([undefined, undefined, undefined]);
});

it('tells whether the node is well, and how often it was', () => {
  let problem: string | undefined;
  const health = new HealthMetrics(() => problem);
  const check = { name: 'syncloop', type: 'healthz' };
  expect(sampleOf(health.text(), 'kubernetes_healthcheck', check)).toBe(1);
  problem = 'the runtime does not answer';
  const text = health.text();
  const total = (status: string) => sampleOf(text, 'kubernetes_healthchecks_total', { ...check, status });
  expect([sampleOf(text, 'kubernetes_healthcheck', check), total('success'), total('error')]).toEqual([
    0, 1, 1,
  ]);
});

it('tells what probes found, until the pod has gone', () => {
  const metrics = new ProbeMetrics();
  const [pod, other] = [buildPod('a'), buildPod('b')];
  const container = { name: 'c' };
  metrics.probed({ pod, container }, 'liveness', { ok: true, seconds: 0.5 });
  metrics.probed({ pod, container }, 'liveness', { ok: false, seconds: 9 });
  metrics.probed({ pod: other, container }, 'readiness', { ok: true, seconds: 0.25 });
  const place = { container: 'c', pod: 'a', namespace: 'default' };
  const text = metrics.text(() => true);
  const of = (result: string) =>
    sampleOf(text, 'prober_probe_total', {
      probe_type: 'Liveness',
      result,
      ...place,
      pod_uid: pod.metadata.uid,
    });
  expect([of('successful'), of('failed')]).toEqual([1, 1]);
  const duration = { probe_type: 'Liveness', ...place };
  expect(sampleOf(text, 'prober_probe_duration_seconds_sum', duration)).toBe(0.5);
  const left = metrics.text((uid) => uid === other.metadata.uid);
  expect(left).not.toContain('pod="a"');
  expect(left).toContain('pod="b"');
});

it('tells the numbers of each claim once', () => {
  const disk = {
    device: 1,
    capacityBytes: 100,
    availableBytes: 60,
    usedBytes: 40,
    inodes: 9,
    inodesFree: 5,
  };
  const volume = (claim: string | undefined): VolumeSnapshot => ({
    name: 'v',
    claim,
    usage: { usedBytes: 40, inodes: 4, atMs: 0 },
    disk,
  });
  const snapshot = (name: string, ...volumes: VolumeSnapshot[]) =>
    ({ pod: buildPod(name), volumes }) as unknown as PodSnapshot;
  const text = volumeMetrics({
    pods: [snapshot('a', volume('data'), volume(undefined)), snapshot('b', volume('data'))],
  });
  const labels = { namespace: 'default', persistentvolumeclaim: 'data' };
  expect(
    ['capacity_bytes', 'available_bytes', 'used_bytes', 'inodes', 'inodes_free', 'inodes_used'].map((name) =>
      sampleOf(text, `kubelet_volume_stats_${name}`, labels),
    ),
  ).toEqual([100, 60, 40, 9, 5, 4]);
  expect(text.match(/^kubelet_volume_stats_used_bytes/gm)).toHaveLength(1);
});
