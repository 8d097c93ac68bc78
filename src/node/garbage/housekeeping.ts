// Keeps a node in order while it lives: wires log rotation, garbage collection, statistics and eviction to the rest of the node. What is
// done is decided in the files that it brings together; here is only when.
import { type coreV1, isTerminal, type Pod } from '../../api/index.ts';
import { type Clock, type Log, type Scope, sleep } from '../../base/index.ts';
import type { EventType } from '../../client/index.ts';
import type { CgroupUsage, ContainerRuntime } from '../../os/index.ts';
import { type Eviction, EvictionManager, lookMs } from '../eviction/eviction-manager.ts';
import { thresholdsMet } from '../eviction/pressure.ts';
import type { DiskLayout } from '../eviction/ranking.ts';
import type { Observation, Observations, PressureCondition, Signal } from '../eviction/signals.ts';
import type { Turns } from '../eviction/turns.ts';
import type { NodeSettings } from '../registration/node-settings.ts';
import type { RuntimeCache } from '../runtime-cache.ts';
import { DirectoryUsages } from '../stats/directory-usage.ts';
import type { DiskUsage, MachineUsage } from '../stats/machine-usage.ts';
import { SystemOomWatcher } from '../stats/oom-watcher.ts';
import { StatsCollector } from '../stats/stats-collector.ts';
import { planPodGarbage } from './container-garbage.ts';
import { ImageGarbage } from './image-garbage.ts';
import { LogRotator, removeContainerLogs } from './log-rotation.ts';

export interface HousekeepingOptions {
  readonly settings: NodeSettings;
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly cache: RuntimeCache;
  readonly clock: Clock;
  readonly log: Log;
  readonly machine: MachineUsage;
  readonly turns: Turns;
  readonly stateDir: string;
  readonly cgroupParent: string;
  podDir(uid: string): string;
  claimDirectory(pod: Pod, volume: coreV1.Volume): string | undefined;
  groupOf(pod: Pod): string;
  group(path: string): CgroupUsage | undefined;
  pods(): readonly Pod[];
  /** Says so in an event and in the pod's status, and ends its containers. Returns at once. */
  evict(pod: Pod, eviction: Eviction): void;
  nodeEvent(type: EventType, reason: string, message: string): void;
  pressureChanged(): void;
  imageRemoved(id: string): void;
}

const containerPeriodMs = 60_000;
const imagePeriodMs = 300_000;
/** How old an answer about usage may be. */
export const statsMaxAgeMs = 10_000;

