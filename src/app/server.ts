// `jotasu server`: storage, API server, controllers and scheduler wired into one process. The only place that knows them all.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Namespace, Node, Pod, Secret, ServiceAccount } from '../api/index.ts';
import {
  createApiServer,
  createAuthenticator,
  dnsServiceIps,
  type Existence,
  firstServiceIp,
  objectOf,
  parseTokenFile,
  resourceMetricsOf,
  ServiceAccountTokens,
  tokenChain,
  tokenTable,
  UsageScraper,
} from '../apiserver/index.ts';
import { type Clock, type Log, MetricRegistry, type Random, Scope } from '../base/index.ts';
import { type Client, checkElectionTiming, type ElectionTiming, mergeKubeconfig } from '../client/index.ts';
import type { AutoscalerSettings } from '../controllers/index.ts';
import { ensureDnsService } from '../dns/index.ts';
import { loadOrCreatePki, type Pki, startHttpsServer } from '../http/index.ts';
import { type KindDef, storageKey } from '../machinery/index.ts';
import type { NodeGroupBounds } from '../simulation/index.ts';
import { createStore, type Store } from '../storage/index.ts';
import { createAuthorization, joinTokens } from './authorization.ts';
import { agreeOnFounding } from './bootstrap/founding-values.ts';
import { shareMaterial } from './bootstrap/shared-material.ts';
import { keepCertificates } from './certificate-renewal.ts';
import { componentCheck } from './component-check.ts';
import { type ServerPart, startControlLoops } from './control-loops.ts';
import {
  DatastoreError,
  type DatastoreOptions,
  datastoreDefaults,
  openDatastore,
  parseDatastore,
} from './datastore.ts';
import { publishClusterSettings } from './join/cluster-settings.ts';
import { showProcess, showStorageSize } from './process-metrics.ts';
import { schedulerConfiguration } from './scheduler-configuration.ts';
import { SimulatedUsage } from './simulated-usage.ts';
import { versionInfo } from './version.ts';

export interface ServerOptions extends DatastoreOptions {
  /** Of the servers that share an etcd: opens what they share. undefined = the data directory's. */
  readonly token: string | undefined;
  /** A file that holds it. */
  readonly tokenFile: string | undefined;
  readonly bindAddress: string;
  /** 0 = any free port */
  readonly httpsListenPort: number;
  /** The address by which nodes and pods reach this server; '' = chosen from what it listens on. */
  readonly advertiseAddress: string;
  /** Further names and addresses for the serving certificate. */
  readonly tlsSans: readonly string[];
  readonly tokenAuthFile: string | undefined;
  /** A file to write an administrator's kubeconfig to. */
  readonly writeKubeconfig: string | undefined;
  readonly serviceCidr: string;
  readonly clusterCidr: string;
  readonly nodeCidrMaskSize: number;
  readonly nodeCidrMaskSizeIpv6: number;
  readonly clusterDomain: string;
  readonly without: readonly ServerPart[];
  /** Ranges of addresses for services of type LoadBalancer; none = the nodes' own. */
  readonly servicelbPool: readonly string[];
  /** Of the Leases that servers of one etcd stand for. */
  readonly leaderElectLeaseDurationMs: number;
  readonly leaderElectRenewDeadlineMs: number;
  readonly leaderElectRetryPeriodMs: number;
  readonly nodeMonitorGracePeriodMs: number;
  /** For nodes that have never had a Lease. */
  readonly nodeStartupGracePeriodMs: number;
  readonly unhealthyZoneThreshold: number;
  readonly nodeEvictionRate: number;
  readonly secondaryNodeEvictionRate: number;
  readonly largeClusterSizeThreshold: number;
  readonly terminatedPodGcThreshold: number;
  /** The longest life of certificates that are signed for requests. */
  readonly clusterSigningDurationMs: number;
  /** What is not named is as kube-controller-manager has it. */
  readonly horizontalPodAutoscaler: Partial<AutoscalerSettings>;
  /** 0 = never */
  readonly nodeOutOfServiceAfterMs: number;
  readonly defaultNotReadyTolerationSeconds: number;
  readonly defaultUnreachableTolerationSeconds: number;
  /** Watches and streams excepted. */
  readonly requestTimeoutMs: number;
  /** For watches that name no timeout: they end after this time or up to twice of it. 0 = never */
  readonly minRequestTimeoutSeconds: number;
  /** A line in the log for each API request. */
  readonly logRequests: boolean;
  /** Nodes without containers in this process: so many are made. 0 = only those that others make; undefined = none are run. */
  readonly simulateNodes: number | undefined;
  /** A YAML file that says what they are and what happens on them; docs/simulation.md. */
  readonly simulation: string | undefined;
  /** Groups of simulated nodes that grow and shrink with what pods need. */
  readonly simulateNodeGroups: readonly NodeGroupBounds[];
  /** How long a node of such a group is kept that is not needed, and after another was added. */
  readonly scaleDownUnneededTimeMs: number;
  readonly scaleDownDelayAfterAddMs: number;
  /** A KubeSchedulerConfiguration file; undefined = its defaults. */
  readonly schedulerConfig: string | undefined;
}

