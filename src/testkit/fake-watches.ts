// The watches of the fake transport: who sees which change, and when. Kept apart from the objects so that a test can bend delivery
// without touching what is stored.
import type { Clock, Timer } from '../base/index.ts';
import type { Target, WatchEvent, WatchQuery, WatchSink } from '../client/index.ts';
import { expired, type KindDef, type KubeObject } from '../machinery/index.ts';
import { selectionTest } from './fake-objects.ts';

/** How watch events travel. Within one watch their order never changes; between watches it does when delays differ. */
export interface Delivery {
  /** How long an event of this kind is under way; 0 = it is there before the write is answered. */
  lateMs(kind: KindDef): number;
  /** Each event arrives twice. */
  readonly twice: boolean;
}

export interface Change {
  readonly type: 'put' | 'delete';
  readonly revision: number;
  readonly prefix: string;
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
}

interface Watcher {
  readonly kind: KindDef;
  readonly namespace: string | undefined;
  readonly matches: (object: KubeObject) => boolean;
  readonly sink: WatchSink;
  /** Monotonic time at which the last event under way arrives: none may overtake it. */
  lastDueMs: number;
  underWay: number;
  ended: boolean;
}

const promptly: Delivery = { lateMs: () => 0, twice: false };

export interface WatchPlace {
  readonly target: Target;
  readonly query: WatchQuery;
}

export class FakeWatches {
  delivery: Delivery = promptly;
  readonly #clock: Clock;
  readonly #watchers = new Set<Watcher>();
  readonly #underWay = new Set<Timer>();
  #history: Change[] = [];
  #oldest = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get open(): number {
    return this.#watchers.size;
  }

  compact(revision: number): void {
    this.#history = [];
    this.#oldest = revision;
  }

  cut(error: unknown): void {
    for (const watcher of [...this.#watchers]) {
      watcher.ended = true;
      this.#watchers.delete(watcher);
      watcher.sink.onEnd(error);
    }
  }

  dropUndelivered(): void {
    for (const timer of this.#underWay) timer.cancel();
    this.#underWay.clear();
  }

  bookmark(revision: number): void {
    for (const watcher of this.#watchers)
      this.#send(watcher, { type: 'BOOKMARK', resourceVersion: String(revision) });
  }

  publish(change: Change): void {
    this.#history.push(change);
    for (const watcher of this.#watchers) {
      const event = see(watcher, change);
      if (event !== undefined) this.#send(watcher, event);
    }
  }

  /** Whether this watch begins with everything there is. */
  initial({ resourceVersion = '' }: WatchQuery): boolean {
    return resourceVersion === '' || resourceVersion === '0';
  }

  /** `present` is what the watch begins with. Throws 410. */
  start(at: WatchPlace, present: readonly KubeObject[], sink: WatchSink, signal: AbortSignal): void {
    const { target, query } = at;
    const watcher: Watcher = {
      kind: target.kind,
      namespace: target.namespace,
      matches: selectionTest(target.kind, query),
      sink,
      lastDueMs: 0,
      underWay: 0,
      ended: false,
    };
    const initial: WatchEvent[] = [];
    for (const object of present) if (watcher.matches(object)) initial.push({ type: 'ADDED', object });
    if (!this.initial(query)) {
      const after = Number(query.resourceVersion);
      if (after < this.#oldest) throw expired(`too old resource version: ${after} (${this.#oldest})`);
      for (const change of this.#history) {
        const event = change.revision > after ? see(watcher, change) : undefined;
        if (event !== undefined) initial.push(event);
      }
    }
    this.#watchers.add(watcher);
    signal.addEventListener(
      'abort',
      () => {
        watcher.ended = true;
        this.#watchers.delete(watcher);
      },
      { once: true },
    );
    for (const event of initial) this.#send(watcher, event);
  }

  #send(watcher: Watcher, event: WatchEvent): void {
    const { twice } = this.delivery;
    const nowMs = this.#clock.monotonicMs();
    const dueMs = Math.max(nowMs + this.delivery.lateMs(watcher.kind), watcher.lastDueMs);
    watcher.lastDueMs = dueMs;
    const deliver = () => {
      if (watcher.ended) return;
      watcher.sink.onEvents([event]);
      if (twice && !watcher.ended) watcher.sink.onEvents([event]);
    };
    if (dueMs <= nowMs && watcher.underWay === 0) deliver();
    else {
      const timer = this.#clock.after(dueMs - nowMs, () => {
        this.#underWay.delete(timer);
        watcher.underWay--;
        deliver();
      });
      this.#underWay.add(timer);
      watcher.underWay++;
    }
  }
}

/** A change as one watch sees it: leaving the selection is a deletion, entering it an addition. */
function see(watcher: Watcher, change: Change): WatchEvent | undefined {
  const { object, previous } = change;
  if (change.prefix !== watcher.kind.storagePrefix) return undefined;
  if (watcher.namespace !== undefined && object.metadata.namespace !== watcher.namespace) return undefined;
  const before = previous !== undefined && watcher.matches(previous);
  if (change.type === 'delete') return before ? { type: 'DELETED', object } : undefined;
  if (watcher.matches(object)) return { type: before ? 'MODIFIED' : 'ADDED', object };
  return before ? { type: 'DELETED', object } : undefined;
}
