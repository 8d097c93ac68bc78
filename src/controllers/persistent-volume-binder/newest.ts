// A cache and one's own writes on top of it, until the cache has them: several keys are decided side by side, and what was written for
// one must be seen by the next. A write that the cache never shows is refused by its revision, so that this saves work and no more.
import type { Informer } from '../../client/index.ts';
import { type KubeObject, keyOf } from '../../machinery/index.ts';

export class Newest<T extends KubeObject> {
  readonly #informer: Informer<T>;
  readonly #written = new Map<string, { readonly object: T; readonly revision: number }>();

  constructor(informer: Informer<T>) {
    this.#informer = informer;
  }

  get(key: string): T | undefined {
    const written = this.#written.get(key);
    if (written !== undefined) {
      if (this.#informer.revision < written.revision) return written.object;
      this.#written.delete(key);
    }
    return this.#informer.get(key);
  }

  /** As the index of the cache finds them, each as it is by now. */
  *byIndex(index: string, value: string): Iterable<T> {
    for (const found of this.#informer.byIndex(index, value)) {
      const object = this.#written.size === 0 ? found : this.get(keyOf(found));
      if (object !== undefined) yield object;
    }
  }

  /** Returns it. */
  note(object: T): T {
    this.#written.set(keyOf(object), { object, revision: Number(object.metadata.resourceVersion) });
    return object;
  }
}
