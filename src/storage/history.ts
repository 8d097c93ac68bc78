// The recent past, bounded by number and by bytes. One queue over all kinds says what goes first; each kind has a queue of its own
// (in its shelf), so replaying one kind reads nothing of the others. Only bytes that nobody but history holds are counted: the
// superseded versions and the last states of deleted records.
import { EventQueue } from './event-queue.ts';
import { kindPrefixOf } from './key-order.ts';
import type { KindShelf } from './kind-shelf.ts';
import type { Entry, StoreEvent } from './store.ts';

export interface HistoryLimits {
  readonly revisions: number;
  readonly bytes: number;
}

/**
 * So many changes back, versions lose what was decoded from them: objects weigh several times their bytes. Those that are superseded
 * always do, those that are there only where nobody keeps the objects of their kind.
 */
const decodedChanges = 1024;

export class History {
  readonly #limits: HistoryLimits;
  readonly #shelfOf: (key: string) => KindShelf;
  readonly #isKept: (kindPrefix: string) => boolean;
  readonly #onReleased: (bytes: number) => void;
  readonly #events = new EventQueue();
  #bytes = 0;
  #oldestRevision: number;

  constructor(
    revision: number,
    limits: HistoryLimits,
    store: {
      shelfOf(key: string): KindShelf;
      isKept(kindPrefix: string): boolean;
      /** So many bytes of wire are held by nobody here any more. */
      onReleased(bytes: number): void;
    },
  ) {
    this.#oldestRevision = revision;
    this.#limits = limits;
    this.#shelfOf = store.shelfOf;
    this.#isKept = store.isKept;
    this.#onReleased = store.onReleased;
  }

  /** Every change above this revision is here. */
  get oldestRevision(): number {
    return this.#oldestRevision;
  }

  add(event: StoreEvent, shelf: KindShelf): void {
    this.#events.push(event);
    shelf.history.push(event);
    this.#bytes += heldBytes(event);
    const aged = this.#events.at(this.#events.length - decodedChanges);
    if (aged !== undefined) this.#forgetDecoded(aged);
    while (this.#events.length > this.#limits.revisions || this.#bytes > this.#limits.bytes) {
      if (this.#events.length === 1) break;
      this.#dropOldest();
    }
  }

  /** Forgets changes up to `revision`. */
  dropThrough(revision: number): void {
    for (;;) {
      const first = this.#events.at(0);
      if (first === undefined || first.entry.revision > revision) break;
      this.#dropOldest();
    }
    this.#oldestRevision = Math.max(this.#oldestRevision, revision);
  }

  #forgetDecoded({ type, entry, previous }: StoreEvent): void {
    if (previous !== undefined) forget(previous);
    if (type === 'delete' || !this.#isKept(kindPrefixOf(entry.key))) forget(entry);
  }

  #dropOldest(): void {
    const event = this.#events.shift()!;
    this.#shelfOf(event.entry.key).history.shift();
    const bytes = heldBytes(event);
    this.#bytes -= bytes;
    this.#onReleased(bytes);
    this.#oldestRevision = event.entry.revision;
  }
}

function heldBytes(event: StoreEvent): number {
  return (event.previous?.wire.length ?? 0) + (event.type === 'delete' ? event.entry.wire.length : 0);
}

function forget(entry: Entry): void {
  entry.object = null;
  entry.derived = null;
}