export const serverDefaults: ServerOptions = {
  dataDir: '/var/lib/jotasu/server',
  ...datastoreDefaults,
  token: undefined,
  tokenFile: undefined,
  bindAddress: '0.0.0.0',
  httpsListenPort: 6443,
  advertiseAddress: '',
  tlsSans: [],
  tokenAuthFile: undefined,
  writeKubeconfig: undefined,
  serviceCidr: '10.96.0.0/16',
  clusterCidr: '10.244.0.0/16',
  nodeCidrMaskSize: 24,
  nodeCidrMaskSizeIpv6: 64,
  clusterDomain: 'cluster.local',
  without: [],
  servicelbPool: [],
  leaderElectLeaseDurationMs: 4000,
  leaderElectRenewDeadlineMs: 3000,
  leaderElectRetryPeriodMs: 1000,
  nodeMonitorGracePeriodMs: 2000,
  nodeStartupGracePeriodMs: 60_000,
  unhealthyZoneThreshold: 0.55,
  nodeEvictionRate: 100,
  secondaryNodeEvictionRate: 0.01,
  largeClusterSizeThreshold: 50,
  terminatedPodGcThreshold: 12_500,
  clusterSigningDurationMs: 365 * 86_400_000,
  horizontalPodAutoscaler: {},
  nodeOutOfServiceAfterMs: 300,
  defaultNotReadyTolerationSeconds: 300,
  defaultUnreachableTolerationSeconds: 300,
  requestTimeoutMs: 60_000,
  minRequestTimeoutSeconds: 1800,
  logRequests: false,
  simulateNodes: undefined,
  simulation: undefined,
  simulateNodeGroups: [],
  scaleDownUnneededTimeMs: 600_000,
  scaleDownDelayAfterAddMs: 600_000,
  schedulerConfig: undefined,
};

