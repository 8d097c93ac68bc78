// Watch: store events turned into what a watcher with selectors sees. A change that makes an object match is ADDED, one that
// makes it stop matching is DELETED. The encoding of events is the caller's. HOT: bench/watch.ts.
import { Pause } from '../../base/index.ts';
import { expired, type KindDef } from '../../machinery/index.ts';
import { Compacted, Entry, respliceRevision, type StoreEvent } from '../../storage/index.ts';
import { type Place, parseRevision, type RegistryCore } from './core.ts';
import { waitForFreshness } from './list.ts';
import { objectOf } from './objects.ts';
import { type Selection, select, selected } from './selection.ts';
import { allInVersion, eventsInVersion } from './translated.ts';

export interface WatchOptions {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** unset or '0' = start with ADDED for everything there is */
  readonly resourceVersion?: string | undefined;
  /** Streaming list: the present state as ADDED, then a bookmark that says so. */
  readonly sendInitialEvents?: boolean | undefined;
}

export interface SeenEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly entry: Entry;
}

export interface WatchReceiver {
  /** The receiver keeps decoded objects, not bytes (StoreWatcher). */
  readonly keepsObjects?: boolean;
  onEvents(events: readonly SeenEvent[]): void;
  /** The present state has been delivered, as of this revision (only with sendInitialEvents). */
  onInitialEnd(revision: number): void;
  /** History is gone: 410, the watcher must list again. */
  onLost(): void;
  /** The version that is watched cannot be made of what is stored. Nothing more comes. */
  onFailed(error: unknown): void;
  /** How many pieces have happened that are not handed over yet: while there are any, a bookmark would promise too much. */
  onHeld(pieces: number): void;
  /**
   * Asked between two pieces of what there was before the watch began. False, or a promise of it: nobody watches any more.
   * A promise that waits holds the next piece back.
   */
  ready(): boolean | Promise<boolean>;
}

/** What is handed over at once of what there was before the watch began: this many objects or about so many bytes. */
const pieceSize = 256;
const pieceBytes = 1024 * 1024;

/** Starts a watch and returns what ends it. Throws 410 when the asked revision is compacted. */
export async function watch(
  core: RegistryCore,
  at: Pick<Place, 'kind' | 'namespace'>,
  options: WatchOptions,
  receiver: WatchReceiver,
): Promise<() => void> {
  const selection = select(at.kind, at.namespace, options);
  const version = options.resourceVersion ?? '';
  const from = parseRevision(version);
  const initial =
    options.sendInitialEvents === true ||
    ((version === '' || version === '0') && options.sendInitialEvents === undefined);
  if (initial) await waitForFreshness(core, version === '' ? undefined : version);
  else if (from > core.store.revision) await waitForFreshness(core, version);
  let start = from === 0 ? core.store.revision : from;
  if (initial) {
    start = core.store.revision;
    if (!(await deliverPresent(core, { kind: at.kind, selection }, receiver))) return () => {};
    if (options.sendInitialEvents === true) receiver.onInitialEnd(start);
  }
  try {
    start = await deliverPast(core, { kind: at.kind, selection, after: start }, receiver);
    if (start < 0) return () => {};
    return core.store.watch(selection.prefix, start, {
      keepsObjects: receiver.keepsObjects,
      onEvents:
        at.kind.translation === null
          ? (events) => deliver(selection, events, receiver)
          : inOrder({ kind: at.kind, selection }, receiver),
      onLost: () => receiver.onLost(),
    });
  } catch (error) {
    if (error instanceof Compacted)
      throw expired(`too old resource version: ${from} (${core.store.oldestRevision})`);
    throw error;
  }
}

interface Watched {
  readonly kind: KindDef;
  readonly selection: Selection;
}

/** Hands over what happens in its order, however long it takes to make the version of the kind of it. */
function inOrder(
  { kind, selection }: Watched,
  receiver: WatchReceiver,
): (events: readonly StoreEvent[]) => void {
  let held = 0;
  let last: Promise<void> = Promise.resolve();
  let failed = false;
  const hold = (by: 1 | -1): void => {
    held += by;
    receiver.onHeld(held);
  };
  return (events) => {
    hold(1);
    const shown = eventsInVersion(kind, events);
    // Looked at below, in its turn.
    shown.catch(() => {});
    last = last.then(async () => {
      try {
        const ready = await shown;
        if (!failed) deliver(selection, ready, receiver);
      } catch (error) {
        if (!failed) receiver.onFailed(error);
        failed = true;
      }
      hold(-1);
    });
  };
}

/** Everything there is, piece by piece. False when the watcher has gone meanwhile. */
async function deliverPresent(
  core: RegistryCore,
  { kind, selection }: Watched,
  receiver: WatchReceiver,
): Promise<boolean> {
  const pause = new Pause(core.clock);
  let piece: SeenEvent[] = [];
  let bytes = 0;
  for (const entry of await allInVersion(kind, core.store.list(selection.prefix))) {
    if (pause.due) await pause.now();
    if (!selected(selection, entry)) continue;
    piece.push({ type: 'ADDED', entry });
    bytes += entry.wire.length;
    if (piece.length < pieceSize && bytes < pieceBytes) continue;
    receiver.onEvents(piece);
    piece = [];
    bytes = 0;
    if (!(await receiver.ready())) return false;
  }
  if (piece.length > 0) receiver.onEvents(piece);
  return true;
}

/**
 * What has changed since, piece by piece, until the last piece is small enough to come with the watch itself. Returns the revision
 * from which to watch, or -1 when the watcher has gone meanwhile. Throws Compacted.
 */
async function deliverPast(
  { store }: RegistryCore,
  { kind, selection, after }: Watched & { after: number },
  receiver: WatchReceiver,
): Promise<number> {
  for (;;) {
    const events = firstPiece(store.changesAfter(selection.prefix, after, pieceSize));
    if (events === undefined) return after;
    deliver(selection, kind.translation === null ? events : await eventsInVersion(kind, events), receiver);
    after = events.at(-1)!.entry.revision;
    if (!(await receiver.ready())) return -1;
  }
}

/** As many of the events as are handed over at once; undefined when these are all, and few. */
function firstPiece(events: readonly StoreEvent[]): readonly StoreEvent[] | undefined {
  let bytes = 0;
  for (let i = 0; i < events.length; i++) {
    bytes += events[i]!.entry.wire.length;
    if (bytes >= pieceBytes) return events.slice(0, i + 1);
  }
  return events.length < pieceSize ? undefined : events;
}

function deliver(selection: Selection, events: readonly StoreEvent[], receiver: WatchReceiver): void {
  const out: SeenEvent[] = [];
  for (const event of events) {
    const seen = see(selection, event);
    if (seen !== undefined) out.push(seen);
  }
  if (out.length > 0) receiver.onEvents(out);
}

function see(selection: Selection, event: StoreEvent): SeenEvent | undefined {
  const { entry, previous } = event;
  if (selection.test === null) {
    return {
      type: event.type === 'delete' ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED',
      entry,
    };
  }
  const before = previous !== undefined && selection.test(objectOf(previous));
  if (event.type === 'delete') return before ? { type: 'DELETED', entry } : undefined;
  const now = selection.test(objectOf(entry));
  if (now) return { type: before ? 'MODIFIED' : 'ADDED', entry };
  // It left the selection: watchers get the state that last matched them, with the revision of this change.
  return before ? { type: 'DELETED', entry: atRevision(previous!, entry.revision) } : undefined;
}

const atRevision = (entry: Entry, revision: number): Entry =>
  new Entry(entry.key, respliceRevision(entry.wire, revision), revision);
