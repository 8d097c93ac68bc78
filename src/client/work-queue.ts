// The work queue of controllers, with client-go's meaning: a key that waits is not added twice, a key that is being worked on
// is not handed out again until it is done, and a key added meanwhile comes back then. One timer for all delayed keys.
import { backoffMs, type Clock, Heap, type MetricRegistry, RingQueue, type Timer } from '../base/index.ts';
import { WorkQueueMetrics } from './work-queue-metrics.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** Delay of the first rate-limited retry of a key; doubles with each. Default 5 ms. */
  readonly retryInitialMs?: number | undefined;
  /** Default 1000 s. */
  readonly retryMaxMs?: number | undefined;
  /** Where it is counted, and as what; undefined = nowhere. */
  readonly metrics?: { readonly registry: MetricRegistry; readonly name: string } | undefined;
}

interface Delayed {
  readonly key: string;
  readonly dueMs: number;
  readonly order: number;
  /** Asked when `dueMs` has come: a later time = wait until then. null = it stays as it is. */
  readonly moved: (() => number) | null;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #retry: { initialMs: number; maxMs: number };
  /** Keys to hand out, in order. Each is in `#dirty`, none in `#processing`. */
  readonly #ready = new RingQueue<string>();
  /** Keys that need work: waiting in `#ready`, or to be put there when their present work is done. */
  readonly #dirty = new Set<string>();
  readonly #processing = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** May hold entries that an earlier one of the same key has replaced: `#delayedUntil` tells which counts. */
  readonly #delayed = new Heap<Delayed>((a, b) =>
    a.dueMs === b.dueMs ? a.order < b.order : a.dueMs < b.dueMs,
  );
  readonly #delayedUntil = new Map<string, Delayed>();
  readonly #takers = new RingQueue<(key: string | undefined) => void>();
  readonly #metrics: WorkQueueMetrics | null;
  #timer: Timer | null = null;
  #timerDueMs = 0;
  #order = 0;
  #shutDown = false;

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#retry = { initialMs: options.retryInitialMs ?? 5, maxMs: options.retryMaxMs ?? 1_000_000 };
    const { metrics, clock } = options;
    this.#metrics =
      metrics === undefined
        ? null
        : new WorkQueueMetrics(metrics.registry, { name: metrics.name, clock, depth: () => this.size });
  }

  /** Keys ready to be taken. */
  get size(): number {
    return this.#ready.size;
  }

  /** Keys that will be added later. */
  get delayed(): number {
    return this.#delayedUntil.size;
  }

  /** Keys taken and not done. */
  get processing(): number {
    return this.#processing.size;
  }

  get isShutDown(): boolean {
    return this.#shutDown;
  }

  add(key: string): void {
    if (this.#shutDown || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    this.#metrics?.added(key);
    if (!this.#processing.has(key)) this.#offer(key);
  }

  /** Adds the key when `delayMs` have passed. Of several delays of a key the one that ends first counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#shutDown) return;
    this.#metrics?.retried();
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    this.#delay(key, this.#clock.monotonicMs() + delayMs, null);
  }

  /**
   * Adds the key when the time that `dueMs` gives (monotonic) has come. It is asked again then, and may have moved on meanwhile: a
   * deadline that every heartbeat moves costs neither the key's work nor its place in the queue. Beside other delays of the key as
   * `addAfter`, so a later one that is dropped because of this one must be asked for again by the work that follows.
   */
  addAt(key: string, dueMs: () => number): void {
    if (this.#shutDown) return;
    this.#metrics?.retried();
    const atMs = dueMs();
    if (atMs <= this.#clock.monotonicMs()) this.add(key);
    else this.#delay(key, atMs, dueMs);
  }

  #delay(key: string, dueMs: number, moved: Delayed['moved']): void {
    const known = this.#delayedUntil.get(key);
    if (known !== undefined && known.dueMs <= dueMs) return;
    const entry: Delayed = { key, dueMs, order: this.#order++, moved };
    this.#delayedUntil.set(key, entry);
    this.#delayed.push(entry);
    this.#schedule();
  }

  /**
   * Adds the key after its own growing delay, or after `atLeastMs` if that is longer. Returns the delay. Only `forget` makes it
   * small again.
   */
  addRateLimited(key: string, atLeastMs = 0): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delayMs = Math.max(atLeastMs, backoffMs(failures, this.#retry));
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The key is well again. Does not take it out of the queue. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** A key to work on, or undefined when none is ready. Whoever takes a key calls `done` for it. */
  take(): string | undefined {
    const key = this.#ready.shift();
    if (key !== undefined) this.#begin(key);
    return key;
  }

  /** Waits for a key. undefined = shut down and empty. */
  next(): Promise<string | undefined> {
    const key = this.take();
    if (key !== undefined || this.#shutDown) return Promise.resolve(key);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  /** The work on the key has ended; if it was added meanwhile it is ready again. */
  done(key: string): void {
    this.#metrics?.done(key);
    if (this.#processing.delete(key) && this.#dirty.has(key)) this.#offer(key);
  }

  /** Nothing can be added any more. What is ready may still be taken; delayed keys are dropped and no timer is left. */
  shutDown(): void {
    this.#shutDown = true;
    this.#metrics?.end();
    this.#timer?.cancel();
    this.#timer = null;
    this.#delayed.clear();
    this.#delayedUntil.clear();
    for (let taker = this.#takers.shift(); taker !== undefined; taker = this.#takers.shift())
      taker(undefined);
  }

  #offer(key: string): void {
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#ready.push(key);
      return;
    }
    this.#begin(key);
    taker(key);
  }

  #begin(key: string): void {
    this.#dirty.delete(key);
    this.#processing.add(key);
    this.#metrics?.taken(key);
  }

  #schedule(): void {
    const first = this.#delayed.peek();
    if (first === undefined || (this.#timer !== null && this.#timerDueMs <= first.dueMs)) return;
    this.#timer?.cancel();
    this.#timerDueMs = first.dueMs;
    this.#timer = this.#clock.after(first.dueMs - this.#clock.monotonicMs(), this.#onTimer);
  }

  readonly #onTimer = (): void => {
    this.#timer = null;
    const nowMs = this.#clock.monotonicMs();
    for (;;) {
      const first = this.#delayed.peek();
      if (first === undefined || first.dueMs > nowMs) break;
      this.#delayed.pop();
      if (this.#delayedUntil.get(first.key) !== first) continue;
      this.#delayedUntil.delete(first.key);
      const dueMs = first.moved?.() ?? nowMs;
      if (dueMs > nowMs) this.#delay(first.key, dueMs, first.moved);
      else this.add(first.key);
    }
    this.#schedule();
  };
}
