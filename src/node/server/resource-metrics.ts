// /metrics/resource: what containers, pods and the node use, in the names and the text format in which a kubelet tells metrics-server. Pure.
// The node's own numbers are the sums over its containers: what runs beside them is not the runtime's to know.
import type { Pod } from '../../api/index.ts';
import type { ContainerStats } from '../../os/index.ts';
import type { PodRuntime } from '../plan/pod-runtime.ts';

interface Used {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly atMs: number;
}

type Labels = Readonly<Record<string, string>>;

export function resourceMetrics(
  pods: readonly Pod[],
  runtimeOf: (uid: string) => PodRuntime,
  { stats, nowMs }: { readonly stats: readonly ContainerStats[]; readonly nowMs: number },
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
  const idle: Used = { cpuSeconds: 0, memoryBytes: 0, atMs: nowMs };
  const node: readonly (readonly [Labels, Used])[] = [
    [{}, ofPods.length === 0 ? idle : sumOf(ofPods.map(([, used]) => used))],
  ];
  const cpu = 'Cumulative cpu time in core-seconds.';
  const memory = 'Bytes in the working set.';
  return [
    ...family('container_cpu_usage_seconds_total', 'counter', cpu, containers.map(asCpu)),
    ...family('container_memory_working_set_bytes', 'gauge', memory, containers.map(asMemory)),
    ...family(
      'container_start_time_seconds',
      'gauge',
      'When the container started, in seconds since 1970.',
      starts.map(([labels, value]) => ({ labels, value })),
    ),
    ...family('node_cpu_usage_seconds_total', 'counter', cpu, node.map(asCpu)),
    ...family('node_memory_working_set_bytes', 'gauge', memory, node.map(asMemory)),
    ...family('pod_cpu_usage_seconds_total', 'counter', cpu, ofPods.map(asCpu)),
    ...family('pod_memory_working_set_bytes', 'gauge', memory, ofPods.map(asMemory)),
    '',
  ].join('\n');
}

interface Sample {
  readonly labels: Labels;
  readonly value: number;
  readonly atMs?: number;
}

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

/** Names of Kubernetes need no escaping. */
function family(...[name, type, help, samples]: [string, string, string, readonly Sample[]]): string[] {
  if (samples.length === 0) return [];
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels, value, atMs }) => {
      const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text}"`);
      const at = atMs === undefined ? '' : ` ${Math.round(atMs)}`;
      return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}${at}`;
    }),
  ];
}
