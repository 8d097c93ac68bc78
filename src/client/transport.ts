// The seam between a client and a server: one call per verb of the API, in objects. Two implementations: the API server's
// in-process one (no serialisation, shared frozen objects) and HTTPS (https-transport.ts). Which one is used is decided in
// `app` and nowhere else.
import type { KindDef, KubeObject } from '../machinery/index.ts';

export interface Target {
  readonly kind: KindDef;
  /** undefined = cluster-scoped, or all namespaces for list, watch and deletecollection */
  readonly namespace: string | undefined;
  /** '' for calls on the collection */
  readonly name: string;
  /** '' = the object itself; else status, scale, binding, eviction … */
  readonly subresource: string;
}

export interface ListQuery {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Only for custom metrics: chooses among the series of one name. */
  readonly metricLabelSelector?: string | undefined;
  /** undefined = newest (linearizable); '0' = whatever the cache has */
  readonly resourceVersion?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
}

export interface ListResult<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly continue: string | undefined;
}

export interface WatchQuery {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Changes after it. undefined = first ADDED for everything there is */
  readonly resourceVersion?: string | undefined;
  readonly allowBookmarks?: boolean | undefined;
}

export type WatchEvent<T = KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface WatchSink<T = KubeObject> {
  /** Events in order, possibly several at once. Synchronous; must not throw. */
  onEvents(events: readonly WatchEvent<T>[]): void;
  /** Called once. undefined = ended normally (time out, server stop): watch again from the last revision. */
  onEnd(error: unknown): void;
}

export interface WriteOptions {
  readonly dryRun?: boolean | undefined;
  readonly fieldManager?: string | undefined;
}

export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export interface DeleteOptions extends WriteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground' | undefined;
  readonly preconditions?: Preconditions | undefined;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

/** A resource as discovery tells of it; below another one it is called `pods/log`. */
export interface ApiResource {
  readonly name: string;
  readonly namespaced: boolean;
  readonly kind: string;
  readonly verbs: readonly string[];
}

/**
 * Objects handed in belong to the transport afterwards: do not touch them again. Objects handed out are shared: do not
 * change them. Every failure is a StatusError, or an Error with a code of its own when no server answered.
 */
export interface Transport {
  get(target: Target, options?: { resourceVersion?: string }): Promise<KubeObject>;
  list(target: Target, query: ListQuery): Promise<ListResult<KubeObject>>;
  /** Starts at once; ends with `onEnd`, or silently when the signal aborts. */
  watch(target: Target, query: WatchQuery, sink: WatchSink, signal: AbortSignal): void;
  create(target: Target, object: unknown, options: WriteOptions): Promise<KubeObject>;
  update(target: Target, object: unknown, options: WriteOptions): Promise<KubeObject>;
  patch(
    target: Target,
    type: PatchType,
    patch: unknown,
    options: WriteOptions & { force?: boolean },
  ): Promise<KubeObject>;
  delete(target: Target, options: DeleteOptions): Promise<KubeObject>;
  deleteCollection(target: Target, query: ListQuery, options: DeleteOptions): Promise<void>;
  /** What there is in a version of a group, asked of whoever answers for it. */
  resources(at: { readonly group: string; readonly version: string }): Promise<readonly ApiResource[]>;
  close(): Promise<void>;
}
