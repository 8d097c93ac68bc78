// The life of a request: identify → find what is asked → authorise → serve. Every failure ends in a Status answer.
import type { Duplex } from 'node:stream';
import type { Clock, Log } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { badRequest, type KindDef, StatusError, unauthorized, type Verb } from '../../machinery/index.ts';
import type { RequestAttributes, UserInfo } from '../auth/attributes.ts';
import type { Authenticate } from '../auth/authenticate.ts';
import type { Authorize } from '../auth/authorize.ts';
import type { OpenApi } from '../openapi/openapi.ts';
import type { RegistryCore } from '../registry/core.ts';
import {
  type Connection,
  type ConnectionCall,
  findConnection,
  type NodeCredentials,
  serveStream,
  serveUpgrade,
} from './connections.ts';
import { aggregated, coreVersions, groupDocument, groupList, resourceList } from './discovery.ts';
import { type HealthCheck, serveHealth } from './health.ts';
import { type Query, splitTarget } from './query.ts';
import { serveResource, verbOf } from './resource.ts';
import { sendError, sendJson } from './respond.ts';
import { parseRoute, type ResourceRoute } from './route.ts';

export interface VersionInfo {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
  readonly platform: string;
}

export interface HandlerOptions {
  readonly core: RegistryCore;
  readonly clock: Clock;
  readonly jitter: () => number;
  readonly log: Log;
  readonly authenticate: Authenticate;
  readonly authorize: Authorize;
  readonly openApi: OpenApi;
  readonly credentials: NodeCredentials;
  readonly version: VersionInfo;
  /** host:port by which clients reach this server, for discovery. */
  readonly publicAddress: () => string;
  readonly livez: readonly HealthCheck[];
  readonly readyz: readonly HealthCheck[];
}

export interface ApiHandler {
  onRequest(request: HttpRequest, response: HttpResponse): void;
  onUpgrade(request: HttpRequest, socket: Duplex, head: Buffer): void;
}

export function createHandler(options: HandlerOptions): ApiHandler {
  const { core, log } = options;
  const env = { core, clock: options.clock, jitter: options.jitter };

  const identify = (request: HttpRequest): UserInfo => {
    const user = options.authenticate(request);
    if (user === undefined) throw unauthorized();
    return user;
  };

  const allow = (attributes: RequestAttributes): void => {
    const refusal = options.authorize(attributes);
    if (refusal !== undefined) throw refusal;
  };

  async function serve(request: HttpRequest, response: HttpResponse): Promise<void> {
    const user = identify(request);
    const { path, query } = splitTarget(request.url ?? '/');
    const route = parseRoute(path);
    const kind =
      route === undefined ? undefined : core.kinds.byResource(route.group, route.version, route.resource);
    if (route === undefined) return servePath(request, response, path, query, user);
    if (kind === undefined) throw unknownResource();
    const verb = verbOf(request.method ?? 'GET', route, query);
    if (verb === undefined)
      throw new StatusError(
        405,
        'MethodNotAllowed',
        `the server does not allow this method on the requested resource`,
      );
    allow(resourceAttributes(user, verb, route, path, query));
    const connection = route.subresource === '' ? undefined : findConnection(kind, route.subresource);
    if (connection === undefined)
      return serveResource(env, { request, response, kind, route, query, verb, user });
    if (connection.upgrades) throw badRequest('Upgrade request required');
    return serveStream(connection, callOf(kind, route, query), request, response);
  }

  const callOf = (kind: KindDef, route: ResourceRoute, query: Query): ConnectionCall => ({
    core,
    kinds: core.kinds,
    credentials: options.credentials,
    at: { kind, namespace: route.namespace, name: route.name },
    query,
  });

  async function upgrade(request: HttpRequest, socket: Duplex, head: Buffer): Promise<void> {
    const user = identify(request);
    const { path, query } = splitTarget(request.url ?? '/');
    const route = parseRoute(path);
    const kind =
      route === undefined ? undefined : core.kinds.byResource(route.group, route.version, route.resource);
    if (route === undefined || kind === undefined) throw unknownResource();
    const connection: Connection | undefined = findConnection(kind, route.subresource);
    if (connection?.upgrades !== true) throw badRequest('this resource does not take an upgraded connection');
    allow(resourceAttributes(user, request.method === 'POST' ? 'create' : 'get', route, path, query));
    await serveUpgrade(connection, callOf(kind, route, query), request, socket, head);
  }

  function servePath(
    request: HttpRequest,
    response: HttpResponse,
    path: string,
    query: Query,
    user: UserInfo,
  ): void {
    const method = (request.method ?? 'GET').toLowerCase();
    allow({
      user,
      verb: method,
      group: '',
      version: '',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      path,
    });
    if (method !== 'get' && method !== 'head')
      throw new StatusError(
        405,
        'MethodNotAllowed',
        'the server does not allow this method on the requested resource',
      );
    const [first = '', ...rest] = path.slice(1).replace(/\/$/, '').split('/');
    const document = discover(request, first, rest);
    if (document !== undefined) {
      sendDocument(response, document);
      return;
    }
    const below = rest.join('/');
    if (first === 'version' && below === '')
      return sendJson(response, 200, `${JSON.stringify(options.version, null, 2)}\n`);
    if (first === 'livez' && serveHealth(response, first, below, query, options.livez)) return;
    if (
      (first === 'readyz' || first === 'healthz') &&
      serveHealth(response, first, below, query, options.readyz)
    )
      return;
    if (first === 'openapi' && options.openApi.serve(request, response, below, query)) return;
    if (first === '' && below === '')
      return sendJson(response, 200, JSON.stringify({ paths: rootPaths(core.kinds) }, null, 2));
    throw unknownResource();
  }

  function discover(request: HttpRequest, first: string, rest: readonly string[]): unknown {
    if (first === 'api' && rest.length === 0) {
      const version = aggregatedVersion(request.headers.accept);
      return version === undefined
        ? coreVersions(options.publicAddress())
        : new Aggregated(aggregated(core.kinds, true, version), version);
    }
    if (first === 'api' && rest.length === 1) return resourceList(core.kinds, '', rest[0]!);
    if (first !== 'apis') return undefined;
    if (rest.length === 0) {
      const version = aggregatedVersion(request.headers.accept);
      return version === undefined
        ? groupList(core.kinds)
        : new Aggregated(aggregated(core.kinds, false, version), version);
    }
    if (rest.length === 1) return groupDocument(core.kinds, rest[0]!);
    if (rest.length === 2) return resourceList(core.kinds, rest[0]!, rest[1]!);
    return undefined;
  }

  return {
    onRequest(request, response) {
      serve(request, response).catch((error: unknown) => {
        if (!(error instanceof StatusError) && !(error instanceof Error && 'token' in error)) {
          log.error('request failed', {
            method: request.method,
            path: request.url,
            error,
            stack: error instanceof Error ? error.stack : undefined,
          });
        }
        if (response.headersSent) response.destroy();
        else sendError(request, response, error);
      });
    },
    onUpgrade(request, socket, head) {
      upgrade(request, socket, head).catch((error: unknown) => refuseUpgrade(socket, error));
    },
  };
}

