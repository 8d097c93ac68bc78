// Pods that wait for a node: ready ones in the order that the profile gives, failed ones asleep until something changes that may help them, and
// in between a back-off that keeps a hopeless pod from being tried all the time.
import { type Clock, Heap, type Timer } from '../base/index.ts';
import { semanticEqual } from '../machinery/index.ts';
import type { ClusterChange, Plugin } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';

/** A sleeping pod is tried again after this long even when nothing seems to have changed. */
const flushAfterMs = 5 * 60_000;
const flushEveryMs = 30_000;

class Waiting {
  info: PodInfo;
  readonly order: number;
  readonly addedMs: number;
  attempts = 0;
  /** While it sleeps or backs off: not before this. */
  readyMs = 0;
  failedMs = 0;
  refusedBy: ReadonlySet<Plugin> = new Set();
  place: 'active' | 'backoff' | 'asleep' | 'inFlight' | 'gone' = 'active';

  constructor(info: PodInfo, order: number, addedMs: number) {
    this.info = info;
    this.order = order;
    this.addedMs = addedMs;
  }
}

type Before = (a: PodInfo, b: PodInfo) => boolean;

export interface QueueOptions {
  readonly onReady: () => void;
  /** Something happened that may open a pod's gate: it is to be `set` or `gate`d anew. */
  readonly onGate?: ((info: PodInfo) => void) | undefined;
  readonly before?: Before | undefined;
  /** After the first failure, doubled each time up to the most. */
  readonly backoffInitialMs?: number | undefined;
  readonly backoffMaxMs?: number | undefined;
}

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  readonly #onGate: (info: PodInfo) => void;
  readonly #before: Before;
  readonly #backoffInitialMs: number;
  readonly #backoffMaxMs: number;
  readonly #byUid = new Map<string, Waiting>();
  /** Both heaps may hold entries that have left meanwhile; `place` tells. */
  readonly #active: Heap<Waiting>;
  readonly #backoff = new Heap<Waiting>((a, b) => a.readyMs < b.readyMs);
  readonly #asleep = new Set<Waiting>();
  /** Pods that must not be tried yet, by whose word. */
  readonly #gated = new Map<string, { readonly info: PodInfo; readonly by: Plugin }>();
  #order = 0;
  #timer: Timer | null = null;
  #timerMs = Number.POSITIVE_INFINITY;

  /**
   * `onReady` is called whenever `pop` may have something to give. `before` says which of two pods comes first; those between which
   * it does not choose come in the order of their arrival.
   */
  constructor(clock: Clock, options: QueueOptions) {
    const { onReady, before = () => false } = options;
    this.#backoffInitialMs = options.backoffInitialMs ?? 1000;
    this.#backoffMaxMs = options.backoffMaxMs ?? 10_000;
    this.#clock = clock;
    this.#onReady = onReady;
    this.#onGate = options.onGate ?? (() => {});
    this.#before = before;
    this.#active = new Heap<Waiting>((a, b) =>
      before(a.info, b.info) ? true : before(b.info, a.info) ? false : a.order < b.order,
    );
  }

  /** Pods that wait, in flight ones included. */
  get size(): number {
    return this.#byUid.size;
  }

  /** How many pods wait, by where they do; those in flight in none. Looks at all of them. */
  counts(): { active: number; backoff: number; asleep: number; gated: number } {
    const counts = { active: 0, backoff: 0, asleep: 0, inFlight: 0, gone: 0, gated: this.#gated.size };
    for (const { place } of this.#byUid.values()) counts[place]++;
    return counts;
  }

  /** How long a pod has been here and how often it was tried; undefined = it is not here. */
  historyOf(uid: string): { waitedMs: number; attempts: number } | undefined {
    const waiting = this.#byUid.get(uid);
    if (waiting === undefined) return undefined;
    return { waitedMs: this.#clock.monotonicMs() - waiting.addedMs, attempts: waiting.attempts };
  }

  /** A pod that is new or has changed. It is worth another try only when it asks for something else than before. */
  set(info: PodInfo): void {
    this.#gated.delete(info.uid);
    const waiting = this.#byUid.get(info.uid);
    if (waiting === undefined) {
      const added = new Waiting(info, this.#order++, this.#clock.monotonicMs());
      this.#byUid.set(info.uid, added);
      this.#activate(added);
      return;
    }
    const { pod: old } = waiting.info;
    const moved =
      waiting.place === 'active' && (this.#before(waiting.info, info) || this.#before(info, waiting.info));
    waiting.info = info;
    if (moved) this.#replace(waiting);
    else if (waiting.place === 'asleep' && !asksTheSame(old, info.pod)) this.#wake(waiting);
  }

  remove(uid: string): void {
    this.#gated.delete(uid);
    const waiting = this.#byUid.get(uid);
    if (waiting === undefined) return;
    this.#byUid.delete(uid);
    this.#asleep.delete(waiting);
    waiting.place = 'gone';
  }

  /** The pod must not be tried before it is `set` again; `by` says so, and what may change that. */
  gate(info: PodInfo, by: Plugin): void {
    this.remove(info.uid);
    this.#gated.set(info.uid, { info, by });
  }

  /** The next pod to decide on; it is in flight until `remove`d, `failed` or `retry`. */
  pop(): PodInfo | undefined {
    for (let next = this.#active.pop(); next !== undefined; next = this.#active.pop()) {
      if (next.place !== 'active') continue;
      next.place = 'inFlight';
      next.attempts++;
      return next.info;
    }
    return undefined;
  }

  /** No node would do. The pod sleeps until a change that one of `refusedBy` waits for. */
  failed(uid: string, refusedBy: ReadonlySet<Plugin>): void {
    const waiting = this.#byUid.get(uid);
    if (waiting?.place !== 'inFlight') return;
    waiting.failedMs = this.#clock.monotonicMs();
    waiting.readyMs = waiting.failedMs + this.#backoffMs(waiting.attempts);
    waiting.refusedBy = refusedBy;
    waiting.place = 'asleep';
    this.#asleep.add(waiting);
    this.#schedule(waiting.failedMs + flushEveryMs);
  }

  /** It went wrong after the decision (binding failed): try again after the back-off. */
  retry(uid: string): void {
    const waiting = this.#byUid.get(uid);
    if (waiting?.place !== 'inFlight') return;
    waiting.readyMs = this.#clock.monotonicMs() + this.#backoffMs(waiting.attempts);
    this.#toBackoff(waiting);
  }

  /** Something changed in the cluster: wakes the pods that wait for it. */
  changed(change: ClusterChange): void {
    for (const waiting of this.#asleep) if (mayHelp(waiting, change)) this.#wake(waiting);
    const opened: PodInfo[] = [];
    for (const { info, by } of this.#gated.values()) if (waitsFor(by, info, change)) opened.push(info);
    for (const info of opened) this.#onGate(info);
  }

  /** Something besides the plugins' hints speaks for another try now. */
  activate(uid: string): void {
    const waiting = this.#byUid.get(uid);
    if (waiting?.place === 'asleep') this.#wake(waiting);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerMs = Number.POSITIVE_INFINITY;
  }

  #backoffMs(attempts: number): number {
    return Math.min(
      this.#backoffMaxMs,
      this.#backoffInitialMs * 2 ** Math.min(30, Math.max(0, attempts - 1)),
    );
  }

  #wake(waiting: Waiting): void {
    this.#asleep.delete(waiting);
    if (waiting.readyMs > this.#clock.monotonicMs()) this.#toBackoff(waiting);
    else this.#activate(waiting);
  }

  #toBackoff(waiting: Waiting): void {
    waiting.place = 'backoff';
    this.#backoff.push(waiting);
    this.#schedule(waiting.readyMs);
  }

  #activate(waiting: Waiting): void {
    waiting.place = 'active';
    this.#active.push(waiting);
    this.#onReady();
  }

  /** Its order has changed: the entry in the heap is given up for a new one. */
  #replace(waiting: Waiting): void {
    const { info, order, addedMs, attempts } = waiting;
    waiting.place = 'gone';
    const moved = new Waiting(info, order, addedMs);
    moved.attempts = attempts;
    this.#byUid.set(info.uid, moved);
    this.#activate(moved);
  }

  #schedule(atMs: number): void {
    if (atMs >= this.#timerMs) return;
    this.#timer?.cancel();
    this.#timerMs = atMs;
    this.#timer = this.#clock.after(Math.max(0, atMs - this.#clock.monotonicMs()), this.#tick);
  }

  readonly #tick = (): void => {
    this.stop();
    const now = this.#clock.monotonicMs();
    for (let next = this.#backoff.peek(); next !== undefined; next = this.#backoff.peek()) {
      if (next.place === 'backoff' && next.readyMs > now) break;
      this.#backoff.pop();
      if (next.place === 'backoff') this.#activate(next);
    }
    for (const waiting of this.#asleep) if (waiting.failedMs + flushAfterMs <= now) this.#wake(waiting);
    const next = this.#backoff.peek();
    if (next !== undefined) this.#schedule(next.readyMs);
    if (this.#asleep.size > 0) this.#schedule(now + flushEveryMs);
  };
}

function mayHelp({ info, refusedBy }: Waiting, change: ClusterChange): boolean {
  for (const plugin of refusedBy) if (waitsFor(plugin, info, change)) return true;
  return false;
}

function waitsFor({ wakeOn }: Plugin, info: PodInfo, { kind, on, object, old }: ClusterChange): boolean {
  for (const hint of wakeOn)
    if (hint.kind === kind && hint.on === on && (hint.helps?.(info, object, old) ?? true)) return true;
  return false;
}

/** The status says what came of earlier tries; only what the author may change counts. */
const asksTheSame = (a: PodInfo['pod'], b: PodInfo['pod']): boolean =>
  semanticEqual(a.spec, b.spec) &&
  semanticEqual(a.metadata.labels, b.metadata.labels) &&
  semanticEqual(a.metadata.annotations, b.metadata.annotations);
