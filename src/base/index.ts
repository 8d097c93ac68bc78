export { type Clock, sleep, systemClock, type Timer } from './clock.ts';
export { FakeClock, settle } from './fake-clock.ts';
export { createLog, type Log, type LogFields, type LogLevel, silentLog } from './log.ts';
export { nameSuffix, type Random, safeEncode, seededRandom, systemRandom } from './random.ts';
export { Scope } from './scope.ts';
