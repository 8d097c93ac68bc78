// Requests for objects: from method, path and query to one call of the registry, and its answer to bytes.
import type { Clock } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { badRequest, isExpired, type KindDef, StatusError, type Verb } from '../../machinery/index.ts';
import { listAnswered, readAnswered } from '../answered/read.ts';
import type { UserInfo } from '../auth/attributes.ts';
import { type Body, noBody } from '../registry/call.ts';
import type { CallContext } from '../registry/context.ts';
import { answer, type Place, type RegistryCore, requireEntry } from '../registry/core.ts';
import { create } from '../registry/create.ts';
import { remove } from '../registry/delete.ts';
import { removeCollection } from '../registry/delete-collection.ts';
import { type ListOptions, list, waitForFreshness } from '../registry/list.ts';
import type { Answer } from '../registry/objects.ts';
import { type PatchType, patch } from '../registry/patch.ts';
import { inVersion } from '../registry/translated.ts';
import { update } from '../registry/update.ts';
import { watch } from '../registry/watch.ts';
import { findSubresource } from '../subresources/all.ts';
import type { SubresourceCall } from '../subresources/subresource.ts';
import type { Lasting } from './lasting.ts';
import { checkListOptions, checkWatchOptions } from './list-options.ts';
import { wantedForm, watchedForm } from './media.ts';
import { methodNotAllowed } from './method-not-allowed.ts';
import type { ApiMetrics } from './metrics.ts';
import { flag, integer, managerFromUserAgent, type Query, text, writeParameters } from './query.ts';
import { patchTypeOf, readDeleteOptions, readObject, readPatch } from './request-body.ts';
import { addWarnings, type Printing, sendAnswer, sendList } from './respond.ts';
import type { ResourceRoute } from './route.ts';
import type { IncludeObject } from './table.ts';
import { WatchStream } from './watch-stream.ts';

export interface ResourceEnvironment {
  readonly core: RegistryCore;
  readonly clock: Clock;
  /** A value in [0, 1) that spreads the ends of watches. */
  readonly jitter: () => number;
  /**
   * Watches without a timeout of their own end after this time or up to twice of it, so that clients spread over servers
   * again. 0 = never.
   */
  readonly minRequestTimeoutMs: number;
  readonly lasting: Lasting;
  readonly metrics: ApiMetrics;
}

export interface ResourceRequest {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly kind: KindDef;
  readonly route: ResourceRoute;
  readonly query: Query;
  readonly verb: Verb;
  readonly user: UserInfo;
  /** Throws when the user may not create the object that the route names. */
  readonly authorizeCreate: () => void;
}

/** The API verb of a request, as authorisation and the registry know it. undefined = the method means nothing here. */
export function verbOf(method: string, route: ResourceRoute, query: Query): Verb | undefined {
  const collection = route.name === '';
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (route.legacyWatch) return 'watch';
      if (!collection) return 'get';
      return flag(query, 'watch') === true ? 'watch' : 'list';
    case 'POST':
      return collection || route.subresource !== '' ? 'create' : undefined;
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

/**
 * Serves one request for a known kind. Resolves to the bytes of the answer's body when it is on its way; a watch goes on (0). Rejects
 * with what `sendError` turns into an answer.
 */
export async function serveResource(env: ResourceEnvironment, call: ResourceRequest): Promise<number> {
  const { route, kind, verb } = call;
  if (route.namespace === undefined && kind.scope === 'Namespaced') {
    if (route.name !== '' && !route.legacyWatch) throw notFoundPath();
    if (verb === 'create' || verb === 'deletecollection') throw methodNotAllowed();
  }
  if ((route.namespace !== undefined && kind.scope === 'Cluster') || route.rest !== '') throw notFoundPath();
  if (route.legacyWatch && route.subresource !== '') throw notFoundPath();
  if (route.subresource !== '') return serveSubresource(env, call);
  if (!kind.verbs.includes(verb)) throw methodNotAllowed(kind, route);
  if (kind.deprecation !== null) addWarnings(call.response, [kind.deprecation]);
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

export const notFoundPath = () =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});

const placeOf = ({ kind, route }: ResourceRequest): Place => ({
  kind,
  namespace: kind.scope === 'Namespaced' ? route.namespace : undefined,
  name: route.name,
});

