// The typed client: `client(Pod).list({ namespace })`. A thin face over a Transport; it holds no state.
import type { Draft, KindDef, KubeObject } from '../machinery/index.ts';
import type {
  DeleteOptions,
  ListQuery,
  ListResult,
  PatchType,
  Target,
  Transport,
  WatchQuery,
  WatchSink,
  WriteOptions,
} from './transport.ts';

export interface ResourceClient<T extends KubeObject> {
  get(name: string, namespace?: string): Promise<T>;
  list(query?: ListQuery & { namespace?: string | undefined }): Promise<ListResult<T>>;
  watch(
    query: WatchQuery & { namespace?: string | undefined },
    sink: WatchSink<T>,
    signal: AbortSignal,
  ): void;
  /** Namespace and name come from the object's metadata. The object belongs to the client afterwards. */
  create(object: Draft<T>, options?: WriteOptions): Promise<T>;
  update(object: T, options?: WriteOptions): Promise<T>;
  updateStatus(object: T, options?: WriteOptions): Promise<T>;
  patch(
    at: { name: string; namespace?: string | undefined; subresource?: string },
    type: PatchType,
    patch: unknown,
    options?: WriteOptions & { force?: boolean },
  ): Promise<T>;
  delete(name: string, namespace?: string, options?: DeleteOptions): Promise<KubeObject>;
  deleteCollection(
    query: ListQuery & { namespace?: string | undefined },
    options?: DeleteOptions,
  ): Promise<void>;
  /** POST to a subresource whose body is of another kind: binding, eviction, token. */
  createSub(
    at: { name: string; namespace?: string | undefined; subresource: string },
    body: unknown,
  ): Promise<KubeObject>;
}

export interface Client {
  <T extends KubeObject>(kind: KindDef<T>): ResourceClient<T>;
  readonly transport: Transport;
}

/** `fieldManager`: who owns what this client writes, unless a call says otherwise. */
export function createClient(transport: Transport, fieldManager?: string): Client {
  const made = new Map<KindDef, ResourceClient<KubeObject>>();
  const client = (kind: KindDef): ResourceClient<KubeObject> => {
    let found = made.get(kind);
    if (found === undefined) {
      found = resourceClient(transport, kind, fieldManager);
      made.set(kind, found);
    }
    return found;
  };
  return Object.assign(client, { transport }) as unknown as Client;
}

function resourceClient(
  transport: Transport,
  kind: KindDef,
  fieldManager: string | undefined,
): ResourceClient<KubeObject> {
  const own: WriteOptions = fieldManager === undefined ? {} : { fieldManager };
  const target = (namespace: string | undefined, name: string, subresource = ''): Target => ({
    kind,
    namespace,
    name,
    subresource,
  });
  const typed = (object: Draft<KubeObject>) => ({ ...object, apiVersion: kind.apiVersion, kind: kind.kind });
  return {
    get: (name, namespace) => transport.get(target(namespace, name)),
    list: ({ namespace, ...query } = {}) => transport.list(target(namespace, ''), query),
    watch: ({ namespace, ...query }, sink, signal) =>
      transport.watch(target(namespace, ''), query, sink, signal),
    create: (object, options = own) =>
      transport.create(target(object.metadata.namespace, ''), typed(object), options),
    update: (object, options = own) =>
      transport.update(target(object.metadata.namespace, object.metadata.name), typed(object), options),
    updateStatus: (object, options = own) =>
      transport.update(
        target(object.metadata.namespace, object.metadata.name, 'status'),
        typed(object),
        options,
      ),
    patch: (at, type, patch, options = own) =>
      transport.patch(target(at.namespace, at.name, at.subresource ?? ''), type, patch, options),
    delete: (name, namespace, options = {}) => transport.delete(target(namespace, name), options),
    deleteCollection: ({ namespace, ...query }, options = {}) =>
      transport.deleteCollection(target(namespace, ''), query, options),
    createSub: (at, body) => transport.create(target(at.namespace, at.name, at.subresource), body, own),
  };
}
