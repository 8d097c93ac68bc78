// The life of a request: identify → impersonate → find what is asked → wait for seats → authorise → serve. Every failure ends in a
// Status answer. HOT: bench/api.ts.
import type { Duplex } from 'node:stream';
import type { Clock, Log } from '../../base/index.ts';
import {
  connectionOf,
  type HttpRequest,
  type HttpResponse,
  isWebSocketUpgrade,
  WebSocketAnswer,
} from '../../http/index.ts';
import { badRequest, type KindDef, StatusError, unauthorized, type Verb } from '../../machinery/index.ts';
import type { RemoteApi } from '../aggregation/remote-apis.ts';
import type { RequestAttributes, UserInfo } from '../auth/attributes.ts';
import type { Authenticate } from '../auth/authenticate.ts';
import type { Authorize } from '../auth/authorize.ts';
import { impersonate } from '../auth/impersonate.ts';
import type { FlowControl } from '../flow-control/flow-control.ts';
import { WorkEstimator } from '../flow-control/work-estimate.ts';
import type { RegistryCore } from '../registry/core.ts';
import { InconsistentContinue } from '../registry/list.ts';
import { admitConnection } from './admit-connection.ts';
import { findConnection } from './connections.ts';
import { Connector, type ToConnect } from './connector.ts';
import { Deadlines } from './deadlines.ts';
import type { Discovered } from './discovery.ts';
import { InFlight, type InFlightLimits, laneOf } from './in-flight.ts';
import { Lasting } from './lasting.ts';
import { Measured } from './measured.ts';
import { methodNotAllowed } from './method-not-allowed.ts';
import { ApiMetrics, HealthMetrics } from './metrics.ts';
import { isKnownPath, type PathOptions, servePath } from './path.ts';
import { type Query, splitTarget } from './query.ts';
import { serveUpgrade } from './relay.ts';
import { pathAttributes, resourceAttributes } from './request-attributes.ts';
import { logWhenEnded } from './request-log.ts';
import { notFoundPath, serveResource, verbOf } from './resource.ts';
import { readable, sendError, sendJson, sendPageNotFound } from './respond.ts';
import { parseRoute, type ResourceRoute } from './route.ts';
import { Seating } from './seating.ts';
import type { NodeCredentials } from './targets.ts';
import { framingOf, refuseUpgrade } from './upgrades.ts';

export interface HandlerOptions extends Omit<PathOptions, 'tokens' | 'discovered' | 'healthMetrics'> {
  readonly core: RegistryCore;
  readonly clock: Clock;
  readonly jitter: () => number;
  readonly log: Log;
  readonly authenticate: Authenticate;
  readonly authorize: Authorize;
  readonly credentials: NodeCredentials;
  /** How many requests may run at once; with flow control it has the say. */
  readonly inFlight: InFlightLimits;
  readonly flowControl: FlowControl | null;
  /** Watches and streams excepted; 0 = none. */
  readonly requestTimeoutMs: number;
  /** For watches that name no timeout; 0 = they never end. */
  readonly minRequestTimeoutMs: number;
  /** Gets a line for each request; undefined = nobody does. */
  readonly requestLog: Log | undefined;
}

export interface ApiHandler {
  onRequest(request: HttpRequest, response: HttpResponse): void;
  onUpgrade(request: HttpRequest, socket: Duplex, head: Buffer): void;
  /** Ends watches now and streams soon; other requests are finished. */
  drain(): void;
}

/** How long logs and terminals may still run after a stop was asked for. */
const streamGraceMs = 2000;

/** What a request asks for, once its URL is understood. */
interface Asked {
  readonly path: string;
  readonly query: Query;
  readonly route: ResourceRoute | undefined;
  /** Only with a route; undefined = no such resource. */
  readonly kind: KindDef | undefined;
}

/** A request whose user is known and which is understood. */
interface Call extends Asked {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly user: UserInfo;
  readonly method: string;
  /** undefined = no resource, or the method means nothing for it. */
  readonly verb: Verb | undefined;
  readonly attributes: RequestAttributes;
  readonly measured: Measured;
}

