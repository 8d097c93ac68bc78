// Requests for a path that is no resource: discovery, OpenAPI, health and the version.
import { createHash } from 'node:crypto';
import { type Log, type MetricRegistry, metricsContentType, type ProgramVersion } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import type { Aggregator } from '../aggregation/aggregator.ts';
import type { UserInfo } from '../auth/attributes.ts';
import type { ServiceAccountTokens } from '../auth/service-account-tokens.ts';
import type { FlowControl } from '../flow-control/flow-control.ts';
import type { OpenApi } from '../openapi/openapi.ts';
import {
  aggregated,
  coreVersions,
  type Discovered,
  groupDocument,
  groupList,
  resourceList,
} from './discovery.ts';
import { type HealthCheck, type HealthChecks, serveHealth } from './health.ts';
import { methodNotAllowed } from './method-not-allowed.ts';
import type { HealthMetrics } from './metrics.ts';
import type { Query } from './query.ts';
import { notFoundPath } from './resource.ts';
import { type Asker, readable, sendJson, sendPageNotFound, sendText } from './respond.ts';

export type VersionInfo = ProgramVersion;

export interface PathOptions {
  readonly aggregator: Aggregator;
  /** What discovery lists: the kinds, metrics of workloads, which are none, and what other servers answer for. */
  readonly discovered: Discovered;
  readonly openApi: OpenApi;
  readonly version: VersionInfo;
  /** host:port by which clients reach this server, for discovery. */
  readonly publicAddress: () => string;
  /** null = there is no issuer to tell of. */
  readonly tokens: ServiceAccountTokens | null;
  readonly health: HealthChecks;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  readonly healthMetrics: HealthMetrics;
  /** null = there is none, and nothing to tell of it. */
  readonly flowControl: FlowControl | null;
}

export interface PathRequest {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly path: string;
  readonly query: Query;
  readonly user: UserInfo;
}

/**
 * Throws 405 for what is no read. A path that nothing is behind gets what Go's server says, below a group of the API a Status.
 */
export async function servePath(options: PathOptions, call: PathRequest): Promise<void> {
  const { request, response, query } = call;
  const [first = '', ...rest] = call.path.slice(1).replace(/\/$/, '').split('/');
  const below = rest.join('/');
  const { method } = request;
  if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed();
  switch (first) {
    case 'api':
    case 'apis':
      if (serveDiscovery(options, call, rest)) return;
      break;
    case 'version':
      if (below !== '') break;
      sendJson(response, 200, `${JSON.stringify(options.version, null, 2)}\n`);
      return;
    case '.well-known':
      if (below !== 'openid-configuration' || options.tokens === null) break;
      sendJson(response, 200, JSON.stringify(options.tokens.discovery(options.publicAddress())));
      return;
    case 'openid':
      if (below !== 'v1/jwks' || options.tokens === null) break;
      response.setHeader('cache-control', 'public, max-age=3600');
      sendJson(response, 200, JSON.stringify(options.tokens.keySet()));
      return;
    case 'livez':
    case 'readyz':
    case 'healthz':
      if (
        await serveHealth(
          response,
          { endpoint: first, below, query },
          { checks: options.health, log: options.log },
        )
      )
        return;
      break;
    case 'metrics':
      if (await serveMetrics(options, response, below)) return;
      break;
    case 'debug':
      if (serveFlowDump(options, call, below)) return;
      break;
    case 'openapi':
      if (await serveRemoteSpec(options, call, below)) return;
      if (options.openApi.serve(request, response, below, query)) return;
      break;
    case '':
    case 'index.html':
      if (below !== '') break;
      sendJson(response, 200, `${JSON.stringify({ paths: rootPaths(options) }, null, 2)}\n`);
      return;
  }
  if (isKnownPath(options.discovered, call.path)) throw notFoundPath();
  sendPageNotFound(response);
}

/** The document that another server has is fetched there. */
async function serveRemoteSpec(
  { aggregator }: PathOptions,
  { request, response, user }: PathRequest,
  below: string,
): Promise<boolean> {
  const remote = aggregator.findSpec(below);
  if (remote === undefined) return false;
  await aggregator.serve({ remote, user }, request, response);
  return true;
}

