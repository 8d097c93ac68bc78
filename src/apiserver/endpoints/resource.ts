// Requests for objects: from method, path and query to one call of the registry, and its answer to bytes.
import type { Clock } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import {
  badRequest,
  type KindDef,
  methodNotSupported,
  StatusError,
  type Verb,
} from '../../machinery/index.ts';
import type { UserInfo } from '../auth/attributes.ts';
import type { CallContext } from '../registry/context.ts';
import { answer, type Place, type RegistryCore, refOf, requireEntry } from '../registry/core.ts';
import { create } from '../registry/create.ts';
import type { Body } from '../registry/decode.ts';
import { remove } from '../registry/delete.ts';
import { removeCollection } from '../registry/delete-collection.ts';
import { list } from '../registry/list.ts';
import { type PatchType, patch } from '../registry/patch.ts';
import { update } from '../registry/update.ts';
import { watch } from '../registry/watch.ts';
import { findSubresource } from '../subresources/all.ts';
import { wantedForm } from './media.ts';
import { dryRun, fieldManager, fieldValidation, flag, integer, type Query, text } from './query.ts';
import { type DeleteBody, readDeleteOptions, readObject, readPatch } from './request-body.ts';
import { addWarnings, type Printing, sendAnswer, sendList } from './respond.ts';
import type { ResourceRoute } from './route.ts';
import type { IncludeObject } from './table.ts';
import { WatchStream } from './watch-stream.ts';

/** Watches without a timeout of their own end after 30 to 60 minutes, so that clients spread over servers again. */
const defaultWatchTimeoutMs = 30 * 60_000;

export interface ResourceEnvironment {
  readonly core: RegistryCore;
  readonly clock: Clock;
  /** A value in [0, 1) that spreads the ends of watches. */
  readonly jitter: () => number;
}

export interface ResourceRequest {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly kind: KindDef;
  readonly route: ResourceRoute;
  readonly query: Query;
  readonly verb: Verb;
  readonly user: UserInfo;
}

/** The API verb of a request, as authorisation and the registry know it. undefined = the method means nothing here. */
export function verbOf(method: string, route: ResourceRoute, query: Query): Verb | undefined {
  const collection = route.name === '';
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (route.legacyWatch) return 'watch';
      if (collection || (route.subresource === '' && flag(query, 'watch') === true))
        return flag(query, 'watch') === true ? 'watch' : 'list';
      return 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return collection ? undefined : 'update';
    case 'PATCH':
      return collection ? undefined : 'patch';
    case 'DELETE':
      return collection ? 'deletecollection' : 'delete';
    default:
      return undefined;
  }
}

/** Serves one request for a known kind. Rejects with what `sendError` turns into an answer. */
export async function serveResource(env: ResourceEnvironment, call: ResourceRequest): Promise<void> {
  const { route, kind, verb } = call;
  if (
    kind.scope === 'Namespaced' &&
    route.namespace === undefined &&
    (route.name !== '' || verb === 'create' || verb === 'deletecollection') &&
    !route.legacyWatch
  ) {
    throw verb === 'create'
      ? methodNotSupported(refOf(kind), 'the POST of a namespaced resource without a namespace')
      : notFoundPath();
  }
  if (route.subresource !== '') return serveSubresource(env, call);
  if (!kind.verbs.includes(verb)) throw methodNotSupported(refOf(kind), verb);
  switch (verb) {
    case 'get':
      return serveGet(env, call);
    case 'list':
      return serveList(env, call);
    case 'watch':
      return serveWatch(env, call);
    case 'deletecollection':
      return serveDeleteCollection(env, call);
    default:
      return serveWrite(env, call);
  }
}

const notFoundPath = () =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});

const placeOf = ({ kind, route }: ResourceRequest): Place => ({
  kind,
  namespace: kind.scope === 'Namespaced' ? route.namespace : undefined,
  name: route.name,
});

function contextOf({ request, query, user }: ResourceRequest): CallContext {
  return {
    user,
    dryRun: dryRun(query),
    fieldManager: fieldManager(query, request.headers['user-agent']),
    fieldValidation: fieldValidation(query),
    warnings: [],
  };
}

