// A transport whose objects are the caller's own. Inside the program objects are shared and nobody changes them; a program that
// only uses the library need not know that.
import type { ListResult, Transport, WatchEvent } from '../client/index.ts';
import type { KubeObject } from '../machinery/index.ts';

/** Objects handed in may be used again, objects handed out may be changed. */
export function copyingTransport(inner: Transport): Transport {
  const own = async <T>(answer: Promise<T>): Promise<T> => structuredClone(await answer);
  const ownEvent = (event: WatchEvent): WatchEvent =>
    event.type === 'BOOKMARK' ? event : { type: event.type, object: structuredClone(event.object) };
  return {
    get: (target, options) => own(inner.get(target, options)),
    list: (target, query) => own<ListResult<KubeObject>>(inner.list(target, query)),
    watch: (target, query, sink, signal) =>
      inner.watch(
        target,
        query,
        { onEvents: (events) => sink.onEvents(events.map(ownEvent)), onEnd: (error) => sink.onEnd(error) },
        signal,
      ),
    create: (target, object, options) => own(inner.create(target, structuredClone(object), options)),
    update: (target, object, options) => own(inner.update(target, structuredClone(object), options)),
    patch: (target, type, patch, options) => own(inner.patch(target, type, structuredClone(patch), options)),
    delete: (target, options) => own(inner.delete(target, options)),
    deleteCollection: (target, query, options) => inner.deleteCollection(target, query, options),
    resources: (at) => inner.resources(at),
    close: () => inner.close(),
  };
}
