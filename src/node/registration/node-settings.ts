// How a node keeps house: what it reserves, when it evicts, what it collects, how it is shut down. The flags have the kubelet's names, defaults and words.
import {
  mustParseQuantity,
  parseDuration,
  parseQuantity,
  quantityError,
  toMilli,
  toValue,
} from '../../machinery/index.ts';
import type { EvictionPolicy } from '../eviction/eviction-manager.ts';
import { amountOf, defaultHardEviction, parseStatements, parseThresholds } from '../eviction/signals.ts';
import { defaultImageGarbage, type ImageGarbagePolicy } from '../garbage/image-garbage.ts';
import { defaultLogRotation, type LogRotationPolicy } from '../garbage/log-rotation.ts';
import { gracesByCriticality, type ShutdownGrace } from '../shutdown/shutdown-plan.ts';
import type { MachineInfo } from './machine.ts';

/** Resource names and quantities. */
export type Reservation = Readonly<Record<string, string>>;

export interface NodeSettings {
  /** For what runs beside pods: the agent and its runtime; and the system. */
  readonly kubeReserved: Reservation;
  readonly systemReserved: Reservation;
  readonly eviction: EvictionPolicy;
  readonly imageGarbage: ImageGarbagePolicy;
  readonly logRotation: LogRotationPolicy;
  /** How often the files of volumes and logs are counted. */
  readonly volumeStatsPeriodMs: number;
  /** How long pods get when the machine is shut down, by priority. None = they are left as they are. */
  readonly shutdownGraces: readonly ShutdownGrace[];
}

/** As they are written on the command line, by the names of the flags in camel case. undefined = the default. */
export interface NodeSettingFlags {
  readonly evictionHard?: string | undefined;
  readonly evictionSoft?: string | undefined;
  readonly evictionSoftGracePeriod?: string | undefined;
  readonly evictionMinimumReclaim?: string | undefined;
  readonly evictionPressureTransitionPeriod?: string | undefined;
  readonly evictionMaxPodGracePeriod?: number | undefined;
  readonly imageGcHighThreshold?: number | undefined;
  readonly imageGcLowThreshold?: number | undefined;
  readonly minimumImageTtlDuration?: string | undefined;
  readonly containerLogMaxSize?: string | undefined;
  readonly containerLogMaxFiles?: number | undefined;
  readonly kubeReserved?: string | undefined;
  readonly systemReserved?: string | undefined;
  readonly volumeStatsAggPeriod?: string | undefined;
  readonly shutdownGracePeriod?: string | undefined;
  readonly shutdownGracePeriodCriticalPods?: string | undefined;
  readonly shutdownGracePeriodByPodPriority?: string | undefined;
}

/** Throws an Error that names the flag and says what is wrong. */
export function parseNodeSettings(flags: NodeSettingFlags): NodeSettings {
  const high = flags.imageGcHighThreshold ?? defaultImageGarbage.highPercent;
  const low = flags.imageGcLowThreshold ?? Math.min(defaultImageGarbage.lowPercent, high - 1);
  if (high <= low)
    throw new Error(
      `invalid configuration: imageGCHighThresholdPercent (--image-gc-high-threshold) ${high} must be greater than imageGCLowThresholdPercent (--image-gc-low-threshold) ${low}`,
    );
  const maxFiles = flags.containerLogMaxFiles ?? defaultLogRotation.maxFiles;
  if (maxFiles <= 1) throw new Error(`--container-log-max-files: invalid MaxFiles ${maxFiles}, must be > 1`);
  return {
    kubeReserved: of('--kube-reserved', () => parseReservation(flags.kubeReserved)),
    systemReserved: of('--system-reserved', () => parseReservation(flags.systemReserved)),
    eviction: {
      thresholds: of('--eviction-hard and --eviction-soft', () =>
        parseThresholds({
          // A flag that is given replaces all defaults, also those of signals that it does not name.
          hard:
            flags.evictionHard === undefined ? defaultHardEviction : parseStatements(flags.evictionHard, '<'),
          soft: parseStatements(flags.evictionSoft ?? '', '<'),
          softGracePeriod: parseStatements(flags.evictionSoftGracePeriod ?? '', '='),
          minimumReclaim: parseStatements(flags.evictionMinimumReclaim ?? '', '='),
        }),
      ),
      transitionMs: duration(
        '--eviction-pressure-transition-period',
        flags.evictionPressureTransitionPeriod,
        300_000,
      ),
      maxGraceSeconds: flags.evictionMaxPodGracePeriod ?? 0,
    },
    imageGarbage: {
      highPercent: high,
      lowPercent: low,
      minAgeMs: duration(
        '--minimum-image-ttl-duration',
        flags.minimumImageTtlDuration,
        defaultImageGarbage.minAgeMs,
      ),
    },
    logRotation: {
      maxBytes: of('--container-log-max-size', () => {
        const text = flags.containerLogMaxSize;
        if (text === undefined) return defaultLogRotation.maxBytes;
        const bytes = toValue(quantity(text));
        if (bytes < 0) throw new Error(`negative max log size ${bytes}`);
        return bytes;
      }),
      maxFiles,
    },
    volumeStatsPeriodMs: Math.max(
      1_000,
      duration('--volume-stats-agg-period', flags.volumeStatsAggPeriod, 60_000),
    ),
    shutdownGraces: parseShutdownGraces(flags),
  };
}