function includeOf(query: Query): IncludeObject {
  const value = query.get('includeObject');
  if (value === null || value === '' || value === 'Metadata') return 'Metadata';
  if (value === 'None' || value === 'Object') return value;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(value)}`);
}

const printing = (env: ResourceEnvironment, query: Query): Printing => ({
  clock: env.clock,
  include: includeOf(query),
  nowMs: env.clock.nowMs(),
});

async function serveGet(env: ResourceEnvironment, call: ResourceRequest): Promise<void> {
  const { request, response, kind, query } = call;
  const wanted = wantedForm(request.headers.accept, kind);
  // A read of one object is linearizable unless it names a version it is content with.
  if (query.get('resourceVersion') === null) await env.core.store.catchUp();
  sendAnswer(
    request,
    response,
    kind,
    answer(kind, requireEntry(env.core, placeOf(call))),
    wanted,
    printing(env, query),
  );
}

const selectors = (query: Query, route: ResourceRoute) => {
  const fields = text(query, 'fieldSelector');
  const name = route.name === '' ? undefined : `metadata.name=${route.name}`;
  return {
    labelSelector: text(query, 'labelSelector'),
    fieldSelector:
      name === undefined ? fields : fields === undefined || fields === '' ? name : `${fields},${name}`,
  };
};

async function serveList(env: ResourceEnvironment, call: ResourceRequest): Promise<void> {
  const { request, response, kind, query, route } = call;
  const wanted = wantedForm(request.headers.accept, kind);
  const result = await list(env.core, placeOf(call), {
    ...selectors(query, route),
    resourceVersion: text(query, 'resourceVersion'),
    resourceVersionMatch: text(query, 'resourceVersionMatch'),
    limit: integer(query, 'limit'),
    continue: text(query, 'continue'),
  });
  await sendList(request, response, kind, result, wanted, printing(env, query));
}

async function serveWatch(env: ResourceEnvironment, call: ResourceRequest): Promise<void> {
  const { request, response, kind, query, route } = call;
  const wanted = wantedForm(request.headers.accept, kind);
  const timeoutSeconds = integer(query, 'timeoutSeconds');
  const sendInitialEvents = flag(query, 'sendInitialEvents');
  checkWatchOptions(query, sendInitialEvents);
  const stream = new WatchStream(response, {
    kind,
    wanted,
    include: includeOf(query),
    bookmarks: flag(query, 'allowWatchBookmarks') ?? false,
    timeoutMs:
      timeoutSeconds === undefined || timeoutSeconds === 0
        ? defaultWatchTimeoutMs * (1 + env.jitter())
        : timeoutSeconds * 1000,
    clock: env.clock,
    revision: () => env.core.store.revision,
  });
  const unsubscribe = await watch(
    env.core,
    placeOf(call),
    { ...selectors(query, route), resourceVersion: text(query, 'resourceVersion'), sendInitialEvents },
    stream,
  );
  stream.begin(unsubscribe);
}

function checkWatchOptions(query: Query, sendInitialEvents: boolean | undefined): void {
  const match = query.get('resourceVersionMatch');
  const fail = (message: string) => badRequest(`ListOptions.meta.k8s.io "" is invalid: ${message}`);
  if (sendInitialEvents === undefined) {
    if (match !== null && match !== '')
      throw fail(
        'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    return;
  }
  if (match !== 'NotOlderThan') {
    throw fail(
      'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    );
  }
  if (sendInitialEvents && flag(query, 'allowWatchBookmarks') !== true) {
    throw fail('sendInitialEvents: Forbidden: sendInitialEvents requires allowWatchBookmarks');
  }
}

async function serveDeleteCollection(env: ResourceEnvironment, call: ResourceRequest): Promise<void> {
  const { request, response, kind, query, route } = call;
  const options = await readDeleteOptions(call);
  const items = await removeCollection(
    env.core,
    placeOf(call),
    selectors(query, route),
    options,
    contextOfDelete(call, options),
  );
  await sendList(
    request,
    response,
    kind,
    { entries: items, revision: env.core.store.revision, continue: undefined, remaining: undefined },
    wantedForm(request.headers.accept, kind),
    printing(env, query),
  );
}

async function serveWrite(env: ResourceEnvironment, call: ResourceRequest): Promise<void> {
  const { request, response, kind, query, verb, route } = call;
  const wanted = wantedForm(request.headers.accept, kind);
  const at = placeOf(call);
  let result: Awaited<ReturnType<typeof create>>;
  let context: CallContext;
  if (verb === 'delete') {
    const options = await readDeleteOptions(call);
    context = contextOfDelete(call, options);
    result = await remove(env.core, at, options, context);
  } else {
    context = contextOf(call);
    if (verb === 'create') {
      if (route.name !== '') throw methodNotSupported(refOf(kind), 'POST to a named object');
      result = await create(env.core, at, await readObject(call, context), context);
    } else if (verb === 'update')
      result = await update(env.core, at, await readObject(call, context), context);
    else {
      const { type, body } = await readPatch(request, context);
      result = await patch(env.core, at, type, body, context);
    }
  }
  addWarnings(response, context.warnings);
  sendAnswer(request, response, kind, result, wanted, printing(env, query));
}

async function serveSubresource(env: ResourceEnvironment, call: ResourceRequest): Promise<void> {
  const { request, response, kind, verb, route, query } = call;
  const subresource = findSubresource(kind, route.subresource);
  if (subresource === undefined) throw notFoundPath();
  if (!subresource.verbs.includes(verb)) throw methodNotSupported(refOf(kind), verb);
  const wanted = wantedForm(request.headers.accept, kind);
  const context = contextOf(call);
  let body: Body = { value: undefined, duplicates: [] };
  let patchType: PatchType = 'merge';
  if (verb === 'patch') ({ type: patchType, body } = await readPatch(request, context));
  else if (verb !== 'get') body = await readObject(call, context);
  const at = placeOf(call);
  const result = await subresource.handle(env.core, {
    verb: verb as 'get' | 'create' | 'update' | 'patch',
    at,
    body,
    patchType,
    context,
  });
  addWarnings(response, context.warnings);
  sendAnswer(
    request,
    response,
    kind,
    result,
    result.entry === null ? { ...wanted, form: 'object' } : wanted,
    printing(env, query),
  );
}

function contextOfDelete(call: ResourceRequest, options: DeleteBody): CallContext {
  const context = contextOf(call);
  return (options.dryRun?.length ?? 0) > 0 ? { ...context, dryRun: true } : context;
}
