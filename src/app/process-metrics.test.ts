import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MetricRegistry, Scope, silentLog } from '../base/index.ts';
import { sampleOf } from '../testkit/index.ts';
import { showProcess, showStorageSize } from './process-metrics.ts';

it('tells what the system knows of this process', async () => {
  const registry = new MetricRegistry();
  const scope = new Scope(silentLog);
  showProcess(registry, scope);
  const text = registry.text();
  const value = (name: string) => sampleOf(text, name) ?? Number.NaN;
  const { user, system } = process.cpuUsage();
  expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(value('process_cpu_seconds_total')).toBeLessThanOrEqual((user + system) / 1e6);
  expect(Math.abs(value('process_start_time_seconds') - (Date.now() / 1000 - process.uptime()))).toBeLessThan(
    5,
  );
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e7);
  expect(value('process_virtual_memory_bytes')).toBeGreaterThan(value('process_resident_memory_bytes'));
  expect(value('process_open_fds')).toBeGreaterThan(2);
  expect(value('process_max_fds')).toBeGreaterThan(value('process_open_fds'));
  expect(value('nodejs_heap_size_used_bytes')).toBeLessThan(value('nodejs_heap_size_total_bytes'));
  for (const part of ['mean', 'max', 'p50', 'p99'])
    expect(value(`nodejs_eventloop_lag_${part}_seconds`)).toBeGreaterThanOrEqual(0);
  await scope.stop();
});

it('weighs a directory by the blocks it takes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'process-metrics-'));
  const registry = new MetricRegistry();
  showStorageSize(registry, 'lmdb', directory);
  const size = () =>
    sampleOf(registry.text(), 'apiserver_storage_size_bytes', { storage_cluster_id: 'lmdb' });
  expect(size()).toBe(0);
  writeFileSync(join(directory, 'data'), Buffer.alloc(100_000, 'x'));
  expect(size()).toBeGreaterThanOrEqual(100_000);
  expect(size()).toBeLessThan(300_000);
  rmSync(directory, { recursive: true });
});