const unknownResource = () =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});

class Aggregated {
  readonly document: unknown;
  readonly version: string;
  constructor(document: unknown, version: string) {
    this.document = document;
    this.version = version;
  }
}

function sendDocument(response: HttpResponse, document: unknown): void {
  if (!(document instanceof Aggregated)) return sendJson(response, 200, `${JSON.stringify(document)}\n`);
  const bytes = Buffer.from(`${JSON.stringify(document.document)}\n`);
  response.writeHead(200, {
    'content-type': `application/json;g=apidiscovery.k8s.io;v=${document.version};as=APIGroupDiscoveryList`,
    'content-length': bytes.length,
    vary: 'Accept',
  });
  response.end(bytes);
}

/** The version of aggregated discovery that the client asks for first; undefined = it wants the classic document. */
function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const clause of (accept ?? '').split(',')) {
    const parts = clause.split(';').map((p) => p.trim());
    if (parts[0] === 'application/json' && parts.length === 1) return undefined;
    if (
      !parts.includes('as=APIGroupDiscoveryList') ||
      !parts.includes('g=apidiscovery.k8s.io') ||
      parts[0] !== 'application/json'
    )
      continue;
    if (parts.includes('v=v2')) return 'v2';
    if (parts.includes('v=v2beta1')) return 'v2beta1';
  }
  return undefined;
}

function resourceAttributes(
  user: UserInfo,
  verb: Verb,
  route: ResourceRoute,
  path: string,
  query: Query,
): RequestAttributes {
  const isNamespace = route.group === '' && route.resource === 'namespaces';
  const selected =
    route.name === ''
      ? /(?:^|,)metadata\.name==?([^,]+)/.exec(query.get('fieldSelector') ?? '')?.[1]
      : undefined;
  return {
    user,
    verb,
    group: route.group,
    version: route.version,
    resource: route.resource,
    subresource: route.subresource,
    namespace: isNamespace ? route.name : (route.namespace ?? ''),
    name: selected ?? route.name,
    path,
  };
}

function rootPaths(kinds: RegistryCore['kinds']): string[] {
  const groups = new Set<string>();
  for (const { group, version } of kinds.all) {
    if (group === '') continue;
    groups.add(`/apis/${group}`);
    groups.add(`/apis/${group}/${version}`);
  }
  return [
    '/api',
    '/api/v1',
    '/apis',
    ...groups,
    '/healthz',
    '/livez',
    '/openapi/v2',
    '/openapi/v3',
    '/readyz',
    '/version',
  ].sort();
}

/** An HTTP answer written by hand: the connection has left node's HTTP machinery. */
function refuseUpgrade(socket: Duplex, error: unknown): void {
  const status = (
    error instanceof StatusError ? error : new StatusError(500, 'InternalError', String(error))
  ).toStatus();
  const body = `${JSON.stringify(status)}\n`;
  socket.end(
    `HTTP/1.1 ${status.code} ${status.reason}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
