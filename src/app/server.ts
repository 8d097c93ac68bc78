// `jotasu server`: storage, API server, controllers and scheduler wired into one process. The only place that knows them all; read from
// top to bottom it is what a start does, in order.
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Namespace } from '../api/index.ts';
import { createApiServer, dnsServiceIps, firstServiceIp } from '../apiserver/index.ts';
import { MetricRegistry, Scope } from '../base/index.ts';
import { type Client, mergeKubeconfig } from '../client/index.ts';
import { ensureDnsService } from '../dns/index.ts';
import { loadOrCreatePki, type Pki, startHttpsServer } from '../http/index.ts';
import { createStore, type NotedBackend, type Store } from '../storage/index.ts';
import { createAuthentication } from './authentication.ts';
import { createAuthorization } from './authorization.ts';
import { agreeWithOtherServers } from './bootstrap/other-servers.ts';
import { componentCheck } from './component-check.ts';
import { startControlLoops } from './control-loops.ts';
import { openDatastore, parseDatastore } from './datastore.ts';
import { publishClusterSettings } from './join/cluster-settings.ts';
import { createNodeUsage } from './node-usage.ts';
import { showProcess, showStorageSize } from './process-metrics.ts';
import { localUrl, planAdvertiseAddress } from './server-addresses.ts';
import { ServerCertificates } from './server-certificates.ts';
import type { ServerOptions } from './server-options.ts';
import { readServerSettings } from './server-settings.ts';
import { SimulatedUsage } from './simulated-usage.ts';
import type { Surroundings } from './surroundings.ts';
import { versionInfo } from './version.ts';

export interface RunningServer {
  /** e.g. `https://127.0.0.1:6443` */
  readonly url: string;
  readonly port: number;
  readonly client: Client;
  readonly pki: Pki;
  /** Stops taking requests, lets running ones end, closes the store. */
  stop(): Promise<void>;
}

/** How long requests may still run after a stop was asked for: less than the 10 s after which supervisors commonly kill. */
const drainMs = 8000;

/** Starts everything; resolves when /readyz says ok. What was started before a failure is stopped again. */
export async function startServer(
  options: ServerOptions,
  { clock, random, log }: Surroundings,
): Promise<RunningServer> {
  const scope = new Scope(log);
  const runsHere = (part: ServerOptions['without'][number]) => !options.without.includes(part);
  try {
    const settings = await readServerSettings(options);
    const advertiseAddress =
      options.advertiseAddress === ''
        ? planAdvertiseAddress(options.bindAddress, networkInterfaces())
        : options.advertiseAddress;
    const metrics = new MetricRegistry();
    showProcess(metrics, scope);
    const { backend, store } = await openStore(options, { clock, log, metrics, scope });
    const certificates = await openCertificates(options, { advertiseAddress, backend, store, clock, log });
    const { ca, serviceAccount } = certificates.pki;

    const simulatedUsage = new SimulatedUsage();
    const nodeUsage = createNodeUsage({
      store,
      credentials: certificates.toNodes,
      clock,
      log: log.with({ part: 'usage' }),
    });
    let port = options.httpsListenPort;
    const api = createApiServer({
      store,
      clock,
      random,
      log: log.with({ part: 'apiserver' }),
      metrics,
      ...createAuthentication({
        store,
        users: settings.users,
        serviceAccount,
        clusterDomain: options.clusterDomain,
        clock,
        random,
      }),
      authorize: createAuthorization(store, { hasIngress: runsHere('ingress') }),
      clientCa: ca.cert,
      frontProxy: certificates.toServers,
      nodeCredentials: certificates.toNodes,
      usage: [simulatedUsage, nodeUsage],
      components: [
        componentCheck('controller-manager', { store, clock, here: runsHere('controllers') }),
        componentCheck('scheduler', { store, clock, here: runsHere('scheduler') }),
      ],
      version: versionInfo,
      serviceCidr: options.serviceCidr,
      nodePorts: [30000, 32767],
      defaultNotReadyTolerationSeconds: options.defaultNotReadyTolerationSeconds,
      defaultUnreachableTolerationSeconds: options.defaultUnreachableTolerationSeconds,
      advertiseAddress,
      advertisePort: () => port,
      inFlight: { reads: options.maxRequestsInflight, writes: options.maxMutatingRequestsInflight },
      priorityAndFairness: options.enablePriorityAndFairness,
      requestTimeoutMs: options.requestTimeoutMs,
      minRequestTimeoutMs: options.minRequestTimeoutSeconds * 1000,
      requestLog: options.logRequests ? log : undefined,
    });
    const https = await startHttpsServer({
      host: options.bindAddress,
      port: options.httpsListenPort,
      ...certificates.serving,
      clientCa: ca.cert,
      onRequest: api.onRequest,
      onUpgrade: api.onUpgrade,
      clock,
      log: log.with({ part: 'https' }),
    });
    port = https.port;
    scope.onStop(async () => {
      api.drain();
      await https.close(drainMs);
    });

    await api.bootstrap();
    const clusterDns = dnsServiceIps(options.serviceCidr);
    await ensureDnsService(api.client, { addresses: clusterDns, log });
    await publishClusterSettings(api.client, { ...options, clusterDns }, log);
    scope.run('keep up', (signal) => api.keepUp(signal));
    scope.run('node usage', (signal) => nodeUsage.run(signal));

    await startControlLoops({
      ...options,
      api,
      rootCa: ca.cert,
      certificateSigning: {
        ca,
        durationMs: options.clusterSigningDurationMs,
        serverNames: certificates.servingNames,
      },
      election: settings.election,
      simulation: settings.simulation,
      simulatedUsage,
      schedulerConfiguration: settings.scheduling,
      clock,
      random,
      log,
      scope,
      metrics,
    });

    const url = localUrl(options.bindAddress, port);
    const writeKubeconfig = async () => {
      const { cert, key } = certificates.pki.admin;
      const entry = { name: 'jotasu', server: url, ca: certificates.pki.ca.cert, cert, key };
      if (options.writeKubeconfig !== undefined) await mergeKubeconfig(options.writeKubeconfig, entry, clock);
    };
    await writeKubeconfig();
    scope.run('certificates', (signal) =>
      certificates.keep(
        { https, onRenewed: writeKubeconfig, clock, log: log.with({ part: 'certificates' }) },
        signal,
      ),
    );
    return { url, port, client: api.client, pki: certificates.pki, stop: () => scope.stop() };
  } catch (error) {
    await scope.stop();
    throw error;
  }
}

