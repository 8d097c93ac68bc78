import { expect, it } from 'vitest';
import type { ContainerStatus } from '../../os/index.ts';
import { buildPod } from '../../testkit/index.ts';
import { noRuntime } from '../plan/pod-runtime.ts';
import { resourceMetrics } from './resource-metrics.ts';

it('tells what running containers use, and their sums', () => {
  const container = (id: string, state: string) =>
    ({ id, name: id, state, startedAtMs: 5000 }) as ContainerStatus;
  const runtime = {
    ...noRuntime,
    containers: [container('a', 'running'), container('b', 'running'), container('x', 'exited')],
  };
  const stats = ['a', 'b', 'x', 'foreign'].map((containerId, i) => ({
    containerId,
    cpuNanoseconds: 1.5e9,
    memoryWorkingSetBytes: 1000 * (i + 1),
    writableLayerBytes: 0,
    atMs: 7000 + i,
  }));
  const lines = resourceMetrics(
    [buildPod('p'), buildPod('waiting')],
    (uid) => (uid === 'uid-p' ? runtime : noRuntime),
    { stats, node: { cpuNanoseconds: 7.5e9, memoryWorkingSetBytes: 9e6 }, nowMs: 9000 },
  )
    .split('\n')
    .filter((one) => !one.startsWith('#'));
  expect(lines).toEqual([
    'container_cpu_usage_seconds_total{container="a",namespace="default",pod="p"} 1.5 7000',
    'container_cpu_usage_seconds_total{container="b",namespace="default",pod="p"} 1.5 7001',
    'container_memory_working_set_bytes{container="a",namespace="default",pod="p"} 1000 7000',
    'container_memory_working_set_bytes{container="b",namespace="default",pod="p"} 2000 7001',
    'container_start_time_seconds{container="a",namespace="default",pod="p"} 5',
    'container_start_time_seconds{container="b",namespace="default",pod="p"} 5',
    'node_cpu_usage_seconds_total 7.5 9000',
    'node_memory_working_set_bytes 9000000 9000',
    'pod_cpu_usage_seconds_total{namespace="default",pod="p"} 3 7001',
    'pod_memory_working_set_bytes{namespace="default",pod="p"} 3000 7001',
    '',
  ]);

  const untold = { cpuNanoseconds: undefined, memoryWorkingSetBytes: undefined };
  expect(resourceMetrics([], () => noRuntime, { stats: [], node: untold, nowMs: 9000 })).not.toContain(
    '9000',
  );
});