/** Whether a path lies below one that the API serves, where what is missing is told as a Status. */
export function isKnownPath(kinds: Discovered, path: string): boolean {
  const [, first, group = ''] = path.split('/');
  if (first === 'api' || first === 'version') return true;
  if (first !== 'apis') return false;
  const isOf = (one: { readonly group: string }): boolean => one.group === group;
  return kinds.all.some(isOf) || kinds.remote?.some(isOf) === true;
}

/** All metrics, or those of the health checks alone. */
async function serveMetrics(
  { metrics, healthMetrics }: PathOptions,
  response: HttpResponse,
  below: string,
): Promise<boolean> {
  if (below !== '' && below !== 'slis') return false;
  const bytes = Buffer.from(below === '' ? metrics.text() : await healthMetrics.text());
  response.writeHead(200, { 'content-type': metricsContentType, 'content-length': bytes.length });
  response.end(bytes);
  return true;
}

/** What waits where, for people who look for the cause of a jam. */
function serveFlowDump(
  { flowControl }: PathOptions,
  { response, query }: PathRequest,
  below: string,
): boolean {
  const [area, name = '', ...more] = below.split('/');
  if (area !== 'api_priority_and_fairness' || more.length > 0) return false;
  const details = (query.get('includeRequestDetails') ?? '') !== '';
  const text = flowControl?.dump(name, { details });
  if (text === undefined) return false;
  sendText(response, 200, text);
  return true;
}

function serveDiscovery(
  { discovered: kinds, publicAddress }: PathOptions,
  { request, response, path }: PathRequest,
  rest: readonly string[],
): boolean {
  const core = path.startsWith('/api/') || path === '/api';
  if (rest.length === 0) {
    const version = aggregatedVersion(request.headers.accept);
    if (version !== undefined)
      sendAggregated(request, response, { document: aggregated(kinds, core, version), version });
    else sendDocument({ request, response }, core ? coreVersions(publicAddress()) : groupList(kinds));
    return true;
  }
  let document: unknown;
  if (core) document = rest.length === 1 ? resourceList(kinds, '', rest[0]!) : undefined;
  else if (rest.length === 1) document = groupDocument(kinds, rest[0]!);
  else if (rest.length === 2) document = resourceList(kinds, rest[0]!, rest[1]!);
  if (document === undefined) return false;
  sendDocument({ request, response }, document);
  return true;
}

const sendDocument = ({ request, response }: Asker, document: unknown): void =>
  sendJson(response, 200, readable(request, `${JSON.stringify(document)}\n`));

/** Clients ask for it again and again with the hash that they know. */
function sendAggregated(
  request: HttpRequest,
  response: HttpResponse,
  { document, version }: { document: unknown; version: string },
): void {
  const bytes = Buffer.from(`${JSON.stringify(document)}\n`);
  const etag = `"${createHash('sha512').update(bytes).digest('hex').toUpperCase()}"`;
  const headers = { etag, vary: 'Accept', 'cache-control': 'public' };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    'content-type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    'content-length': bytes.length,
  });
  response.end(bytes);
}

/** The version of aggregated discovery that the client asks for first; undefined = it wants the classic document. */
export function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const clause of (accept ?? '').split(',')) {
    const [type, ...parameters] = clause.split(';').map((p) => p.trim());
    if (type !== 'application/json') continue;
    if (!parameters.some((p) => p.startsWith('as='))) return undefined;
    if (!parameters.includes('as=APIGroupDiscoveryList') || !parameters.includes('g=apidiscovery.k8s.io'))
      continue;
    if (parameters.includes('v=v2')) return 'v2';
    if (parameters.includes('v=v2beta1')) return 'v2beta1';
  }
  return undefined;
}

function rootPaths({ discovered, health }: PathOptions): string[] {
  const groups = new Set<string>();
  for (const { group, version } of [...discovered.all, ...(discovered.remote ?? [])]) {
    if (group === '') continue;
    groups.add(`/apis/${group}`);
    groups.add(`/apis/${group}/${version}`);
  }
  const checks = Object.entries(health).flatMap(([endpoint, list]: [string, readonly HealthCheck[]]) => [
    `/${endpoint}`,
    ...list.map(({ name }) => `/${endpoint}/${name}`),
  ]);
  const fixed = [
    ...checks,
    '/api',
    '/api/v1',
    '/apis',
    '/metrics',
    '/metrics/slis',
    '/openapi/v2',
    '/openapi/v3',
  ];
  return [...fixed, ...groups, '/version'].sort();
}