interface StoreSurroundings extends Pick<Surroundings, 'clock' | 'log'> {
  readonly metrics: MetricRegistry;
  readonly scope: Scope;
}

/** Both are closed with the scope. Rejects as `openDatastore` does. */
async function openStore(
  options: ServerOptions,
  { clock, log, metrics, scope }: StoreSurroundings,
): Promise<{ readonly backend: NotedBackend; readonly store: Store }> {
  const backend = await openDatastore(options, { clock, log });
  // Also when something fails before there is a store; a second close does nothing.
  scope.onStop(() => backend.close());
  if (parseDatastore(options.datastoreEndpoint).kind === 'lmdb')
    showStorageSize(metrics, 'lmdb', join(options.dataDir, 'db'));
  const store = await createStore(backend, {
    clock,
    log,
    metrics,
    pastListsMs: options.etcdCompactionIntervalMs,
  });
  scope.onStop(() => store.close());
  return { backend, store };
}

interface CertificateSurroundings extends Pick<Surroundings, 'clock' | 'log'> {
  readonly advertiseAddress: string;
  readonly backend: NotedBackend;
  readonly store: Store;
}

/** Those of the data directory; what other servers must have too comes from the datastore, or goes there. Rejects with PkiError. */
async function openCertificates(
  options: ServerOptions,
  { advertiseAddress, backend, store, clock, log }: CertificateSurroundings,
): Promise<ServerCertificates> {
  const directory = join(options.dataDir, 'pki');
  const load = (from: string) =>
    loadOrCreatePki(from, {
      clusterDomain: options.clusterDomain,
      firstServiceIp: firstServiceIp(options.serviceCidr),
      hosts: [...new Set([advertiseAddress, ...options.tlsSans])],
      nowMs: clock.nowMs(),
      log,
    });
  if (store.shared)
    await agreeWithOtherServers({
      options,
      notes: backend,
      directory,
      complete: load,
      hasObjects: store.count(Namespace.storagePrefix) > 0,
      nowMs: clock.nowMs(),
      log,
    });
  return ServerCertificates.open(() => load(directory));
}
