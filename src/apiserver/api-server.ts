// The API server put together: registry over a store, admission, HTTP handler and in-process client. No process, no port, no
// files here; `app` brings those.
import type { Duplex } from 'node:stream';
import {
  answeredKinds,
  kinds as builtInKinds,
  type MetricSource,
  Namespace,
  PriorityClass,
  Service,
  type UsageSource,
} from '../api/index.ts';
import { type Clock, type Log, type MetricRegistry, type Random, showVersion, sleep } from '../base/index.ts';
import { type Client, createClient, type Transport } from '../client/index.ts';
import { frontProxyClientName, type HttpRequest, type HttpResponse } from '../http/index.ts';
import { isAlreadyExists, isConflict, type KindDef } from '../machinery/index.ts';
import type { Store } from '../storage/index.ts';
import { admissionChain } from './admission/chain.ts';
import { Aggregator } from './aggregation/aggregator.ts';
import type { FrontProxy } from './aggregation/identity.ts';
import { routedTransport } from './aggregation/routed-transport.ts';
import { answeredBy } from './answered/all.ts';
import type { ComponentCheck } from './answered/component-statuses.ts';
import { ensureLocalApiServices } from './api-services.ts';
import type { Authenticate, TokenAuthenticator } from './auth/authenticate.ts';
import type { Authorize } from './auth/authorize.ts';
import type { ServiceAccountTokens } from './auth/service-account-tokens.ts';
import { postStartHooks } from './bootstrap.ts';
import { ensureFlowControl } from './bootstrap-flow-control.ts';
import { keepClientAuthentication } from './client-authentication.ts';
import { CustomResources } from './custom-resources/definitions.ts';
import { createHandler } from './endpoints/handler.ts';
import type { InFlightLimits } from './endpoints/in-flight.ts';
import { showStore } from './endpoints/metrics-server.ts';
import type { VersionInfo } from './endpoints/path.ts';
import type { NodeCredentials } from './endpoints/targets.ts';
import { borrowingPeriodMs, FlowControl } from './flow-control/flow-control.ts';
import { healthChecks } from './health-checks.ts';
import { inProcessTransport } from './in-process.ts';
import { KubernetesService } from './kubernetes-service.ts';
import { WorkloadMetrics } from './metrics-api/workload-metrics.ts';
import { createOpenApi } from './openapi/openapi.ts';
import type { RegistryCore } from './registry/core.ts';
import { KindTable } from './registry/kind-table.ts';
import { firstServiceIp, parseRanges } from './service-ips/address-range.ts';
import { ServiceIps } from './service-ips/service-ips.ts';

export interface ApiServerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Counted into, and shown at /metrics with whatever else its maker counts. */
  readonly metrics: MetricRegistry;
  readonly authenticate: Authenticate;
  readonly authorize: Authorize;
  readonly nodeCredentials: NodeCredentials;
  readonly version: VersionInfo;
  readonly serviceCidr: string;
  readonly nodePorts: readonly [number, number];
  readonly defaultNotReadyTolerationSeconds: number;
  readonly defaultUnreachableTolerationSeconds: number;
  /** The address and port by which pods and nodes reach this server. */
  readonly advertiseAddress: string;
  /** Asked once it is needed: with port 0 it is known only after listening. */
  readonly advertisePort: () => number;
  /** How many requests may run at once; undefined = as many as kube-apiserver allows. */
  readonly inFlight?: InFlightLimits | undefined;
  /** False: these limits alone hold. Otherwise their sum is what the priority levels share. */
  readonly priorityAndFairness?: boolean | undefined;
  /** The authority behind clients' certificates, in PEM; undefined = there is none. */
  readonly clientCa?: string | undefined;
  /** What this server shows to other API servers; undefined = nothing, so they take its requests for nobody's. */
  readonly frontProxy?: FrontProxy | undefined;
  /** Whose a bearer token is, for token reviews; undefined = no token is known. */
  readonly token?: TokenAuthenticator | undefined;
  /** Signs tokens of service accounts; undefined = they are refused. */
  readonly tokens?: ServiceAccountTokens | undefined;
  /** For whom this server's tokens are good; undefined = for `https://kubernetes.default.svc`. */
  readonly audiences?: readonly string[] | undefined;
  /** The parts of the control plane besides the store. */
  readonly components?: readonly ComponentCheck[] | undefined;
  /** What nodes and pods use, for metrics.k8s.io; the first source that knows one answers. */
  readonly usage?: readonly UsageSource[] | undefined;
  /** For custom.metrics.k8s.io and external.metrics.k8s.io. */
  readonly workloadMetrics?: readonly MetricSource[] | undefined;
  /** How long a request may take, watches and streams excepted; 0 = as long as it takes, undefined = a minute. */
  readonly requestTimeoutMs?: number | undefined;
  /** For watches that name no timeout; 0 = they never end, undefined = 30 minutes. */
  readonly minRequestTimeoutMs?: number | undefined;
  /** Gets a line for each request. */
  readonly requestLog?: Log | undefined;
  /** undefined = the built-in kinds */
  readonly kinds?: readonly KindDef[] | undefined;
}