export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

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
  try {
    const tokens =
      options.tokenAuthFile === undefined
        ? undefined
        : parseTokenFile(options.tokenAuthFile, readFileSync(options.tokenAuthFile, 'utf8'));
    const datastore = parseDatastore(options.datastoreEndpoint).kind;
    const isShared = datastore === 'etcd';
    if (!isShared && (options.token ?? options.tokenFile) !== undefined)
      throw new DatastoreError(
        '--token and --token-file are of use with etcd only: other stores have one server',
      );
    const election = electionOf(options);
    const simulation = await simulationOf(options);
    const scheduling = await schedulerConfiguration(options.schedulerConfig);
    const backend = await openDatastore(options, { clock, log });
    // Also when something fails before there is a store; a second close does nothing.
    scope.onStop(() => backend.close());
    const advertiseAddress =
      options.advertiseAddress === '' ? ownAddress(options.bindAddress) : options.advertiseAddress;
    const pkiDirectory = join(options.dataDir, 'pki');
    const loadPki = (directory = pkiDirectory) =>
      loadOrCreatePki(directory, {
        clusterDomain: options.clusterDomain,
        firstServiceIp: firstServiceIp(options.serviceCidr),
        hosts: [...new Set([advertiseAddress, ...options.tlsSans])],
        nowMs: clock.nowMs(),
        log,
      });
    const metrics = new MetricRegistry();
    showProcess(metrics, scope);
    if (datastore === 'lmdb') showStorageSize(metrics, 'lmdb', join(options.dataDir, 'db'));
    const store = await createStore(backend, { clock, log, metrics });
    scope.onStop(() => store.close());
    const place = `etcd under ${options.etcdPrefix}`;
    if (isShared)
      await shareMaterial({
        ...options,
        notes: backend,
        place,
        directory: pkiDirectory,
        complete: loadPki,
        hasObjects: store.count(Namespace.storagePrefix) > 0,
        nowMs: clock.nowMs(),
        log,
      });
    if (isShared)
      await agreeOnFounding({
        notes: backend,
        place,
        forget: `etcdctl del ${options.etcdPrefix.replace(/\/+$/, '')}/notes/founding`,
        values: options,
      });
    let pki = await loadPki();

    let port = options.httpsListenPort;
    const audiences = [`https://kubernetes.default.svc.${options.clusterDomain}`];
    const accountTokens = new ServiceAccountTokens({
      ...pki.serviceAccount,
      issuer: audiences[0]!,
      audiences,
      exists: existence(store),
      clock,
      random,
    });
    const token = tokenChain([
      ...(tokens === undefined ? [] : [tokenTable(tokens)]),
      joinTokens(store, clock),
      accountTokens.userOf,
    ]);
    const simulatedUsage = new SimulatedUsage();
    const nodeCredentials = {
      get cert() {
        return pki.kubeletClient.cert;
      },
      get key() {
        return pki.kubeletClient.key;
      },
      ca: pki.ca.cert,
    };
    const frontProxy = {
      get cert() {
        return pki.frontProxy.client.cert;
      },
      get key() {
        return pki.frontProxy.client.key;
      },
      get ca() {
        return pki.frontProxy.ca;
      },
    };
    const nodeUsage = new UsageScraper({
      clock,
      log: log.with({ part: 'usage' }),
      nodes: () => readyNodes(store),
      fetch: resourceMetricsOf(nodeCredentials),
    });
    const api = createApiServer({
      usage: [simulatedUsage, nodeUsage],
      store,
      clock,
      random,
      log: log.with({ part: 'apiserver' }),
      metrics,
      authenticate: createAuthenticator({
        token,
        anonymous: 'health',
        clock,
      }),
      authorize: createAuthorization(store, { hasIngress: !options.without.includes('ingress') }),
      clientCa: pki.ca.cert,
      token,
      tokens: accountTokens,
      audiences,
      components: [
        componentCheck('controller-manager', {
          store,
          clock,
          here: !options.without.includes('controllers'),
        }),
        componentCheck('scheduler', { store, clock, here: !options.without.includes('scheduler') }),
      ],
      frontProxy,
      nodeCredentials,
      version: versionInfo,
      serviceCidr: options.serviceCidr,
      nodePorts: [30000, 32767],
      defaultNotReadyTolerationSeconds: options.defaultNotReadyTolerationSeconds,
      defaultUnreachableTolerationSeconds: options.defaultUnreachableTolerationSeconds,
      advertiseAddress,
      advertisePort: () => port,
      requestTimeoutMs: options.requestTimeoutMs,
      minRequestTimeoutMs: options.minRequestTimeoutSeconds * 1000,
      requestLog: options.logRequests ? log : undefined,
    });
    const https = await startHttpsServer({
      host: options.bindAddress,
      port: options.httpsListenPort,
      cert: withAuthority(pki.serving.cert, pki),
      key: pki.serving.key,
      clientCa: pki.ca.cert,
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
    await ensureDnsService(api.client, { addresses: dnsServiceIps(options.serviceCidr), log });
    await publishClusterSettings(
      api.client,
      { ...options, clusterDns: dnsServiceIps(options.serviceCidr) },
      log,
    );
    scope.run('keep up', (signal) => api.keepUp(signal));
    scope.run('node usage', (signal) => nodeUsage.run(signal));

    await startControlLoops({
      ...options,
      api,
      rootCa: pki.ca.cert,
      certificateSigning: {
        ca: pki.ca,
        durationMs: options.clusterSigningDurationMs,
        serverNames: namesOf(pki.serving.cert),
      },
      election,
      simulation,
      simulatedUsage,
      schedulerConfiguration: scheduling,
      clock,
      random,
      log,
      scope,
      metrics,
    });

    const host =
      options.bindAddress === '0.0.0.0' || options.bindAddress === '::' ? '127.0.0.1' : options.bindAddress;
    const url = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
    const writeKubeconfig = async () => {
      const entry = {
        name: 'jotasu',
        server: url,
        ca: pki.ca.cert,
        cert: pki.admin.cert,
        key: pki.admin.key,
      };
      if (options.writeKubeconfig !== undefined) await mergeKubeconfig(options.writeKubeconfig, entry, clock);
    };
    await writeKubeconfig();
    scope.run('certificates', (signal) =>
      keepCertificates(
        {
          pki,
          load: () => loadPki(),
          https: { setCertificate: (cert, key) => https.setCertificate(withAuthority(cert, pki), key) },
          onRenewed: (renewed) => {
            pki = renewed;
            return writeKubeconfig();
          },
          clock,
          log: log.with({ part: 'certificates' }),
        },
        signal,
      ),
    );
    return { url, port, client: api.client, pki, stop: () => scope.stop() };
  } catch (error) {
    await scope.stop();
    throw error;
  }
}

/** A machine that joins learns the CA from the handshake and compares it with the hash in its token: app/join. */
const withAuthority = (cert: string, { ca }: Pki): string => `${cert}${ca.cert}`;

/** Those under which a certificate is shown. */
const namesOf = (cert: string): string[] =>
  (new X509Certificate(cert).subjectAltName ?? '').split(', ').map((name) => name.replace(/^[^:]*:/, ''));

/** null when no other server can share the store. Throws ElectionTimingError. */
function electionOf(options: ServerOptions): ElectionTiming | null {
  if (parseDatastore(options.datastoreEndpoint).kind !== 'etcd') return null;
  return checkElectionTiming({
    leaseDurationMs: options.leaderElectLeaseDurationMs,
    renewDeadlineMs: options.leaderElectRenewDeadlineMs,
    retryPeriodMs: options.leaderElectRetryPeriodMs,
  });
}

/** Throws ScriptError, and what reading a file throws. */
async function simulationOf(options: ServerOptions) {
  const { simulateNodeGroups: groups, simulation: file } = options;
  const nodes = options.simulateNodes ?? (groups.length > 0 ? 0 : undefined);
  if (nodes === undefined) return undefined;
  // Loaded when it is asked for: a server without simulated nodes starts sooner.
  const { defaultScript, parseScript } = await import('../simulation/index.ts');
  const script = file === undefined ? defaultScript : await parseScript(readFileSync(file, 'utf8'));
  const scaleDown = {
    unneededMs: options.scaleDownUnneededTimeMs,
    delayAfterAddMs: options.scaleDownDelayAfterAddMs,
  };
  return { nodes, groups, scaleDown, script, version: versionInfo.gitVersion };
}

/** The address of this machine that others most likely reach: what it is bound to, else the first outside one. */
function ownAddress(bindAddress: string): string {
  if (bindAddress !== '0.0.0.0' && bindAddress !== '::' && !bindAddress.startsWith('127.'))
    return bindAddress;
  for (const list of Object.values(networkInterfaces())) {
    for (const address of list ?? [])
      if (address.family === 'IPv4' && !address.internal) return address.address;
  }
  return '127.0.0.1';
}

/** What tokens are bound to. */
function existence(store: Store): Existence {
  const is = (kind: KindDef, namespace: string | undefined, { name, uid }: { name: string; uid: string }) => {
    const entry = store.get(storageKey(kind, { namespace, name }));
    return entry !== undefined && objectOf(entry).metadata.uid === uid;
  };
  const of = (kind: unknown) => (namespace: string, what: { name: string; uid: string }) =>
    is(kind as KindDef, namespace, what);
  return {
    account: of(ServiceAccount),
    pod: of(Pod),
    secret: of(Secret),
    node: (node) => is(Node as unknown as KindDef, undefined, node),
  };
}

/** Those that can be asked what they use: nobody listens at the addresses of simulated ones. */
function readyNodes(store: Store): readonly Node[] {
  return store
    .list(Node.storagePrefix)
    .map((entry) => objectOf<Node>(entry))
    .filter(
      ({ status }) =>
        status?.nodeInfo?.containerRuntimeVersion?.startsWith('simulation:') !== true &&
        status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true,
    );
}