export class Housekeeping {
  readonly stats: StatsCollector;
  readonly #options: HousekeepingOptions;
  readonly #directories: DirectoryUsages;
  readonly #images: ImageGarbage;
  readonly #logs: LogRotator;
  readonly #eviction: EvictionManager;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
    const { settings, runtime, cache, clock, log, nodeEvent } = options;
    this.#directories = new DirectoryUsages(clock, settings.volumeStatsPeriodMs);
    this.stats = new StatsCollector({
      ...options,
      directories: this.#directories,
      pods: () => options.pods(),
      runtimeOf: (uid) => cache.get(uid),
    });
    this.#images = new ImageGarbage({
      runtime,
      clock,
      log,
      policy: settings.imageGarbage,
      disk: async () => (await this.stats.imageDisk()).disk,
      event: nodeEvent,
      removed: ({ id }) => options.imageRemoved(id),
    });
    this.#logs = new LogRotator({
      runtime,
      clock,
      log,
      policy: settings.logRotation,
      running: () =>
        cache
          .podUids()
          .flatMap((uid) => cache.get(uid).containers)
          .filter(({ state }) => state === 'running'),
    });
    this.#eviction = new EvictionManager({
      policy: settings.eviction,
      clock,
      log,
      turns: options.turns,
      observe: () => this.#observe(),
      snapshot: (maxAgeMs) => this.stats.get(maxAgeMs),
      pods: () => options.pods(),
      isRunning: ({ metadata }) =>
        cache.get(metadata.uid).containers.some(({ state }) => state === 'running'),
      reclaim: async () => {
        await this.#collectContainers('pressing');
        await this.#images.collectAll();
      },
      evict: (pod, eviction) => options.evict(pod, eviction),
      event: nodeEvent,
      changed: () => options.pressureChanged(),
    });
  }

  /** What the node is short of. */
  get pressure(): readonly PressureCondition[] {
    return this.#eviction.conditions;
  }

  /** Says what was short when the node started: a cluster on a full disk starts, but people should know why little runs on it. */
  async start(scope: Scope): Promise<void> {
    const { settings, log } = this.#options;
    const { observations } = await this.#observe().catch(() => ({ observations: new Map() as Observations }));
    for (const { signal } of thresholdsMet(settings.eviction.thresholds, observations, 'ignored')) {
      const seen = observations.get(signal);
      log.warn('this machine is short of something from the start: pods may be refused', {
        signal,
        available: seen?.available,
        capacity: seen?.capacity,
      });
    }
    scope.run('log rotation', (signal) => this.#logs.run(signal));
    scope.run('directory usage', (signal) => this.#directories.run(signal));
    scope.run('eviction', (signal) => this.#eviction.run(signal));
    scope.run('container garbage', (signal) =>
      this.#repeat({ periodMs: containerPeriodMs, reason: 'ContainerGCFailed', signal }, () =>
        this.#collectContainers('regular'),
      ),
    );
    scope.run('image garbage', (signal) => {
      // What is there from the start is seen before anything is removed.
      const looked = this.#images.look().catch(() => {});
      return looked.then(() =>
        this.#repeat({ periodMs: imagePeriodMs, reason: 'ImageGCFailed', signal }, () =>
          this.#images.collect(),
        ),
      );
    });
    scope.run('out of memory', (signal) => this.#watchOom(signal));
  }

  /** One failure may be chance; the second in a row is told. */
  async #repeat(
    what: { periodMs: number; reason: string; signal: AbortSignal },
    work: () => Promise<void>,
  ): Promise<void> {
    const { clock, log, nodeEvent } = this.#options;
    let failures = 0;
    while (!what.signal.aborted) {
      await sleep(clock, what.periodMs, what.signal).catch(() => {});
      if (what.signal.aborted) return;
      try {
        await work();
        failures = 0;
      } catch (error) {
        log.warn('garbage collection failed', { what: what.reason, error });
        if (++failures > 1) nodeEvent('Warning', what.reason, (error as Error).message);
      }
    }
  }

  async #collectContainers(why: 'regular' | 'pressing'): Promise<void> {
    const { cache, runtime, pods } = this.#options;
    for (const pod of pods()) {
      const { uid } = pod.metadata;
      const { containers, sandboxes } = planPodGarbage({
        runtime: cache.get(uid),
        finished: isTerminal(pod),
        pressing: why === 'pressing',
      });
      for (const { id, logPath } of containers) {
        await runtime.removeContainer(id);
        cache.removeContainer(uid, id);
        if (logPath !== '') await removeContainerLogs(logPath);
      }
      for (const { id } of sandboxes) {
        await runtime.removePodSandbox(id);
        cache.removeSandbox(uid, id);
      }
    }
  }

  async #observe(): Promise<{ observations: Observations; disks: DiskLayout }> {
    const { machine, stateDir, cgroupParent, group } = this.#options;
    // The walks follow the pods there are.
    this.stats.watchDirectories();
    const found = new Map<Signal, Observation>();
    const memory = machine.memory();
    if (memory !== undefined)
      found.set('memory.available', { available: memory.availableBytes, capacity: memory.totalBytes });
    const pods = group(cgroupParent);
    if (pods?.memoryLimitBytes !== undefined && pods.memoryWorkingSetBytes !== undefined)
      found.set('allocatableMemory.available', {
        available: pods.memoryLimitBytes - pods.memoryWorkingSetBytes,
        capacity: pods.memoryLimitBytes,
      });
    const nodeFs = machine.disk(stateDir);
    const { disk: imageFs } = await this.stats.imageDisk();
    observeDisk(found, 'nodefs', nodeFs);
    observeDisk(found, 'imagefs', imageFs);
    const processes = machine.processes();
    if (processes !== undefined)
      found.set('pid.available', { available: processes.max - processes.running, capacity: processes.max });
    const own = nodeFs !== undefined && imageFs !== undefined && nodeFs.device !== imageFs.device;
    return { observations: found, disks: own ? 'own image disk' : 'one disk' };
  }

  async #watchOom(signal: AbortSignal): Promise<void> {
    const { clock, nodeEvent } = this.#options;
    const watcher = new SystemOomWatcher();
    while (!signal.aborted) {
      await sleep(clock, lookMs, signal).catch(() => {});
      for (const { process, pid } of watcher.read())
        nodeEvent('Warning', 'SystemOOM', `System OOM encountered, victim process: ${process}, pid: ${pid}`);
    }
    watcher.close();
  }
}

function observeDisk(
  found: Map<Signal, Observation>,
  name: 'nodefs' | 'imagefs',
  disk: DiskUsage | undefined,
): void {
  if (disk === undefined) return;
  found.set(`${name}.available`, { available: disk.availableBytes, capacity: disk.capacityBytes });
  // A file system that makes inodes as it needs them never runs short of them.
  if (disk.inodes > 0) found.set(`${name}.inodesFree`, { available: disk.inodesFree, capacity: disk.inodes });
}
