// HOT. Who watches what. Watches are grouped by prefix: those of a kind or a namespace are found by the key of a change, without
// looking at any other, and watches of the same prefix share one array of events.
import type { Log } from '../base/index.ts';
import { kindPrefixOf, namespacePrefixOf } from './key-order.ts';
import type { StoreEvent, StoreWatcher } from './store.ts';

interface Watch {
  readonly after: number;
  readonly watcher: StoreWatcher;
  readonly group: WatchGroup;
  active: boolean;
}

interface WatchGroup {
  readonly prefix: string;
  readonly watches: Set<Watch>;
  /** Of the commit being handed out. */
  events: StoreEvent[];
}

export class WatchTable {
  readonly #log: Log;
  /** Prefixes of a kind or a namespace. */
  readonly #byPrefix = new Map<string, WatchGroup>();
  /** All other prefixes: compared with each key. */
  readonly #others = new Map<string, WatchGroup>();
  #touched: WatchGroup[] = [];
  /** Prefixes of kinds, by how many watches keep their objects. */
  readonly #keepers = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** `replay` is what history already has; it is handed over before this returns. */
  add(
    prefix: string,
    after: number,
    from: { watcher: StoreWatcher; replay: readonly StoreEvent[] },
  ): () => void {
    const groups = isIndexed(prefix) ? this.#byPrefix : this.#others;
    let group = groups.get(prefix);
    if (group === undefined) groups.set(prefix, (group = { prefix, watches: new Set(), events: [] }));
    const last = from.replay.at(-1)?.entry.revision ?? 0;
    const watch: Watch = { after: Math.max(after, last), watcher: from.watcher, group, active: true };
    group.watches.add(watch);
    if (watch.watcher.keepsObjects === true) this.#countKeepers(prefix, 1);
    if (from.replay.length > 0) this.#hand(watch, from.replay);
    return () => this.#end(watch);
  }

  /** Whether a watch of this kind, or of a part of it, keeps what it is given. */
  keepsObjects(kindPrefix: string): boolean {
    return this.#keepers.has(kindPrefix);
  }

  /** Notes a change for `deliver`. */
  collect(event: StoreEvent, kindPrefix: string): void {
    const { key } = event.entry;
    this.#note(this.#byPrefix.get(kindPrefix), event);
    const namespace = namespacePrefixOf(key, kindPrefix);
    if (namespace !== undefined) this.#note(this.#byPrefix.get(namespace), event);
    if (this.#others.size === 0) return;
    for (const group of this.#others.values()) if (key.startsWith(group.prefix)) this.#note(group, event);
  }

  /** Hands out what was collected. A watch added meanwhile has had it from history; one ended meanwhile gets nothing. */
  deliver(): void {
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    const due = touched.map((group) => ({ events: group.events, watches: [...group.watches] }));
    for (const group of touched) group.events = [];
    for (const { events, watches } of due) {
      for (const watch of watches) {
        const unseen =
          events[0]!.entry.revision > watch.after
            ? events
            : events.filter((event) => event.entry.revision > watch.after);
        if (unseen.length > 0) this.#hand(watch, unseen);
      }
    }
  }

  /** Ends every watch; with `lose` each is told. */
  endAll(how: 'silently' | 'lost'): void {
    for (const groups of [this.#byPrefix, this.#others]) {
      for (const group of [...groups.values()]) {
        for (const watch of [...group.watches]) {
          const wasActive = watch.active;
          this.#end(watch);
          if (how === 'lost' && wasActive) watch.watcher.onLost();
        }
      }
    }
  }

  #countKeepers(prefix: string, by: 1 | -1): void {
    const kind = kindPrefixOf(prefix);
    const count = (this.#keepers.get(kind) ?? 0) + by;
    if (count === 0) this.#keepers.delete(kind);
    else this.#keepers.set(kind, count);
  }

  #note(group: WatchGroup | undefined, event: StoreEvent): void {
    if (group === undefined) return;
    if (group.events.length === 0) this.#touched.push(group);
    group.events.push(event);
  }

  #hand(watch: Watch, events: readonly StoreEvent[]): void {
    if (!watch.active) return;
    try {
      watch.watcher.onEvents(events);
    } catch (error) {
      this.#log.error('a watcher threw and is ended', { prefix: watch.group.prefix, error });
      this.#end(watch);
      watch.watcher.onLost();
    }
  }

  #end(watch: Watch): void {
    if (!watch.active) return;
    watch.active = false;
    const { group } = watch;
    group.watches.delete(watch);
    if (watch.watcher.keepsObjects === true) this.#countKeepers(group.prefix, -1);
    if (group.watches.size > 0) return;
    const groups = isIndexed(group.prefix) ? this.#byPrefix : this.#others;
    if (groups.get(group.prefix) === group) groups.delete(group.prefix);
  }
}

/** True when `collect` finds the prefix from a key: `/a/b/` and `/a/b/c/`. */
function isIndexed(prefix: string): boolean {
  const kind = kindPrefixOf(prefix);
  if (kind.split('/').length !== 4) return false;
  return prefix === kind || prefix === namespacePrefixOf(prefix, kind);
}
