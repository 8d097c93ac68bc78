// The node's HTTPS API on port 10250, for the API server and for who measures: health, pods, logs, usage, and sessions (exec, attach,
// port-forward). Who gets in is decided in node-authorizer.ts.
import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { coreV1, Pod } from '../../api/index.ts';
import {
  type Clock,
  type Log,
  type MetricRegistry,
  metricsContentType,
  type Scope,
} from '../../base/index.ts';
import {
  connectionOf,
  type HttpRequest,
  type HttpResponse,
  type HttpsServer,
  refuseUpgrade,
  startHttpsServer,
  type Upgrade,
} from '../../http/index.ts';
import { parseTime } from '../../machinery/index.ts';
import type { ContainerRuntime } from '../../os/index.ts';
import { HealthMetrics } from '../metrics/health-metrics.ts';
import { volumeMetrics } from '../metrics/node-metrics.ts';
import type { ProbeMetrics } from '../metrics/probe-metrics.ts';
import { type PodRuntime, readySandbox } from '../plan/pod-runtime.ts';
import { servePortForward } from '../port-forward.ts';
import { handleExec, parseExecQuery, parseStreamQuery, serveRemoteCommand } from '../remote-command.ts';
import { type CadvisorFacts, cadvisorMetrics } from '../stats/cadvisor.ts';
import type { NodeUse } from '../stats/node-use.ts';
import type { NodeSnapshot } from '../stats/stats-collector.ts';
import { keepCpuAndMemory, summary } from '../stats/summary.ts';
import { type LogOptions, streamLog } from './log-stream.ts';
import { noLogYet } from './no-log-yet.ts';
import type { NodeAuthorizer } from './node-authorizer.ts';
import { resourceMetrics } from './resource-metrics.ts';

export interface NodeServerOptions {
  readonly host: string;
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
  /** Called when it listens: who holds it may change its certificate. */
  readonly onListening?: ((server: Pick<HttpsServer, 'setCertificate'>) => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  readonly runtime: ContainerRuntime;
  /** Pods this node runs. */
  pods(): readonly Pod[];
  findPod(namespace: string, name: string): Pod | undefined;
  runtimeOf(uid: string): PodRuntime;
  /** The newest of a pod, whether the API has it or not. */
  statusOf(uid: string): coreV1.PodStatus | undefined;
  /** undefined = healthy */
  healthProblem(): string | undefined;
  /** Who may do what. */
  readonly authorizer: Pick<NodeAuthorizer, 'judge'>;
  /** What is used, not older than the kubelet tells it. Rejects when the runtime does not answer. */
  usage(): Promise<NodeSnapshot>;
  /** Of everything that runs on the node, now. */
  nodeUse(): NodeUse;
  readonly cadvisor: CadvisorFacts;
  /** What the node counts, and what its probes found. */
  readonly metrics: Pick<MetricRegistry, 'text'>;
  readonly probes: Pick<ProbeMetrics, 'text'>;
}

/** An answer that is not 200. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function startNodeServer(options: NodeServerOptions): Promise<HttpsServer> {
  const routes = new NodeRoutes(options);
  const server = await startHttpsServer({
    host: options.host,
    port: options.port,
    cert: options.cert,
    key: options.key,
    clientCa: options.clientCa,
    clock: options.clock,
    log: options.log,
    onRequest: (request, response) => routes.answer(request, response),
    onUpgrade: (request, socket, head) => routes.upgrade(request, socket, head),
  });
  options.onListening?.(server);
  return server;
}

/** Not over HTTP: tests and other servers may ask directly. */
export class NodeRoutes {
  readonly #options: NodeServerOptions;
  readonly #health: HealthMetrics;

  constructor(options: NodeServerOptions) {
    this.#options = options;
    this.#health = new HealthMetrics(() => options.healthProblem());
  }

