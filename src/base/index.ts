export { Backoff, type BackoffOptions, backoffMs } from './backoff.ts';
export { type Clock, sleep, systemClock, type Timer } from './clock.ts';
export { FakeClock, settle } from './fake-clock.ts';
export { Heap } from './heap.ts';
export { createLog, type Log, type LogFields, type LogLevel, silentLog } from './log.ts';
export {
  Counter,
  exponentialBuckets,
  Gauge,
  Histogram,
  MetricFamily,
  MetricRegistry,
  metricsContentType,
} from './metrics.ts';
export { Pause, sliceMs, TurnBudget } from './pause.ts';
export { nameSuffix, type Random, safeEncode, seededRandom, systemRandom } from './random.ts';
export { type Resolvable, withResolvers } from './resolvable.ts';
export { RingQueue } from './ring-queue.ts';
export { Scope } from './scope.ts';
export { unless } from './unless.ts';
export { type ProgramVersion, showVersion } from './version-metric.ts';