export interface ApiServer {
  readonly client: Client;
  readonly transport: Transport;
  onRequest(request: HttpRequest, response: HttpResponse): void;
  onUpgrade(request: HttpRequest, socket: Duplex, head: Buffer): void;
  /** Makes what every cluster starts with; /readyz fails until it is done. */
  bootstrap(): Promise<void>;
  /** After `bootstrap`: puts back every 10 s what a cluster cannot do without, until the signal aborts. */
  keepUp(signal: AbortSignal): Promise<void>;
  /** /readyz fails from now on, so that nobody sends new work; watches end, other requests are finished. */
  drain(): void;
}

/** kubectl knows the store as etcd. */
const storeCheck = (store: Store): ComponentCheck => ({
  name: 'etcd-0',
  check: () =>
    store.catchUp().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    ),
});

/** As often as kube-apiserver. */
const keepUpMs = 10_000;
/** Of schemas and levels of priority and fairness, as often as kube-apiserver. */
const keepFlowControlMs = 60_000;
/** For servers that share a store: how soon the loss of one is noticed depends on it. */
const keepAddressesMs = 1000;

export function createApiServer(options: ApiServerOptions): ApiServer {
  const kinds = new KindTable(options.kinds ?? [...builtInKinds, ...answeredKinds]);
  const { store, clock, random, log, metrics } = options;
  showVersion(metrics, options.version);
  showStore(metrics, store, kinds);
  const serviceIps = new ServiceIps({
    kind: Service,
    store,
    client: () => client,
    clock,
    random,
    log,
    serviceCidr: options.serviceCidr,
    nodePorts: options.nodePorts,
  });
  let starting = true;
  const core: RegistryCore = {
    store,
    kinds,
    answered: answeredBy({
      authorize: options.authorize,
      identity: {
        token: options.token ?? (() => undefined),
        audiences: options.audiences ?? ['https://kubernetes.default.svc'],
      },
      components: [...(options.components ?? []), storeCheck(store)],
      usage: options.usage ?? [],
    }),
    tokens: options.tokens ?? null,
    authorize: options.authorize,
    workloadMetrics: new WorkloadMetrics({ sources: options.workloadMetrics ?? [], store, kinds }),
    admission: admissionChain({
      isStarting: () => starting,
      authorize: options.authorize,
      store,
      clock,
      random,
      log,
      metrics,
      kinds,
      namespaces: Namespace,
      priorityClasses: PriorityClass,
      defaultNotReadyTolerationSeconds: options.defaultNotReadyTolerationSeconds,
      defaultUnreachableTolerationSeconds: options.defaultUnreachableTolerationSeconds,
    }),
    allocators: new Map([[serviceIps.kind, serviceIps]]),
    clock,
    random,
    log,
  };
  const { frontProxy } = options;
  const aggregator = new Aggregator({ store, kinds, clock, random, log, metrics, frontProxy });
  const { remotes, clients } = aggregator;
  const inner = inProcessTransport(core);
  const transport = routedTransport({ inner, remotes, clients, clock, random });
  const client = createClient(transport);
  const customResources = new CustomResources(core, client);

  // Made once it is needed: the port is known only after listening.
  let service: KubernetesService | undefined;
  const kubernetesService = () => {
    service ??= new KubernetesService(client, {
      serviceIp: firstServiceIp(options.serviceCidr),
      address: options.advertiseAddress,
      port: options.advertisePort(),
      shared: store.shared,
      clock,
    });
    return service;
  };
  const clientAuthentication = () => ({
    clientCa: options.clientCa,
    frontProxyCa: frontProxy?.ca,
    frontProxyName: frontProxyClientName,
    nowMs: clock.nowMs(),
  });
  let draining = false;
  const pending = new Set(postStartHooks.map(({ name }) => name));
  const inFlight = options.inFlight ?? { reads: 400, writes: 200 };
  const flowControl =
    options.priorityAndFairness === false
      ? null
      : new FlowControl({ store, clock, metrics, seats: inFlight.reads + inFlight.writes });
  const handler = createHandler({
    core,
    clock,
    jitter: () => random.next(),
    log,
    authenticate: options.authenticate,
    authorize: options.authorize,
    aggregator,
    openApi: createOpenApi({
      kinds: {
        get all() {
          return remotes.withoutRemote(kinds.all);
        },
      },
      remote: aggregator.specs,
      version: options.version.gitVersion,
      clock,
    }),
    credentials: options.nodeCredentials,
    inFlight,
    flowControl,
    metrics,
    version: options.version,
    publicAddress: () => `${options.advertiseAddress}:${options.advertisePort()}`,
    health: healthChecks({ store, clock, pending, draining: () => draining }),
    requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
    minRequestTimeoutMs: options.minRequestTimeoutMs ?? 1_800_000,
    requestLog: options.requestLog,
  });
  return {
    client,
    transport,
    onRequest: handler.onRequest,
    onUpgrade: handler.onUpgrade,
    async bootstrap() {
      aggregator.start();
      await customResources.start();
      const known = {
        core,
        kubernetesService: kubernetesService(),
        clientAuthentication,
        serviceCidrs: parseRanges(options.serviceCidr).map(({ cidr }) => cidr),
        repairServiceIps: () => serviceIps.repair(),
      };
      for (const { name, run } of postStartHooks) {
        await run(client, known);
        pending.delete(name);
      }
      await ensureLocalApiServices(
        client,
        kinds.all.filter((kind) => kind.custom === null),
      );
      starting = false;
    },
    async keepUp(signal) {
      const each = async (ms: number, keep: () => Promise<void>): Promise<void> => {
        while (!signal.aborted) {
          await sleep(clock, ms, signal).catch(() => {});
          if (signal.aborted) break;
          // A race that another server won, or a store that is away: the next round sees.
          await keep().catch((error: unknown) => {
            if (!isConflict(error) && !isAlreadyExists(error))
              log.warn('cannot keep up what every cluster has', { error });
          });
        }
      };
      await Promise.all([
        aggregator.run(client, signal),
        each(keepUpMs, async () => {
          await kubernetesService().keep();
          await keepClientAuthentication(client, clientAuthentication());
        }),
        each(keepFlowControlMs, () => ensureFlowControl(client)),
        flowControl === null ? undefined : each(borrowingPeriodMs, async () => flowControl.adjust()),
        store.shared ? each(keepAddressesMs, () => kubernetesService().keepAddresses()) : undefined,
      ]);
      await kubernetesService().leave();
    },
    drain() {
      draining = true;
      handler.drain();
    },
  };
}
