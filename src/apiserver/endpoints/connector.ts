// Serves what is passed on, to a node, a pod or a service, for as long as it lasts.
import type { Clock } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { badRequest, type KindDef, type Verb } from '../../machinery/index.ts';
import type { UserInfo } from '../auth/attributes.ts';
import type { RegistryCore } from '../registry/core.ts';
import { admitConnection } from './admit-connection.ts';
import type { Connection } from './connections.ts';
import type { Lasting } from './lasting.ts';
import type { Measured } from './measured.ts';
import { methodNotAllowed } from './method-not-allowed.ts';
import type { ApiMetrics } from './metrics.ts';
import type { Query } from './query.ts';
import { serveStream } from './relay.ts';
import { addWarnings } from './respond.ts';
import type { ResourceRoute } from './route.ts';
import type { ConnectionCall, NodeCredentials } from './targets.ts';

export interface ToConnect {
  readonly user: UserInfo;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly kind: KindDef;
  readonly route: ResourceRoute;
  readonly query: Query;
  /** undefined = OPTIONS */
  readonly verb: Verb | undefined;
}

export interface ConnectorOptions {
  readonly core: RegistryCore;
  readonly metrics: ApiMetrics;
  readonly lasting: Lasting;
  readonly credentials: NodeCredentials;
  readonly clock: Clock;
}

export class Connector {
  readonly #options: ConnectorOptions;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  async connect(connection: Connection, asked: ToConnect, measured: Measured): Promise<void> {
    const { metrics, lasting, clock } = this.#options;
    const { user, request, response, kind, route, query, verb } = asked;
    const counted = { verb: verb ?? 'get', query, contentType: undefined };
    const series = metrics.requests.ofResource(kind, route, counted);
    if (series !== undefined) measured.lasts(series, response, clock);
    if (verb !== undefined && !connection.verbs.includes(verb)) throw methodNotAllowed(kind, route);
    const { call, warnings } = await admitConnection(connection, this.callOf(asked), user);
    addWarnings(response, warnings);
    if (connection.upgrades === 'only') throw badRequest('Upgrade request required');
    lasting.addStream(response);
    await serveStream(connection, call, request, response);
  }

  callOf({
    kind,
    route,
    request,
    query,
  }: Pick<ToConnect, 'kind' | 'route' | 'request' | 'query'>): ConnectionCall {
    const { core, credentials } = this.#options;
    return {
      core,
      kinds: core.kinds,
      credentials,
      at: { kind, namespace: route.namespace, name: route.name },
      query,
      url: request.url ?? '/',
      rest: route.rest,
    };
  }
}
