// What the operating system and the engine know about this process and its data, looked up when somebody reads the metrics. Names are
// those of Prometheus' client libraries, which dashboards for any program know.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { MetricRegistry, Scope } from '../base/index.ts';

const nanosecond = 1e-9;

/** Shows CPU, memory, files and the delays of the event loop until the scope stops. */
export function showProcess(registry: MetricRegistry, scope: Scope): void {
  const gauge = (name: string, help: string) => registry.gauge({ name, help }).of();
  const cpu = registry
    .counter({ name: 'process_cpu_seconds_total', help: 'CPU time used, user and system.' })
    .of();
  const started = gauge('process_start_time_seconds', 'When the process began, in seconds since 1970.');
  const resident = gauge('process_resident_memory_bytes', 'Memory in RAM.');
  const virtual = gauge('process_virtual_memory_bytes', 'Address space.');
  const files = gauge('process_open_fds', 'Open files and connections.');
  const mostFiles = gauge('process_max_fds', 'How many files and connections may be open.');
  const heapUsed = gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use.');
  const heapTotal = gauge('nodejs_heap_size_total_bytes', 'JavaScript heap taken from the system.');
  const external = gauge('nodejs_external_memory_bytes', 'Memory of buffers, outside the JavaScript heap.');
  const lag = (suffix: string, what: string) =>
    gauge(`nodejs_eventloop_lag_${suffix}`, `Delay of the event loop since the last reading: ${what}.`);
  const lagMean = lag('mean_seconds', 'mean');
  const lagMax = lag('max_seconds', 'longest');
  const lagMedian = lag('p50_seconds', 'half were shorter');
  const lagHigh = lag('p99_seconds', '99 of 100 were shorter');

  started.set(performance.timeOrigin / 1000);
  const delays = monitorEventLoopDelay({ resolution: 10 });
  // Watching wakes the process a hundred times a second: nobody pays for that who is not read.
  registry.onRead(() => delays.enable());
  scope.onStop(() => {
    delays.disable();
  });
  registry.onRead(() => {
    const { user, system } = process.cpuUsage();
    cpu.total = (user + system) / 1e6;
    const memory = process.memoryUsage();
    resident.set(memory.rss);
    heapUsed.set(memory.heapUsed);
    heapTotal.set(memory.heapTotal);
    external.set(memory.external);
    virtual.set(virtualBytes());
    files.set(readdirSync('/proc/self/fd').length);
    mostFiles.set(maxFiles());
    // Before the first sample there is no mean.
    lagMean.set(Number.isNaN(delays.mean) ? 0 : delays.mean * nanosecond);
    lagMax.set(delays.max * nanosecond);
    lagMedian.set(delays.percentile(50) * nanosecond);
    lagHigh.set(delays.percentile(99) * nanosecond);
    delays.reset();
  });
}

/** The 23rd field of /proc/PID/stat; the second, a name, may hold anything but ends with the last parenthesis. */
function virtualBytes(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[20]);
}

function maxFiles(): number {
  const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
  return soft === 'unlimited' || soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

/** Shows what the files of a directory take on the disk, as the size of the store `storageId`. */
export function showStorageSize(registry: MetricRegistry, storageId: string, directory: string): void {
  const size = registry
    .gauge({
      name: 'apiserver_storage_size_bytes',
      help: 'Bytes that the store takes on the disk.',
      labels: ['storage_cluster_id'],
    })
    .of(storageId);
  registry.onRead(() => {
    let bytes = 0;
    for (const name of readdirSync(directory)) {
      const file = statSync(join(directory, name), { throwIfNoEntry: false });
      // Files of a database have holes; blocks are of 512 bytes whatever the file system's are.
      if (file?.isFile()) bytes += file.blocks * 512;
    }
    size.set(bytes);
  });
}