function contextOf({ request, query, user, verb, kind, authorizeCreate }: ResourceRequest): CallContext {
  const applies = verb === 'patch' && patchTypeOf(request.headers['content-type']) === 'apply';
  const parameters = writeParameters(query, applies ? 'apply' : verb);
  return {
    user,
    dryRun: parameters.dryRun,
    fieldManager: parameters.fieldManager || managerFromUserAgent(request.headers['user-agent']),
    force: parameters.force,
    fieldValidation: parameters.fieldValidation,
    // Who creates by its name has been asked already.
    authorizeCreate: verb === 'create' ? undefined : authorizeCreate,
    warnings: kind.deprecation === null ? [] : [kind.deprecation],
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

async function serveGet(env: ResourceEnvironment, call: ResourceRequest): Promise<number> {
  const { request, kind, query } = call;
  const wanted = wantedForm(request.headers.accept, kind);
  const from = env.core.answered.get(kind);
  if (from === undefined) await waitForFreshness(env.core, text(query, 'resourceVersion'));
  const at = placeOf(call);
  const found =
    from === undefined
      ? answer(kind, await inVersion(kind, requireEntry(env.core, at)))
      : await readAnswered(env.core, from, at);
  return sendAnswer(call, { kind, answer: found, wanted }, printing(env, query));
}

/** `/watch/…/name` of old, and everybody's field selectors. */
const selectors = ({ query, route }: ResourceRequest) => {
  const fields = text(query, 'fieldSelector');
  const name = route.name === '' ? undefined : `metadata.name=${route.name}`;
  return {
    labelSelector: text(query, 'labelSelector'),
    fieldSelector:
      name === undefined ? fields : fields === undefined || fields === '' ? name : `${fields},${name}`,
  };
};

const listOptions = (call: ResourceRequest): ListOptions => ({
  ...selectors(call),
  resourceVersion: text(call.query, 'resourceVersion'),
  resourceVersionMatch: text(call.query, 'resourceVersionMatch'),
  limit: integer(call.query, 'limit'),
  continue: text(call.query, 'continue'),
});

async function serveList(env: ResourceEnvironment, call: ResourceRequest): Promise<number> {
  const { request, kind, query } = call;
  const wanted = wantedForm(request.headers.accept, kind);
  checkListOptions(query);
  const from = env.core.answered.get(kind);
  const options = listOptions(call);
  const result =
    from === undefined
      ? await list(env.core, placeOf(call), options)
      : await listAnswered(env.core, from, { ...options, namespace: placeOf(call).namespace });
  return sendList(call, { kind, list: result, wanted }, printing(env, query));
}

async function serveWatch(env: ResourceEnvironment, call: ResourceRequest): Promise<number> {
  const { request, response, kind, query } = call;
  const wanted = watchedForm(request.headers.accept, kind);
  const timeoutSeconds = integer(query, 'timeoutSeconds');
  const sendInitialEvents = flag(query, 'sendInitialEvents');
  checkWatchOptions(query);
  const stream = new WatchStream(response, {
    kind,
    wanted,
    include: includeOf(query),
    bookmarks: flag(query, 'allowWatchBookmarks') ?? false,
    timeoutMs:
      timeoutSeconds === undefined || timeoutSeconds === 0
        ? env.minRequestTimeoutMs * (1 + env.jitter())
        : timeoutSeconds * 1000,
    clock: env.clock,
    revision: () => env.core.store.revision,
    series: env.metrics.watchesOf(kind),
  });
  const options = {
    ...selectors(call),
    resourceVersion: text(query, 'resourceVersion'),
    sendInitialEvents,
  };
  try {
    stream.begin(await watch(env.core, placeOf(call), options, stream));
    env.lasting.addWatch(stream, response);
  } catch (error) {
    // A watch that was understood fails as a watch does: in an event. Reflectors then list again.
    if (!isExpired(error) && !response.headersSent) throw error;
    stream.fail(error as StatusError);
  }
  return 0;
}

async function serveDeleteCollection(env: ResourceEnvironment, call: ResourceRequest): Promise<number> {
  const { request, kind, query } = call;
  const wanted = wantedForm(request.headers.accept, kind);
  checkListOptions(query);
  const context = contextOf(call);
  const { options, dryRun } = await readDeleteOptions(call);
  const deleting = removeCollection(env.core, {
    at: placeOf(call),
    query: listOptions(call),
    options,
    context: dryRun ? { ...context, dryRun } : context,
  });
  const deleted = await warning(call.response, context, deleting);
  return sendList(call, { kind, list: deleted, wanted }, printing(env, query));
}

async function serveWrite(env: ResourceEnvironment, call: ResourceRequest): Promise<number> {
  const { request, response, kind, query } = call;
  const wanted = wantedForm(request.headers.accept, kind);
  const context = contextOf(call);
  const result = await warning(response, context, write(env.core, call, context));
  return sendAnswer(call, { kind, answer: result, wanted }, printing(env, query));
}

/** Warnings go out with a refusal too: they may say what led to it. */
async function warning<T>(response: HttpResponse, context: CallContext, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } finally {
    addWarnings(response, context.warnings);
  }
}

async function write(core: RegistryCore, call: ResourceRequest, context: CallContext): Promise<Answer> {
  const at = placeOf(call);
  switch (call.verb) {
    case 'create': {
      const made = core.answered.get(at.kind)?.create ?? create;
      return made(core, { at, body: await readObject(call, context), context });
    }
    case 'update':
      return update(core, { at, body: await readObject(call, context), context });
    case 'patch':
      return patch(core, { at, ...(await readPatch(call.request, context)), context });
    default: {
      const { options, dryRun } = await readDeleteOptions(call);
      return remove(core, { at, options, context: dryRun ? { ...context, dryRun } : context });
    }
  }
}

async function serveSubresource(env: ResourceEnvironment, call: ResourceRequest): Promise<number> {
  const { request, response, kind, verb, route, query } = call;
  const subresource = findSubresource(kind, route.subresource);
  if (subresource === undefined) throw notFoundPath();
  if (!subresource.verbs.includes(verb)) throw methodNotAllowed(kind, route);
  // What is no object of the kind has its own columns, and its own message in protobuf.
  const printedAs = subresource.answers ?? kind;
  const wanted = wantedForm(request.headers.accept, printedAs);
  const context = contextOf(call);
  let body: Body = noBody;
  let patchType: PatchType = 'merge';
  if (verb === 'patch') ({ type: patchType, body } = await readPatch(request, context));
  else if (verb !== 'get') body = await readObject(call, context);
  else await waitForFreshness(env.core, text(query, 'resourceVersion'));
  const answering = subresource.handle(env.core, {
    verb: verb as SubresourceCall['verb'],
    at: placeOf(call),
    body,
    patchType,
    context,
  });
  const result = await warning(response, context, answering);
  return sendAnswer(call, { kind: printedAs, answer: result, wanted }, printing(env, query));
}