  answer(request: HttpRequest, response: HttpResponse): void {
    this.#options.scope.run('node request', async () => {
      try {
        await this.#route(request, response);
      } catch (error) {
        if (response.headersSent) {
          response.destroy();
          return;
        }
        const status = error instanceof Refusal ? error.status : 500;
        if (status === 500) this.#options.log.warn('node request failed', { url: request.url, error });
        text(response, status, (error as Error).message);
      }
    });
  }

  upgrade(request: HttpRequest, socket: Duplex, head: Buffer): void {
    this.#options.scope.run('node session', async () => {
      try {
        await this.#authorise(request);
        await this.#session({ request, socket, head });
      } catch (error) {
        const status = error instanceof Refusal ? error.status : 500;
        refuseUpgrade(socket, { status, message: (error as Error).message });
      }
    });
  }

  /** exec, attach and port-forward: `/exec/NAMESPACE/POD/CONTAINER?command=…` */
  async #session(upgrade: Upgrade): Promise<void> {
    const { runtime, clock, log, scope } = this.#options;
    // The scope waits for its sessions when it stops.
    const { signal } = scope;
    const url = new URL(upgrade.request.url ?? '/', 'https://node');
    const [kind, namespace, name, containerName, ...rest] = url.pathname
      .slice(1)
      .split('/')
      .map(decodeURIComponent);
    if (kind === 'portForward' && name !== undefined && rest.length === 0)
      return this.#portForward(upgrade, this.#pod(namespace!, name));
    if ((kind !== 'exec' && kind !== 'attach') || containerName === undefined || rest.length > 0)
      throw new Refusal(404, '404 page not found');
    const pod = this.#pod(namespace!, name!);
    const found = this.#options.runtimeOf(pod.metadata.uid).containers.find((c) => c.name === containerName);
    if (found?.state !== 'running') throw new Refusal(404, `container not found ("${containerName}")`);
    const containerId = found.id;
    if (kind === 'exec') {
      const query = parseExecQuery(url.searchParams);
      if (typeof query === 'string') throw new Refusal(400, query);
      return handleExec(upgrade, { ...query, containerId, runtime, clock, log, signal });
    }
    const streams = parseStreamQuery(url.searchParams);
    if (typeof streams === 'string') throw new Refusal(400, streams);
    return serveRemoteCommand(upgrade, {
      containerId,
      streams,
      clock,
      log,
      signal,
      open: () => runtime.attach({ containerId, ...streams }),
    });
  }

  /** `/portForward/NAMESPACE/POD`; the ports are named by the streams. */
  #portForward(upgrade: Upgrade, pod: Pod): Promise<void> {
    const { runtime, runtimeOf, clock, log, scope } = this.#options;
    const { uid } = pod.metadata;
    const sandboxId = readySandbox(runtimeOf(uid))?.id;
    if (sandboxId === undefined)
      throw new Refusal(
        500,
        `unable to do port forwarding: pod is not running. Current status=${pod.status?.phase ?? 'Pending'}`,
      );
    return servePortForward(upgrade, {
      sandboxId,
      hostNetwork: pod.spec.hostNetwork === true,
      runtime,
      clock,
      log,
      signal: scope.signal,
      running: () => readySandbox(runtimeOf(uid))?.id === sandboxId,
    });
  }

  async #route(request: HttpRequest, response: HttpResponse): Promise<void> {
    await this.#authorise(request);
    const url = new URL(request.url ?? '/', 'https://node');
    const [head, ...rest] = url.pathname.slice(1).split('/').map(decodeURIComponent);
    if (request.method === 'GET' && head === 'healthz' && rest.length === 0) {
      const problem = this.#options.healthProblem();
      return problem === undefined ? text(response, 200, 'ok') : text(response, 500, problem);
    }
    if (request.method === 'GET' && head === 'pods' && rest.length === 0) {
      const list = { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: this.#options.pods() };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(list));
      return;
    }
    if (request.method === 'GET' && url.pathname === '/metrics') {
      // A runtime that does not answer is no reason to say nothing.
      const volumes = await this.#options.usage().then(volumeMetrics, () => '');
      response.writeHead(200, { 'content-type': metricsContentType });
      response.end(this.#options.metrics.text() + volumes);
      return;
    }
    if (request.method === 'GET' && url.pathname === '/metrics/probes') {
      const here = new Set(this.#options.pods().map(({ metadata }) => metadata.uid));
      response.writeHead(200, { 'content-type': metricsContentType });
      response.end(this.#options.probes.text((uid) => here.has(uid)));
      return;
    }
    if (request.method === 'GET' && url.pathname === '/metrics/slis') {
      response.writeHead(200, { 'content-type': metricsContentType });
      response.end(this.#health.text());
      return;
    }
    if (request.method === 'GET' && url.pathname === '/metrics/resource') {
      const { runtime, pods, runtimeOf, nodeUse, clock } = this.#options;
      const stats = await runtime.containerStats();
      response.writeHead(200, { 'content-type': metricsContentType });
      response.end(resourceMetrics(pods(), runtimeOf, { stats, node: nodeUse(), nowMs: clock.nowMs() }));
      return;
    }
    if (
      request.method === 'GET' &&
      (url.pathname === '/stats/summary' || url.pathname === '/stats/summary/')
    ) {
      const told = summary(await this.#options.usage());
      if (url.searchParams.get('only_cpu_and_memory') === 'true') keepCpuAndMemory(told);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(told));
      return;
    }
    if (request.method === 'GET' && url.pathname === '/metrics/cadvisor') {
      const metrics = cadvisorMetrics(await this.#options.usage(), this.#options.cadvisor);
      response.writeHead(200, { 'content-type': metricsContentType });
      response.end(metrics);
      return;
    }
    if (request.method === 'GET' && head === 'containerLogs' && rest.length === 3)
      return this.#logs(
        { namespace: rest[0]!, pod: rest[1]!, container: rest[2]! },
        url.searchParams,
        response,
      );
    if (head === 'exec' || head === 'attach' || head === 'portForward')
      throw new Refusal(400, 'you must request an upgrade (WebSocket or SPDY)');
    throw new Refusal(404, `404 page not found`);
  }

  async #authorise(request: HttpRequest): Promise<void> {
    const verdict = await this.#options.authorizer.judge({
      method: request.method ?? 'GET',
      path: (request.url ?? '/').replace(/\?.*$/, ''),
      authorization: request.headers.authorization,
      peer: connectionOf(request).peer,
    });
    if (verdict.code !== 200) throw new Refusal(verdict.code, verdict.message);
  }

  #pod(namespace: string, name: string): Pod {
    const pod = this.#options.findPod(namespace, name);
    if (pod === undefined) throw new Refusal(404, `pod "${name}" not found`);
    return pod;
  }

  async #logs(
    at: { namespace: string; pod: string; container: string },
    query: URLSearchParams,
    response: HttpResponse,
  ): Promise<void> {
    const { clock, scope } = this.#options;
    const pod = this.#pod(at.namespace, at.pod);
    const { uid } = pod.metadata;
    const { containers } = this.#options.runtimeOf(uid);
    const known = [
      ...(pod.spec.initContainers ?? []),
      ...pod.spec.containers,
      ...(pod.spec.ephemeralContainers ?? []),
    ];
    if (!known.some((c) => c.name === at.container))
      throw new Refusal(400, `container "${at.container}" is not valid for pod "${at.pod}"`);
    const instances = containers.filter((c) => c.name === at.container && c.state !== 'created');
    const previous = query.get('previous') === 'true';
    const status = previous ? instances[1] : instances[0];
    if (status === undefined)
      throw new Refusal(
        400,
        previous
          ? `previous terminated container "${at.container}" in pod "${at.pod}" not found`
          : noLogYet(at, this.#options.statusOf(uid) ?? pod.status),
      );
    const options = parseLogOptions(query, clock.nowMs());
    const abort = new AbortController();
    response.on('close', () => abort.abort());
    const ended = () =>
      this.#options.runtimeOf(uid).containers.find((c) => c.id === status.id)?.state !== 'running';
    const source = {
      file: status.logPath,
      ended,
      clock,
      signal: AbortSignal.any([abort.signal, scope.signal]),
    };
    response.writeHead(200, { 'content-type': 'text/plain' });
    // The reader learns that it is connected before the first line comes.
    response.flushHeaders();
    await pipeline(Readable.from(streamLog(source, options), { objectMode: false }), response).catch(
      (error: NodeJS.ErrnoException) => {
        if (!abort.signal.aborted && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
      },
    );
  }
}

function text(response: HttpResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(body);
}

/** Throws a refusal that names the option. */
export function parseLogOptions(query: URLSearchParams, nowMs: number): LogOptions {
  const number = (key: string, least: number): number | undefined => {
    const value = query.get(key);
    if (value === null || value === '') return undefined;
    const parsed = Number(value);
    if (!Number.isInteger(parsed) || parsed < least)
      throw new Refusal(
        400,
        `invalid ${key}: ${JSON.stringify(value)} is not a whole number of at least ${least}`,
      );
    return parsed;
  };
  const sinceSeconds = number('sinceSeconds', 0);
  const sinceTime = query.get('sinceTime');
  const sinceTimeMs = sinceTime === null ? undefined : parseTime(sinceTime);
  if (sinceTime !== null && sinceTimeMs === undefined)
    throw new Refusal(400, `invalid sinceTime: ${sinceTime}`);
  const stream = query.get('stream')?.toLowerCase();
  return {
    follow: query.get('follow') === 'true',
    timestamps: query.get('timestamps') === 'true',
    tailLines: number('tailLines', 0),
    sinceMs: sinceSeconds !== undefined ? nowMs - sinceSeconds * 1000 : sinceTimeMs,
    limitBytes: number('limitBytes', 1),
    stream: stream === 'stdout' || stream === 'stderr' ? stream : undefined,
  };
}
