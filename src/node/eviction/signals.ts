// What the node can run short of, and when it counts as short: the kubelet's signals and thresholds, as its flags write them. Pure.
import {
  formatQuantity,
  mustParseQuantity,
  parseDuration,
  parseQuantity,
  quantityError,
  quantityOf,
  toValue,
} from '../../machinery/index.ts';

export const signals = [
  'memory.available',
  'allocatableMemory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;
export type Signal = (typeof signals)[number];

/** Limits of local storage that pods set themselves. */
export type StorageLimit = 'emptydirfs.limit' | 'ephemeralpodfs.limit' | 'ephemeralcontainerfs.limit';
/** For what a pod is evicted. */
export type EvictionSignal = Signal | StorageLimit;

export type PressureCondition = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';
export type StarvedResource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';

interface SignalFacts {
  readonly condition: PressureCondition;
  readonly resource: StarvedResource;
}

const memory = { condition: 'MemoryPressure', resource: 'memory' } as const;
const disk = { condition: 'DiskPressure', resource: 'ephemeral-storage' } as const;
const inodes = { condition: 'DiskPressure', resource: 'inodes' } as const;

export const factsOf: Readonly<Record<Signal, SignalFacts>> = {
  'memory.available': memory,
  'allocatableMemory.available': memory,
  'nodefs.available': disk,
  'nodefs.inodesFree': inodes,
  'imagefs.available': disk,
  'imagefs.inodesFree': inodes,
  'pid.available': { condition: 'PIDPressure', resource: 'pids' },
};

/** An absolute number (bytes, inodes, processes), or a share of the capacity from 0 to 1. */
export type Amount = { readonly value: number } | { readonly share: number };

export interface Threshold {
  readonly signal: Signal;
  readonly amount: Amount;
  /** 0 = hard: it counts at once, and pods get no grace. */
  readonly graceMs: number;
  /** How much more than the threshold must be free before it no longer counts. */
  readonly minReclaim: Amount | undefined;
}

/** How much there is of what a signal watches. */
export interface Observation {
  readonly available: number;
  readonly capacity: number;
}

export type Observations = ReadonlyMap<Signal, Observation>;

/** `amount` of `capacity`, as Go rounds it: towards zero. */
export const amountOf = (amount: Amount, capacity: number): number =>
  'value' in amount ? amount.value : Math.trunc(amount.share * capacity);

/** Bytes as `100Mi`, counts as `5000`. */
export const quantityText = (signal: Signal, value: number): string =>
  formatQuantity(quantityOf(Math.trunc(value), countsBytes(signal) ? 'BinarySI' : 'DecimalSI'));

const countsBytes = (signal: Signal): boolean =>
  factsOf[signal].resource === 'memory' || factsOf[signal].resource === 'ephemeral-storage';

/** What the flags say: `memory.available` → `100Mi`. */
export type Statements = Readonly<Record<string, string>>;

export interface ThresholdFlags {
  readonly hard: Statements;
  readonly soft: Statements;
  readonly softGracePeriod: Statements;
  readonly minimumReclaim: Statements;
}

export const defaultHardEviction: Statements = {
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
};

/** In the order in which they are written, hard before soft. Throws an Error in the kubelet's words. */
export function parseThresholds(flags: ThresholdFlags): Threshold[] {
  const reclaims = new Map<Signal, Amount>();
  for (const [name, text] of Object.entries(flags.minimumReclaim)) {
    const signal = signalOf(name);
    const amount = parseAmount(text);
    if ('share' in amount ? amount.share <= 0 : amount.value < 0)
      throw new Error(
        'share' in amount
          ? `eviction percentage minimum reclaim ${signal} must be positive: ${text}`
          : `negative eviction minimum reclaim specified for ${signal}`,
      );
    reclaims.set(signal, amount);
  }
  const graces = new Map<Signal, number>();
  for (const [name, text] of Object.entries(flags.softGracePeriod)) {
    const ms = parseDuration(text);
    if (ms === undefined) throw new Error(`time: invalid duration ${JSON.stringify(text)}`);
    if (ms < 0) throw new Error(`invalid eviction grace period specified: ${text}, must be a positive value`);
    graces.set(signalOf(name), ms);
  }
  const make = (statements: Statements, graceMs: (signal: Signal) => number): Threshold[] =>
    Object.entries(statements).flatMap(([name, text]) => {
      const signal = signalOf(name);
      const amount = parseStatement(signal, text);
      if (amount === undefined) return [];
      return [{ signal, amount, graceMs: graceMs(signal), minReclaim: reclaims.get(signal) }];
    });
  const soft = (signal: Signal): number => {
    const ms = graces.get(signal);
    if (ms === undefined)
      throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`);
    return ms;
  };
  const hard = make(flags.hard, () => 0);
  // Pods together may run out of what is theirs before the machine runs out.
  const ofPods = hard
    .filter(({ signal }) => signal === 'memory.available')
    .map((one): Threshold => ({ ...one, signal: 'allocatableMemory.available' }));
  return [...hard, ...make(flags.soft, soft), ...ofPods];
}

function signalOf(name: string): Signal {
  const found = signals.find((one) => one === name);
  if (found === undefined) throw new Error(`unsupported eviction signal ${name}`);
  return found;
}

/** undefined = never: `0%` and `100%` turn a signal off. */
function parseStatement(signal: Signal, text: string): Amount | undefined {
  if (text === '0%' || text === '100%') return undefined;
  const amount = parseAmount(text);
  if ('share' in amount) {
    if (amount.share < 0) throw new Error(`eviction percentage threshold ${signal} must be >= 0%: ${text}`);
    if (amount.share > 1) throw new Error(`eviction percentage threshold ${signal} must be <= 100%: ${text}`);
  } else if (amount.value <= 0) throw new Error(`eviction threshold ${signal} must be positive: ${text}`);
  return amount;
}

function parseAmount(text: string): Amount {
  if (text.endsWith('%')) {
    const percent = text.slice(0, -1);
    if (!/^[+-]?\d+(\.\d+)?$/.test(percent))
      throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(percent)}: invalid syntax`);
    return { share: Number(percent) / 100 };
  }
  if (parseQuantity(text) === undefined) throw new Error(quantityError(text));
  return { value: toValue(mustParseQuantity(text)) };
}

/** `memory.available<100Mi,nodefs.available<10%` or `memory.available=1m`: what a flag holds. Throws when it cannot be read. */
export function parseStatements(text: string, separator: '<' | '='): Statements {
  const found: Record<string, string> = {};
  for (const pair of text.split(',')) {
    if (pair.trim() === '') continue;
    const at = pair.indexOf(separator);
    if (at < 0) throw new Error(`malformed pair, expect string${separator}string`);
    found[pair.slice(0, at).trim()] = pair.slice(at + 1).trim();
  }
  return found;
}
