// What a controller is: a kind it reconciles, what else wakes it, and a function that moves one object one step towards its
// spec. Everything that repeats between controllers (queue, retries, informers, waiting for one's own writes) is in runner.ts.
import type { Clock, Log, Random } from '../../base/index.ts';
import type { Client, EventType, Informer, Lister, Selection } from '../../client/index.ts';
import { controllerOf, type KindDef, type KubeObject } from '../../machinery/index.ts';

export interface ControllerContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Notes what it writes: a key is not run again before the controller's informers show the writes of its last run. */
  readonly client: Client;
  /** Memory only. Everything asked for during `build` has synced before the first reconcile. */
  lister<T extends KubeObject>(kind: KindDef<T>, selection?: Selection): Lister<T>;
  informer<T extends KubeObject>(kind: KindDef<T>, selection?: Selection): Informer<T>;
  /** Records an Event about `object`. Returns at once, never throws. */
  event(object: KubeObject, type: EventType, reason: string, message: string): void;
  enqueue(key: string): void;
  enqueueAfter(key: string, delayMs: number): void;
  /** When the monotonic time that `dueMs` gives has come; asked again then, so that it may move on meanwhile (WorkQueue.addAt). */
  enqueueAt(key: string, dueMs: () => number): void;
}

export interface ReconcileResult {
  /** Run the key again after this long, even if nothing changes. */
  readonly requeueAfterMs: number;
}

/**
 * Level-based: it is told which object, never what happened to it. Never called twice at once for the same key. Returns when
 * done for now; throws to be run again after a growing delay; throws TerminalError to wait for the next change. The signal
 * aborts when the controller stops: check it between writes.
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult | void>;

/** Trying again cannot help until somebody changes the object. */
export class TerminalError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TerminalError';
  }
}

/** A kind whose changes wake the controller, and for which keys. Made by `owns` and `maps`. */
export interface Watch {
  readonly kind: KindDef;
  readonly selection: Selection;
  /** Called for the old and the new state of a change. Synchronous, from memory, must not throw. */
  keysFor(object: KubeObject, reconciles: KindDef, lister: ControllerContext['lister']): readonly string[];
  /** Which updates matter; null = all. */
  readonly when: ((old: KubeObject, object: KubeObject) => boolean) | null;
}

export interface WatchOptions<T> {
  readonly selection?: Selection;
  readonly when?: (old: T, object: T) => boolean;
}

/** Changes of what the reconciled object manages (by its controller owner reference) wake the owner. */
export function owns<T extends KubeObject>(kind: KindDef<T>, options: WatchOptions<T> = {}): Watch {
  return watch(kind, options, (object, reconciles) => {
    const owner = controllerOf(object);
    if (
      owner === undefined ||
      owner.kind !== reconciles.kind ||
      groupOf(owner.apiVersion) !== reconciles.group
    )
      return [];
    return [reconciles.scope === 'Namespaced' ? `${object.metadata.namespace}/${owner.name}` : owner.name];
  });
}

/** Changes of this kind wake the keys that `keysFor` gives, for the old state and the new one. */
export function maps<T extends KubeObject>(
  kind: KindDef<T>,
  keysFor: (object: T, lister: ControllerContext['lister']) => readonly string[],
  options: WatchOptions<T> = {},
): Watch {
  return watch(kind, options, (object, _reconciles, lister) => keysFor(object as T, lister));
}

function watch<T extends KubeObject>(
  kind: KindDef<T>,
  options: WatchOptions<T>,
  keysFor: Watch['keysFor'],
): Watch {
  return {
    kind: kind as unknown as KindDef,
    selection: options.selection ?? {},
    keysFor,
    when: (options.when as Watch['when'] | undefined) ?? null,
  };
}

const groupOf = (apiVersion: string): string => {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
};

export interface ControllerInput<T extends KubeObject> {
  /** As in logs and metrics, e.g. `replicaset`. */
  readonly name: string;
  /** Who its events come from. Default `NAME-controller`. */
  readonly component?: string;
  /** Its keys are the queue's keys; each of its changes wakes its own key. */
  readonly reconciles: KindDef<T>;
  /** Which updates of the reconciled kind matter; default all. */
  readonly when?: (old: T, object: T) => boolean;
  readonly watches?: readonly Watch[];
  /** How many keys are worked on at once. Default 1. */
  readonly concurrency?: number;
  /** The longest delay between retries of a key. Default 1000 s. */
  readonly retryMaxMs?: number;
  /** Called once, before the informers have synced: take what is needed, read nothing yet. */
  build(context: ControllerContext): Reconcile;
}

export interface Controller {
  readonly name: string;
  readonly component: string;
  readonly reconciles: KindDef;
  readonly when: ((old: KubeObject, object: KubeObject) => boolean) | null;
  readonly watches: readonly Watch[];
  readonly concurrency: number;
  readonly retryMaxMs: number;
  build(context: ControllerContext): Reconcile;
}

export function defineController<T extends KubeObject>(input: ControllerInput<T>): Controller {
  return {
    name: input.name,
    component: input.component ?? `${input.name}-controller`,
    reconciles: input.reconciles as unknown as KindDef,
    when: (input.when as Controller['when'] | undefined) ?? null,
    watches: input.watches ?? [],
    concurrency: input.concurrency ?? 1,
    retryMaxMs: input.retryMaxMs ?? 1_000_000,
    build: (context) => input.build(context),
  };
}
