// /metrics/resource: what containers, pods and the node use, in the names and the text format in which a kubelet tells metrics-server. Pure.
import type { Pod } from '../../api/index.ts';
import type { ContainerStats } from '../../os/index.ts';
import type { PodRuntime } from '../plan/pod-runtime.ts';
import { type Family, type Labels, metricText, type Sample } from '../stats/metric-text.ts';
import type { NodeUse } from '../stats/node-use.ts';

interface Used {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly atMs: number;
}

export function resourceMetrics(
  pods: readonly Pod[],
  runtimeOf: (uid: string) => PodRuntime,
  {
    stats,
    node,
    nowMs,
  }: { readonly stats: readonly ContainerStats[]; readonly node: NodeUse; readonly nowMs: number },
): string {
  const byId = new Map(stats.map((one) => [one.containerId, one]));
  const containers: (readonly [Labels, Used])[] = [];
  const starts: (readonly [Labels, number])[] = [];
  const ofPods: (readonly [Labels, Used])[] = [];
  for (const { metadata } of pods) {
    const at = { namespace: metadata.namespace ?? '', pod: metadata.name };
    const own: Used[] = [];
    for (const { id, name, state, startedAtMs } of runtimeOf(metadata.uid).containers) {
      const found = byId.get(id);
      if (state !== 'running' || found === undefined) continue;
      const used = {
        cpuSeconds: found.cpuNanoseconds / 1e9,
        memoryBytes: found.memoryWorkingSetBytes,
        atMs: found.atMs,
      };
      containers.push([{ container: name, ...at }, used]);
      starts.push([{ container: name, ...at }, startedAtMs / 1000]);
      own.push(used);
    }
    if (own.length > 0) ofPods.push([at, sumOf(own)]);
  }
  const ofNode = (value: number | undefined): Sample[] =>
    value === undefined ? [] : [{ labels: {}, value, atMs: nowMs }];
  const cpuSeconds = node.cpuNanoseconds === undefined ? undefined : node.cpuNanoseconds / 1e9;
  return metricText([
    counter('container_cpu_usage_seconds_total', containers.map(asCpu)),
    memory('container_memory_working_set_bytes', containers.map(asMemory)),
    {
      name: 'container_start_time_seconds',
      type: 'gauge',
      help: 'When the container started, in seconds since 1970.',
      samples: starts.map(([labels, value]) => ({ labels, value })),
    },
    counter('node_cpu_usage_seconds_total', ofNode(cpuSeconds)),
    memory('node_memory_working_set_bytes', ofNode(node.memoryWorkingSetBytes)),
    counter('pod_cpu_usage_seconds_total', ofPods.map(asCpu)),
    memory('pod_memory_working_set_bytes', ofPods.map(asMemory)),
  ]);
}

const counter = (name: string, samples: readonly Sample[]): Family => ({
  name,
  type: 'counter',
  help: 'Cumulative cpu time in core-seconds.',
  samples,
});
const memory = (name: string, samples: readonly Sample[]): Family => ({
  name,
  type: 'gauge',
  help: 'Bytes in the working set.',
  samples,
});

const asCpu = ([labels, { cpuSeconds, atMs }]: readonly [Labels, Used]): Sample => ({
  labels,
  value: cpuSeconds,
  atMs,
});
const asMemory = ([labels, { memoryBytes, atMs }]: readonly [Labels, Used]): Sample => ({
  labels,
  value: memoryBytes,
  atMs,
});

const sumOf = (all: readonly Used[]): Used => ({
  cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
  memoryBytes: all.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
  atMs: Math.max(...all.map(({ atMs }) => atMs)),
});
