// /metrics of the node: the series of the kubelet by which dashboards and alerts know its pods, its runtime and its volumes.
import type { Clock, MetricRegistry } from '../../base/index.ts';
import type { ContainerState } from '../../os/index.ts';
import type { EvictionSignal } from '../eviction/signals.ts';
import { type PodRuntime, readySandbox } from '../plan/pod-runtime.ts';
import { type Family, metricText, type Sample } from '../stats/metric-text.ts';
import type { NodeSnapshot, VolumeSnapshot } from '../stats/stats-collector.ts';
import type { TimeCgroup } from '../worker/pod-cgroups.ts';
import { defaultBuckets } from './default-buckets.ts';

const states: readonly ContainerState[] = ['created', 'running', 'exited', 'unknown'];

/** What is counted at the moment somebody reads: the node's name, its pods and containers. */
export function showNode(
  registry: MetricRegistry,
  {
    nodeName,
    cache,
  }: {
    readonly nodeName: string;
    readonly cache: { podUids(): readonly string[]; get(uid: string): PodRuntime };
  },
): void {
  registry
    .gauge({
      name: 'kubelet_node_name',
      help: 'Always 1; the label is the name of the node.',
      labels: ['node'],
    })
    .of(nodeName)
    .set(1);
  const pods = registry
    .gauge({ name: 'kubelet_running_pods', help: 'Pods that have a running sandbox.' })
    .of();
  const containers = registry.gauge({
    name: 'kubelet_running_containers',
    help: 'Containers by state.',
    labels: ['container_state'],
  });
  registry.onRead(() => {
    const all = cache.podUids().map((uid) => cache.get(uid));
    pods.set(all.filter((pod) => readySandbox(pod) !== undefined).length);
    for (const state of states)
      containers
        .of(state)
        .set(all.reduce((sum, pod) => sum + pod.containers.filter((c) => c.state === state).length, 0));
  });
}

/** To be called before each list of what the runtime has; what it returns, after it. */
export function timeRelists(registry: MetricRegistry, clock: Clock): () => () => void {
  const duration = registry
    .histogram({
      name: 'kubelet_pleg_relist_duration_seconds',
      help: 'How long it took to list what the runtime has.',
      buckets: defaultBuckets,
    })
    .of();
  const interval = registry
    .histogram({
      name: 'kubelet_pleg_relist_interval_seconds',
      help: 'Time from one list of what the runtime has to the next.',
      buckets: defaultBuckets,
    })
    .of();
  let lastMs: number | undefined;
  return () => {
    const startedMs = clock.monotonicMs();
    if (lastMs !== undefined) interval.observe((startedMs - lastMs) / 1000);
    lastMs = startedMs;
    return () => duration.observe((clock.monotonicMs() - startedMs) / 1000);
  };
}

/** To be called with the signal for which a pod was evicted. */
export function countEvictions(registry: MetricRegistry): (signal: EvictionSignal) => void {
  const evictions = registry.counter({
    name: 'kubelet_evictions',
    help: 'Pods that were evicted, by what the node was short of or which limit they had passed.',
    labels: ['eviction_signal'],
  });
  return (signal) => evictions.of(signal).increment();
}

/** To be called before something is done to the control group of a pod; what it returns, after it. */
export function timeCgroups(registry: MetricRegistry, clock: Clock): TimeCgroup {
  const durations = registry.histogram({
    name: 'kubelet_cgroup_manager_duration_seconds',
    help: 'How long it took to make, change or remove the control group of a pod.',
    labels: ['operation_type'],
    buckets: defaultBuckets,
  });
  return (operation) => {
    const startedMs = clock.monotonicMs();
    return () => durations.of(operation).observe((clock.monotonicMs() - startedMs) / 1000);
  };
}

const volumeNumbers: readonly (readonly [
  suffix: string,
  help: string,
  (v: VolumeSnapshot) => number | undefined,
])[] = [
  ['capacity_bytes', 'Bytes of the file system that the volume is on.', (v) => v.disk?.capacityBytes],
  ['available_bytes', 'Bytes that can still be written to the volume.', (v) => v.disk?.availableBytes],
  ['used_bytes', 'Bytes that the volume takes.', (v) => v.usage.usedBytes],
  ['inodes', 'Files that the file system of the volume can hold.', (v) => v.disk?.inodes],
  ['inodes_free', 'Files that can still be made.', (v) => v.disk?.inodesFree],
  ['inodes_used', 'Files and directories in the volume.', (v) => v.usage.inodes],
];

/** `kubelet_volume_stats_…` of the claims that pods use here; one that several use is told once. Pure. */
export function volumeMetrics({ pods }: Pick<NodeSnapshot, 'pods'>): string {
  const claims = new Map<string, { readonly labels: Sample['labels']; readonly volume: VolumeSnapshot }>();
  for (const { pod, volumes } of pods) {
    const { namespace = '' } = pod.metadata;
    for (const volume of volumes) {
      if (volume.claim === undefined) continue;
      const labels = { namespace, persistentvolumeclaim: volume.claim };
      claims.set(`${namespace}/${volume.claim}`, { labels, volume });
    }
  }
  return metricText(
    volumeNumbers.map(
      ([suffix, help, read]): Family => ({
        name: `kubelet_volume_stats_${suffix}`,
        type: 'gauge',
        help,
        samples: [...claims.values()].flatMap(({ labels, volume }) => {
          const value = read(volume);
          return value === undefined ? [] : [{ labels, value }];
        }),
      }),
    ),
  );
}