function parseShutdownGraces(flags: NodeSettingFlags): ShutdownGrace[] {
  const seconds = (flag: string, text: string | undefined): number => {
    const ms = duration(flag, text, 0);
    if (ms > 0 && ms < 1000) throw new Error(`${flag}: must be either zero or at least 1s: ${text}`);
    return Math.floor(ms / 1000);
  };
  const byPriority = '--shutdown-grace-period-by-pod-priority';
  const total = seconds('--shutdown-grace-period', flags.shutdownGracePeriod);
  const critical = seconds('--shutdown-grace-period-critical-pods', flags.shutdownGracePeriodCriticalPods);
  if (critical > total)
    throw new Error(
      `invalid configuration: shutdownGracePeriodCriticalPods (--shutdown-grace-period-critical-pods) ${critical}s must be <= shutdownGracePeriod (--shutdown-grace-period) ${total}s`,
    );
  const stated = Object.entries(parseStatements(flags.shutdownGracePeriodByPodPriority ?? '', '='));
  if (stated.length === 0) return gracesByCriticality(total, critical);
  if (total > 0)
    throw new Error(`invalid configuration: ${byPriority} and --shutdown-grace-period cannot both be set`);
  return stated.map(([priority, text]) => {
    if (!/^-?\d{1,10}$/.test(priority)) throw new Error(`${byPriority}: ${priority} is no priority`);
    return { priority: Number(priority), seconds: seconds(byPriority, text) };
  });
}

export const defaultNodeSettings: NodeSettings = parseNodeSettings({});

function of<T>(flag: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${flag}: ${(error as Error).message}`, { cause: error });
  }
}

function quantity(text: string) {
  if (parseQuantity(text) === undefined) throw new Error(quantityError(text));
  return mustParseQuantity(text);
}

function duration(flag: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const ms = parseDuration(text);
  if (ms === undefined) throw new Error(`${flag}: time: invalid duration ${JSON.stringify(text)}`);
  if (ms < 0) throw new Error(`${flag}: must not be less than zero: ${text}`);
  return ms;
}

const reservable = ['cpu', 'memory', 'ephemeral-storage', 'pid'];

function parseReservation(text: string | undefined): Reservation {
  const found = parseStatements(text ?? '', '=');
  for (const [name, value] of Object.entries(found)) {
    if (!reservable.includes(name)) throw new Error(`cannot reserve ${JSON.stringify(name)} resource`);
    if (toValue(quantity(value)) < 0)
      throw new Error(`resource quantity for ${JSON.stringify(name)} cannot be negative: ${value}`);
  }
  return found;
}

/** What pods do not get, of each resource. */
export interface Reserved {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly storageBytes: number;
}

/**
 * `limits`: what is reserved by name, which pods as a whole may not exceed. `allocatable`: that and what hard eviction keeps free, which
 * the scheduler does not give away. Throws when more is reserved than there is.
 */
export function reservedOf(
  machine: Pick<MachineInfo, 'cpus' | 'memoryBytes' | 'storageBytes'>,
  { kubeReserved, systemReserved, eviction }: NodeSettings,
): { readonly limits: Reserved; readonly allocatable: Reserved } {
  const sum = (name: string, read: (text: string) => number): number =>
    [kubeReserved[name], systemReserved[name]].reduce(
      (total, text) => total + (text === undefined ? 0 : read(text)),
      0,
    );
  const bytes = (text: string) => toValue(mustParseQuantity(text));
  const limits = {
    cpuMilli: sum('cpu', (text) => toMilli(mustParseQuantity(text))),
    memoryBytes: sum('memory', bytes),
    storageBytes: sum('ephemeral-storage', bytes),
  };
  const kept = (signal: string, capacity: number): number => {
    const threshold = eviction.thresholds.find((one) => one.signal === signal && one.graceMs === 0);
    return threshold === undefined ? 0 : amountOf(threshold.amount, capacity);
  };
  const allocatable = {
    cpuMilli: limits.cpuMilli,
    memoryBytes: limits.memoryBytes + kept('memory.available', machine.memoryBytes),
    storageBytes: limits.storageBytes + kept('nodefs.available', machine.storageBytes),
  };
  const check = (name: string, reserved: number, capacity: number) => {
    if (reserved > capacity)
      throw new Error(
        `invalid Node Allocatable configuration. Resource "${name}" has a reservation of ${reserved} but capacity of ${capacity}. Expected capacity >= reservation`,
      );
  };
  check('cpu', allocatable.cpuMilli, machine.cpus * 1000);
  check('memory', allocatable.memoryBytes, machine.memoryBytes);
  check('ephemeral-storage', allocatable.storageBytes, machine.storageBytes);
  return { limits, allocatable };
}
