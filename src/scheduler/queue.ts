// Pods that wait for a node: ready ones by priority and age, failed ones asleep until something changes that may help them, and
// in between a back-off that keeps a hopeless pod from being tried all the time.
import { type Clock, Heap, type Timer } from '../base/index.ts';
import type { Plugin, PodInfo, WakeHint } from './plugin.ts';

const backoffInitialMs = 1000;
const backoffMaxMs = 10_000;
/** A sleeping pod is tried again after this long even when nothing seems to have changed. */
const flushAfterMs = 5 * 60_000;

class Waiting {
  info: PodInfo;
  readonly enqueuedMs: number;
  readonly order: number;
  attempts = 0;
  /** While it sleeps or backs off: not before this. */
  readyMs = 0;
  failedMs = 0;
  refusedBy: ReadonlySet<Plugin> = new Set();
  place: 'active' | 'backoff' | 'asleep' | 'inFlight' = 'active';

  constructor(info: PodInfo, enqueuedMs: number, order: number) {
    this.info = info;
    this.enqueuedMs = enqueuedMs;
    this.order = order;
  }
}

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  readonly #byUid = new Map<string, Waiting>();
  /** May hold entries that have left meanwhile; `place` tells. */
  readonly #active = new Heap<Waiting>((a, b) =>
    a.info.priority !== b.info.priority ? a.info.priority > b.info.priority : a.order < b.order,
  );
  readonly #asleep = new Set<Waiting>();
  readonly #backoff = new Set<Waiting>();
  #order = 0;
  #timer: Timer | null = null;
  #timerMs = Number.POSITIVE_INFINITY;

  /** `onReady` is called whenever `pop` may have something to give. */
  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  get size(): number {
    return this.#byUid.size;
  }

  add(info: PodInfo): void {
    if (this.#byUid.has(info.uid)) {
      this.update(info);
      return;
    }
    const waiting = new Waiting(info, this.#clock.monotonicMs(), this.#order++);
    this.#byUid.set(info.uid, waiting);
    this.#active.push(waiting);
    this.#onReady();
  }

  /** The pod itself changed: that may be what it waited for. */
  update(info: PodInfo): void {
    const waiting = this.#byUid.get(info.uid);
    if (waiting === undefined) {
      this.add(info);
      return;
    }
    waiting.info = info;
    if (waiting.place === 'asleep') this.#wake(waiting);
  }

  remove(uid: string): void {
    const waiting = this.#byUid.get(uid);
    if (waiting === undefined) return;
    this.#byUid.delete(uid);
    this.#asleep.delete(waiting);
    this.#backoff.delete(waiting);
    waiting.place = 'inFlight';
  }

  /** The next pod to decide on; it is in flight until `remove`d or `failed`. */
  pop(): PodInfo | undefined {
    for (let next = this.#active.pop(); next !== undefined; next = this.#active.pop()) {
      if (next.place !== 'active' || this.#byUid.get(next.info.uid) !== next) continue;
      next.place = 'inFlight';
      next.attempts++;
      return next.info;
    }
    return undefined;
  }

  /** No node would do. The pod sleeps until a change that one of `refusedBy` waits for. */
  failed(uid: string, refusedBy: ReadonlySet<Plugin>): void {
    const waiting = this.#byUid.get(uid);
    if (waiting === undefined) return;
    const now = this.#clock.monotonicMs();
    waiting.failedMs = now;
    waiting.readyMs = now + backoffMs(waiting.attempts);
    waiting.refusedBy = refusedBy;
    waiting.place = 'asleep';
    this.#asleep.add(waiting);
    this.#schedule(now + flushAfterMs);
  }

  /** It went wrong after the decision (binding failed): try again after the back-off. */
  retry(uid: string): void {
    const waiting = this.#byUid.get(uid);
    if (waiting === undefined) return;
    waiting.readyMs = this.#clock.monotonicMs() + backoffMs(waiting.attempts);
    this.#asleep.delete(waiting);
    this.#toBackoff(waiting);
  }

  /** Something changed in the cluster: wakes the pods that wait for it. */
  changed(hint: WakeHint): void {
    for (const waiting of this.#asleep) {
      for (const plugin of waiting.refusedBy) {
        if (plugin.wakeOn.some((w) => w.kind === hint.kind && w.on === hint.on)) {
          this.#wake(waiting);
          break;
        }
      }
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #wake(waiting: Waiting): void {
    this.#asleep.delete(waiting);
    if (waiting.readyMs > this.#clock.monotonicMs()) this.#toBackoff(waiting);
    else this.#activate(waiting);
  }

  #toBackoff(waiting: Waiting): void {
    waiting.place = 'backoff';
    this.#backoff.add(waiting);
    this.#schedule(waiting.readyMs);
  }

  #activate(waiting: Waiting): void {
    waiting.place = 'active';
    this.#active.push(waiting);
    this.#onReady();
  }

  #schedule(atMs: number): void {
    if (atMs >= this.#timerMs) return;
    this.#timer?.cancel();
    this.#timerMs = atMs;
    this.#timer = this.#clock.after(Math.max(0, atMs - this.#clock.monotonicMs()), () => this.#tick());
  }

  #tick(): void {
    this.#timer = null;
    this.#timerMs = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonicMs();
    let next = Number.POSITIVE_INFINITY;
    for (const waiting of this.#backoff) {
      if (waiting.readyMs <= now) {
        this.#backoff.delete(waiting);
        this.#activate(waiting);
      } else next = Math.min(next, waiting.readyMs);
    }
    for (const waiting of this.#asleep) {
      const flushMs = waiting.failedMs + flushAfterMs;
      if (flushMs <= now) this.#wake(waiting);
      else next = Math.min(next, flushMs);
    }
    if (next !== Number.POSITIVE_INFINITY) this.#schedule(next);
  }
}

/** 1 s after the first failure, doubled each time, at most 10 s. */
function backoffMs(attempts: number): number {
  return Math.min(backoffMaxMs, backoffInitialMs * 2 ** Math.min(10, Math.max(0, attempts - 1)));
}
