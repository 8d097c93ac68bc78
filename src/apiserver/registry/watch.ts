// Watch: store events turned into what a watcher with selectors sees. A change that makes an object match is ADDED, one that
// makes it stop matching is DELETED. The encoding of events is the caller's. HOT: bench/watch.ts.
import { expired } from '../../machinery/index.ts';
import { Compacted, Entry, respliceRevision, type StoreEvent } from '../../storage/index.ts';
import { type Place, parseRevision, type RegistryCore } from './core.ts';
import { waitForFreshness } from './list.ts';
import { objectOf } from './objects.ts';
import { type Selection, select, selected } from './selection.ts';

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
  onEvents(events: readonly SeenEvent[]): void;
  /** The present state has been delivered, as of this revision (only with sendInitialEvents). */
  onInitialEnd(revision: number): void;
  /** History is gone: 410, the watcher must list again. */
  onLost(): void;
}

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
  let start = from;
  if (initial) {
    start = core.store.revision;
    const present: SeenEvent[] = [];
    for (const entry of core.store.list(selection.prefix))
      if (selected(selection, entry)) present.push({ type: 'ADDED', entry });
    if (present.length > 0) receiver.onEvents(present);
    if (options.sendInitialEvents === true) receiver.onInitialEnd(start);
  }
  try {
    return core.store.watch(selection.prefix, initial ? start : from === 0 ? core.store.revision : start, {
      onEvents: (events) => deliver(selection, events, receiver),
      onLost: () => receiver.onLost(),
    });
  } catch (error) {
    if (error instanceof Compacted)
      throw expired(`too old resource version: ${from} (${core.store.oldestRevision})`);
    throw error;
  }
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
