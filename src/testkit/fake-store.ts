// The objects of the fake transport, by the keys of the real store: what is written gets a revision, is frozen, and is told to whoever
// watches.
import type { Target } from '../client/index.ts';
import { type KindDef, type KubeObject, notFound, storageKey } from '../machinery/index.ts';
import { deepFreeze } from './fake-objects.ts';
import type { FakeWatches } from './fake-watches.ts';

export const refOf = (kind: KindDef) => ({ group: kind.group, resource: kind.plural });

const keyOfTarget = ({ kind, namespace, name }: Target): string => storageKey(kind, { namespace, name });

const prefixOf = ({ kind, namespace }: Target): string =>
  kind.scope === 'Namespaced' && namespace !== undefined
    ? `${kind.storagePrefix}${namespace}/`
    : kind.storagePrefix;

/** The answer to what has no object to answer with. */
export const success = (): KubeObject =>
  deepFreeze({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' }) as unknown as KubeObject;

export class FakeStore {
  readonly #objects = new Map<string, KubeObject>();
  readonly #watches: FakeWatches;
  #revision = 1;

  constructor(watches: FakeWatches) {
    this.#watches = watches;
  }

  /** Of the last write. */
  get revision(): number {
    return this.#revision;
  }

  has(kind: KindDef, metadata: KubeObject['metadata']): boolean {
    return this.#objects.has(storageKey(kind, metadata));
  }

  /** Throws notFound. */
  require(target: Target): KubeObject {
    const object = this.#objects.get(keyOfTarget(target));
    if (object === undefined) throw notFound(refOf(target.kind), target.name);
    return object;
  }

  /** Those of the target's kind and namespace, each with its key. A copy: it may be written meanwhile. */
  under(target: Target): [key: string, object: KubeObject][] {
    const prefix = prefixOf(target);
    return [...this.#objects].filter(([key]) => key.startsWith(prefix));
  }

  /** Freezes the object, which is the caller's no longer. */
  commit(kind: KindDef, object: KubeObject): KubeObject {
    const key = storageKey(kind, object.metadata);
    const previous = this.#objects.get(key);
    object.metadata.resourceVersion = String(++this.#revision);
    deepFreeze(object);
    this.#objects.set(key, object);
    this.#watches.publish({
      type: 'put',
      revision: this.#revision,
      prefix: kind.storagePrefix,
      object,
      previous,
    });
    return object;
  }

  /** `last` is the object as it was when it went. What a deletion is answered with. */
  remove(kind: KindDef, last: KubeObject): KubeObject {
    const key = storageKey(kind, last.metadata);
    const previous = this.#objects.get(key)!;
    this.#objects.delete(key);
    last.metadata.resourceVersion = String(++this.#revision);
    deepFreeze(last);
    this.#watches.publish({
      type: 'delete',
      revision: this.#revision,
      prefix: kind.storagePrefix,
      object: last,
      previous,
    });
    return kind.returnsDeleted ? previous : success();
  }
}
