// For the tests of scheduler plugins: a cluster in memory and what plugins watch besides it, changed by hand.
import { FakeClock } from '../base/index.ts';
import type { ChangeHandlers, Client } from '../client/index.ts';
import { type KindDef, type KubeObject, keyOf } from '../machinery/index.ts';
import {
  ClusterCache,
  fits,
  type NodeInfo,
  type Plugin,
  type PluginContext,
  type PodInfo,
  PodRefusal,
  reasonText,
} from '../scheduler/index.ts';

export class PluginFixture {
  readonly cluster = new ClusterCache();
  readonly clock = new FakeClock();
  readonly #objects = new Map<string, KubeObject>();
  readonly #handlers: { readonly kind: KindDef; readonly handlers: ChangeHandlers<KubeObject> }[] = [];
  readonly context: PluginContext;
  /** What plugins do in the background. */
  readonly tasks: Promise<void>[] = [];

  /** `client` is only needed by plugins that act. */
  constructor(objects: readonly KubeObject[] = [], client?: Client) {
    for (const object of objects) this.set(object);
    const of = (kind: KindDef) =>
      [...this.#objects.values()].filter((o) => o.kind === kind.kind && o.apiVersion === kind.apiVersion);
    this.context = {
      cluster: this.cluster,
      clock: this.clock,
      background: (_, task) => {
        this.tasks.push(task(new AbortController().signal));
      },
      client:
        client ??
        ((() => {
          throw new Error('this fixture has no client');
        }) as unknown as Client),
      watch: <T extends KubeObject>(kind: KindDef<T>) => ({
        get: (key: string) => this.#objects.get(`${kind.apiVersion} ${kind.kind} ${key}`) as T | undefined,
        list: (namespace?: string) =>
          of(kind).filter((o) => namespace === undefined || o.metadata.namespace === namespace) as T[],
        byIndex: (index: string, value: string) =>
          (of(kind) as T[]).filter((object) => kind.indexes[index]!(object).includes(value)),
        onChange: (handlers: ChangeHandlers<T>) => {
          this.#handlers.push({ kind, handlers: handlers as ChangeHandlers<KubeObject> });
          for (const object of of(kind)) handlers.added?.(object as T);
        },
      }),
    };
  }

  /** An object is new or has changed. */
  set(object: KubeObject): void {
    const id = `${object.apiVersion} ${object.kind} ${keyOf(object)}`;
    const old = this.#objects.get(id);
    this.#objects.set(id, object);
    for (const handlers of this.#of(object))
      if (old === undefined) handlers.added?.(object);
      else handlers.updated?.(old, object);
  }

  delete(object: KubeObject): void {
    this.#objects.delete(`${object.apiVersion} ${object.kind} ${keyOf(object)}`);
    for (const handlers of this.#of(object)) handlers.deleted?.(object);
  }

  #of(object: KubeObject): readonly ChangeHandlers<KubeObject>[] {
    return this.#handlers
      .filter(({ kind }) => kind.kind === object.kind && kind.apiVersion === object.apiVersion)
      .map(({ handlers }) => handlers);
  }
}

/** The reasons against the node; none = fits; undefined = the plugin does not matter to the pod; a text = it refuses the pod. */
export function refusalsOf<S>(
  plugin: Plugin<S>,
  pod: PodInfo,
  node: NodeInfo,
): readonly string[] | string | undefined {
  const state = plugin.preFilter(pod, [node]);
  if (state === undefined) return undefined;
  if (state instanceof PodRefusal) return state.message;
  const refusal = (plugin.skipFilter?.(state) ?? false) ? fits : plugin.filter!(state, node);
  if (refusal === fits) return [];
  return plugin.explain === null ? [reasonText(plugin.reasons[refusal]!)] : plugin.explain(state, node);
}
