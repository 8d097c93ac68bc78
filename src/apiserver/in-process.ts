// The in-process Transport: the same registry, without HTTP and without encoding. Objects handed out are the cache's own.
import type { ListQuery, Target, Transport, WatchEvent, WriteOptions } from '../client/index.ts';
import { expired, type KindDef, type KubeObject, methodNotSupported } from '../machinery/index.ts';
import { listAnswered, readAnswered } from './answered/read.ts';
import { resourceList } from './endpoints/discovery.ts';
import { notFoundPath } from './endpoints/resource.ts';
import type { MetricsAsked } from './metrics-api/workload-metrics.ts';
import { noBody, type WriteCall } from './registry/call.ts';
import { internalContext } from './registry/context.ts';
import { answer, catchUp, type Place, type RegistryCore, refOf, requireEntry } from './registry/core.ts';
import { create } from './registry/create.ts';
import { remove } from './registry/delete.ts';
import { removeCollection } from './registry/delete-collection.ts';
import { list } from './registry/list.ts';
import { type Answer, objectOf } from './registry/objects.ts';
import { patch } from './registry/patch.ts';
import { inVersion } from './registry/translated.ts';
import { update } from './registry/update.ts';
import { watch } from './registry/watch.ts';
import { findSubresource } from './subresources/all.ts';
import type { Subresource, SubresourceCall } from './subresources/subresource.ts';

const objectFrom = (result: Answer): KubeObject => result.object ?? objectOf(result.entry!);

const placeOf = (target: Target): Place => ({
  kind: target.kind,
  namespace: target.namespace,
  name: target.name,
});

const metricsAsked = ({ kind, namespace, name, subresource }: Target, query: ListQuery): MetricsAsked => ({
  group: kind.group,
  version: kind.version,
  namespace,
  resource: kind.plural,
  name,
  subresource,
  labelSelector: query.labelSelector,
  metricLabelSelector: query.metricLabelSelector,
});

function subresourceOf(target: Target): Subresource {
  const found = findSubresource(target.kind, target.subresource);
  if (found === undefined) throw methodNotSupported(refOf(target.kind), target.subresource);
  return found;
}

const writeCall = (
  target: Target,
  value: unknown,
  options: WriteOptions & { force?: boolean },
): WriteCall => ({
  at: placeOf(target),
  body: { value, duplicates: [] },
  context: internalContext(options),
});

export function inProcessTransport(core: RegistryCore): Transport {
  // Who knows a custom resource by its definition alone comes with a kind of his own: the rules of writes are those of the one served.
  const served = ({ kind }: Target): KindDef =>
    core.kinds.byResource(kind.group, kind.version, kind.plural) ?? kind;
  const writtenTo = (target: Target): Target =>
    target.kind.schema.preserveUnknown ? { ...target, kind: served(target) } : target;
  const below = async (target: Target, call: SubresourceCall): Promise<KubeObject> => {
    const kind = served(target);
    return objectFrom(
      await subresourceOf({ ...target, kind }).handle(core, { ...call, at: { ...call.at, kind } }),
    );
  };
  return {
    async get(target) {
      const from = core.answered.get(target.kind);
      if (from !== undefined) return objectFrom(await readAnswered(core, from, placeOf(target)));
      if (core.store.shared) await catchUp(core);
      if (target.subresource === '')
        return objectFrom(
          answer(target.kind, await inVersion(target.kind, requireEntry(core, placeOf(target)))),
        );
      return below(target, {
        verb: 'get',
        at: placeOf(target),
        body: noBody,
        patchType: 'merge',
        context: internalContext(),
      });
    },

    async list(target, query) {
      const measured = core.workloadMetrics.list(metricsAsked(target, query));
      if (measured !== undefined)
        return {
          items: measured as readonly unknown[] as KubeObject[],
          resourceVersion: '',
          continue: undefined,
        };
      const from = core.answered.get(target.kind);
      const result =
        from === undefined
          ? await list(core, target, query)
          : await listAnswered(core, from, { ...query, namespace: target.namespace });
      const items = result.entries.map((entry) => objectFrom(answer(target.kind, entry)));
      return { items, resourceVersion: String(result.revision), continue: result.continue };
    },

    watch(target, query, sink, signal) {
      if (signal.aborted) return;
      let lost = false;
      let unsubscribe: (() => void) | undefined;
      const end = (error: unknown) => {
        if (lost || signal.aborted) return;
        lost = true;
        unsubscribe?.();
        sink.onEnd(error);
      };
      watch(core, target, query, {
        keepsObjects: true,
        onEvents(events) {
          if (lost || signal.aborted) return;
          const seen: WatchEvent[] = events.map(({ type, entry }) => ({
            type,
            object: objectFrom(answer(target.kind, entry)),
          }));
          sink.onEvents(seen);
        },
        onInitialEnd() {},
        onLost: () => end(expired('The resourceVersion for the provided watch is too old.')),
        onFailed: end,
        onHeld() {},
        ready: () => !lost && !signal.aborted,
      }).then(
        (stop) => {
          unsubscribe = stop;
          if (lost || signal.aborted) stop();
          else signal.addEventListener('abort', stop, { once: true });
        },
        (error: unknown) => end(error),
      );
    },

    async create(target, object, options) {
      const call = writeCall(target, object, options);
      if (target.subresource !== '') return below(target, { ...call, verb: 'create', patchType: 'merge' });
      const made = core.answered.get(target.kind)?.create ?? create;
      return objectFrom(await made(core, call));
    },

    async update(target, object, options) {
      const call = writeCall(writtenTo(target), object, options);
      if (target.subresource !== '') return below(target, { ...call, verb: 'update', patchType: 'merge' });
      return objectFrom(await update(core, call));
    },

    async patch(target, type, value, options) {
      const call = writeCall(writtenTo(target), value, options);
      if (target.subresource !== '') return below(target, { ...call, verb: 'patch', patchType: type });
      return objectFrom(await patch(core, { ...call, type }));
    },

    async delete(target, options) {
      return objectFrom(
        await remove(core, { at: placeOf(target), options, context: internalContext(options) }),
      );
    },

    async deleteCollection(target, query, options) {
      await removeCollection(core, { at: target, query, options, context: internalContext(options) });
    },

    async resources({ group, version }) {
      const list = resourceList(core.kinds, group, version);
      if (list === undefined) throw notFoundPath();
      return list.resources;
    },

    async close() {},
  };
}