export function createHandler(options: HandlerOptions): ApiHandler {
  const { core, log, clock } = options;
  const lasting = new Lasting(clock);
  const metrics = new ApiMetrics(options.metrics);
  const env = {
    core,
    clock,
    jitter: options.jitter,
    minRequestTimeoutMs: options.minRequestTimeoutMs,
    lasting,
    metrics,
  };
  const healthMetrics = new HealthMetrics(options.health);
  const { aggregator } = options;
  const { remotes } = aggregator;
  const discovered: Discovered = {
    get all() {
      const metrics = core.workloadMetrics.kinds();
      const all = metrics.length === 0 ? core.kinds.all : [...core.kinds.all, ...metrics];
      return remotes.withoutRemote(all);
    },
    get remote() {
      return aggregator.versions();
    },
    priorityOf: (at) => remotes.priorityOf(at),
  };
  const paths: PathOptions = {
    ...options,
    tokens: core.tokens,
    discovered,
    healthMetrics,
  };
  const { flowControl } = options;
  const inFlight = new InFlight(flowControl === null ? options.inFlight : { reads: 0, writes: 0 }, clock);
  const seating =
    flowControl === null
      ? null
      : new Seating(flowControl, new WorkEstimator(core.store, clock), options.requestTimeoutMs);
  metrics.showInFlight((lane) => inFlight.peak(lane));
  const deadlines = new Deadlines(clock, options.requestTimeoutMs);
  const connector = new Connector({ core, metrics, lasting, credentials: options.credentials, clock });

  /** As whom the request is made. */
  const identify = (request: HttpRequest): UserInfo => {
    const user = options.authenticate(request);
    metrics.authenticated(user);
    const { peer } = connectionOf(request);
    if (peer !== undefined) metrics.certificateShown(peer.notAfterMs - clock.nowMs());
    if (user === undefined) throw unauthorized();
    const acting = impersonate(user, request.rawHeaders, options.authorize);
    if (acting instanceof StatusError) throw acting;
    return acting;
  };

  const ask = (request: HttpRequest): Asked => {
    const { path, query } = splitTarget(request.url ?? '/');
    const route = parseRoute(path);
    return {
      path,
      query,
      route,
      kind: route && core.kinds.byResource(route.group, route.version, route.resource),
    };
  };

  const allow = (attributes: RequestAttributes): void => {
    const refusal = options.authorize(attributes);
    metrics.authorized(refusal === undefined);
    if (refusal !== undefined) throw refusal;
  };

  /** To the bytes of the answer's body. */
  async function serve(request: HttpRequest, response: HttpResponse, measured: Measured): Promise<number> {
    const user = identify(request);
    const { path, query, route, kind } = ask(request);
    const method = request.method ?? 'GET';
    const verb = route && verbOf(method, route, query);
    const attributes =
      route === undefined
        ? pathAttributes(user, method, path)
        : resourceAttributes(user, verb ?? '', { path, query, route });
    const call: Call = {
      request,
      response,
      user,
      method,
      path,
      query,
      route,
      kind,
      verb,
      attributes,
      measured,
    };
    if (route !== undefined && lastingSubresources.has(route.subresource)) return serveCall(call);
    if (verb === 'watch') return seated(call);
    return deadlines.run(query, () => seated(call));
  }

  const seated = (call: Call): Promise<number> =>
    seating === null
      ? serveCall(call)
      : seating.run(
          call,
          () => serveCall(call),
          () => dropped(call),
        );

  /** Counts what was told to come again before anybody looked at what it is about. */
  const dropped = ({ request, route, kind, verb, query, measured }: Call): void => {
    metrics.dropped(laneOf(verb ?? 'get'));
    if (route === undefined || kind === undefined || verb === undefined) return;
    const contentType = request.headers['content-type'];
    measured.series = metrics.requests.ofResource(kind, route, { verb, query, contentType }) ?? null;
    measured.series?.terminated(429);
  };

  async function serveCall(call: Call): Promise<number> {
    const { request, response, user, method, path, query, route, kind, verb, attributes, measured } = call;
    if (route === undefined) {
      allow(attributes);
      const remote = remotes.findByPath(path);
      if (remote !== undefined) {
        await aggregator.serve({ remote, user }, request, response);
        return 0;
      }
      await servePath(paths, { request, response, path, query, user });
      if (response.statusCode !== 404) measured.series = metrics.requests.ofPath(firstPart(path));
      return 0;
    }
    // Who may not know is not told that there is nothing to know.
    if (verb !== undefined) allow(attributes);
    const remote = remotes.find(route.group, route.version);
    if (remote !== undefined) {
      if (verb === undefined) allow(attributes);
      await handOn(remote, { user, request, response, route, query, verb });
      return 0;
    }
    if (kind === undefined) {
      const measured = method === 'GET' ? core.workloadMetrics.document(route, query) : undefined;
      if (measured !== undefined) {
        sendJson(response, 200, readable(request, `${JSON.stringify(measured)}\n`));
        return 0;
      }
      if (isKnownPath(discovered, path)) throw notFoundPath();
      sendPageNotFound(response);
      return 0;
    }
    const connection = route.subresource === '' ? undefined : findConnection(kind, route.subresource);
    if (connection !== undefined) {
      if (verb === undefined) {
        if (method !== 'OPTIONS' || connection.relays !== true) throw methodNotAllowed(kind, route);
        // It has no verb of its own: only who may do everything may ask for it.
        allow(attributes);
      }
      await connector.connect(connection, { user, request, response, kind, route, query, verb }, measured);
      return 0;
    }
    if (verb === undefined) throw methodNotAllowed(kind, route);
    const contentType = request.headers['content-type'];
    const series = metrics.requests.ofResource(kind, route, { verb, query, contentType }) ?? null;
    if (series !== null && verb === 'watch') measured.lasts(series, response, clock);
    else measured.series = series;
    const authorizeCreate = () => allow(resourceAttributes(user, 'create', { path, query, route }));
    const serving = () =>
      serveResource(env, { request, response, kind, route, query, verb, user, authorizeCreate });
    if (verb === 'watch') return serving();
    const lane = laneOf(verb);
    if (!inFlight.hasRoom(lane, user)) {
      metrics.dropped(lane);
      series?.terminated(429);
    }
    return inFlight.run(lane, user, serving);
  }

  /** Has another API server answer. What ends by itself is bounded as requests to this one are. */
  function handOn(
    remote: RemoteApi,
    { user, request, response, route, verb }: Omit<ToConnect, 'kind'>,
  ): Promise<void> {
    const serving = () => aggregator.serve({ remote, user }, request, response);
    if (verb === 'watch' || lastingSubresources.has(route.subresource)) {
      lasting.addStream(response);
      return serving();
    }
    const lane = laneOf(verb ?? 'get');
    if (!inFlight.hasRoom(lane, user)) metrics.dropped(lane);
    return inFlight.run(lane, user, serving);
  }

  async function upgrade(
    request: HttpRequest,
    { socket, head }: { socket: Duplex; head: Buffer },
    measured: Measured,
  ): Promise<void> {
    const user = identify(request);
    const { path, query, route, kind } = ask(request);
    if (route === undefined) throw notFoundPath();
    const remote = remotes.find(route.group, route.version);
    if (remote !== undefined) {
      const asked = verbOf(request.method ?? 'GET', route, query) ?? '';
      allow(resourceAttributes(user, asked, { path, query, route }));
      lasting.addStream(socket);
      await aggregator.upgrade({ remote, user }, request, { socket, head });
      return;
    }
    const verb = request.method === 'POST' ? 'create' : 'get';
    allow(resourceAttributes(user, verb, { path, query, route }));
    if (kind === undefined) throw notFoundPath();
    const series = metrics.requests.ofResource(kind, route, { verb, query, contentType: undefined }) ?? null;
    measured.series = series;
    const connection = findConnection(kind, route.subresource);
    if (connection === undefined || connection.upgrades === 'never')
      throw badRequest('this resource does not take an upgraded connection');
    // A browser's upgrade can only be a GET, yet what it opens is more than reading.
    if (connection.upgrades === 'only' && verb === 'get')
      allow(resourceAttributes(user, 'create', { path, query, route }));
    const { call } = await admitConnection(
      connection,
      connector.callOf({ kind, route, request, query }),
      user,
    );
    lasting.addStream(socket);
    await serveUpgrade(connection, call, request, socket, head);
    if (series === null || socket.destroyed) return;
    measured.series = null;
    series.running(1);
    socket.once('close', () => {
      series.running(-1);
      series.finished(101, clock.monotonicMs() - measured.startedMs);
    });
  }

  /** What another server answers for, it answers in its own frames. */
  const isRemote = ({ url = '/' }: HttpRequest): boolean => {
    if (remotes.all.length === 0) return false;
    const route = parseRoute(splitTarget(url).path);
    return route !== undefined && remotes.find(route.group, route.version) !== undefined;
  };

  const finished = ({ series, startedMs }: Measured, code: number): void =>
    series?.finished(code, clock.monotonicMs() - startedMs);

  const report = (request: HttpRequest, error: unknown): void => {
    if (error instanceof StatusError || error instanceof InconsistentContinue) return;
    log.error('request failed', {
      method: request.method,
      path: request.url,
      error,
      stack: error instanceof Error ? error.stack : undefined,
    });
  };

  const onRequest: ApiHandler['onRequest'] = (request, response) => {
    if (options.requestLog !== undefined)
      logWhenEnded(options.requestLog, { request, ending: response, clock });
    const measured = new Measured(clock.monotonicMs());
    serve(request, response, measured).then(
      (bytes) => {
        finished(measured, response.statusCode);
        if (bytes > 0) measured.series?.sent(bytes);
      },
      (error: unknown) => {
        report(request, error);
        if (response.headersSent) response.destroy();
        else sendError(request, response, error);
        if (response.statusCode === 504) measured.series?.terminated(504);
        finished(measured, response.statusCode);
      },
    );
  };

  return {
    drain() {
      deadlines.drain();
      lasting.drain(streamGraceMs);
    },
    onRequest,
    onUpgrade(request, socket, head) {
      const framing = isWebSocketUpgrade(request) && !isRemote(request) ? framingOf(request) : undefined;
      if (framing !== undefined) {
        onRequest(request, new WebSocketAnswer({ request, socket, head }, framing));
        return;
      }
      if (options.requestLog !== undefined)
        logWhenEnded(options.requestLog, { request, ending: socket, clock });
      const measured = new Measured(clock.monotonicMs());
      upgrade(request, { socket, head }, measured).then(
        () => finished(measured, 101),
        (error: unknown) => {
          report(request, error);
          finished(measured, refuseUpgrade(socket, error));
        },
      );
    },
  };
}

/** `/readyz` of `/readyz/ping`: what is counted as one. */
function firstPart(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? path : path.slice(0, end);
}

/** What goes on until one side ends it, whoever serves it. */
const lastingSubresources: ReadonlySet<string> = new Set(['attach', 'exec', 'log', 'portforward', 'proxy']);
