// `jotasu agent`: one node wired from its parts: a client of the API server, a containerd, the pod network, the node agent.

import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Node } from '../api/index.ts';
import { MetricRegistry, Scope, showVersion } from '../base/index.ts';
import { CommandFailure } from '../cli/index.ts';
import {
  countRequests,
  createClient,
  createHttpsTransport,
  createInformers,
  createServersClient,
  readKubeconfig,
  withoutManagedFields,
} from '../client/index.ts';
import { createHttpsClient, type HttpsServer } from '../http/index.ts';
import type { KubeObject } from '../machinery/index.ts';
import {
  checkAllowedSysctl,
  createNodeNetwork,
  type NodeSettings,
  type PodNetworkBackend,
  parseNodeSettings,
  startAgent,
} from '../node/index.ts';
import {
  connectRuntime,
  containerdSocket,
  existingContainerd,
  localPauseImage,
  startContainerd,
  systemExec,
} from '../os/index.ts';
import { hostOf } from './join/authority.ts';
import { CertificateMetrics } from './join/certificate-metrics.ts';
import { joinCluster, type Membership } from './join/join.ts';
import { firstServing, keepMembership } from './join/membership.ts';
import { followServers, readKnownServers } from './known-servers.ts';
import { addressTowards, planNodeIps } from './node-addresses.ts';
import { startDns } from './node-dns.ts';
import { startIngress } from './node-ingress.ts';
import { startPolicies } from './node-policies.ts';
import { startAnnouncer, startProxy } from './node-proxy.ts';
import { showProcess } from './process-metrics.ts';
import type { Surroundings } from './surroundings.ts';
import { versionInfo } from './version.ts';

export interface AgentConfig {
  /** The API servers, as far as they were given: `https://HOST:PORT`. */
  readonly servers: readonly string[];
  /** PEM */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Of the node's own HTTPS server. PEM */
  readonly servingCert: string;
  readonly servingKey: string;
  readonly nodeName: string;
  /** One, or one of each family; the first is the one by which the server reaches the node. */
  readonly nodeIps: readonly string[];
  readonly stateDir: string;
  readonly runDir: string;
  readonly cgroupParent: string;
  /** A runtime that somebody else runs; undefined = an own containerd. */
  readonly containerRuntimeEndpoint: string | undefined;
  /** One range, or one of each family with a comma between. */
  readonly clusterCidr: string;
  readonly clusterDomain: string;
  readonly clusterDns: readonly string[];
  /** Parts that somebody else is. */
  readonly without: readonly ('dns' | 'ingress')[];
  readonly podNetwork: PodNetworkBackend;
  readonly labels: Readonly<Record<string, string>>;
  readonly port: number;
  readonly maxPods: number | undefined;
  readonly podManifestPath: string | undefined;
  readonly allowedUnsafeSysctls: readonly string[];
  readonly podMaxPids: number | undefined;
  readonly settings: NodeSettings;
  /** Which all nodes of this machine see; undefined = it is this node's alone. */
  readonly sharedDir: string | undefined;
  /** Ranges of the node's addresses at which node ports answer; undefined = `nodeIps`. */
  readonly nodeportAddresses: readonly string[] | undefined;
  /** Of a node that joined by a token: its certificates are kept there, and replaced before they end. undefined = they are files of somebody else. */
  readonly membership: Membership | undefined;
  /** Whether the serving certificate is one of those too. */
  readonly keepsServing: boolean;
}

export interface RunningNode {
  readonly port: number;
  /** Ends its pods in order, because the machine ends. Resolves when they have, or when their time is over. */
  shutdown(): Promise<void>;
  callOffShutdown(): void;
  /** Ends the agent and its containerd. Containers go on. */
  stop(): Promise<void>;
}

const userAgent = `jotasu-agent/${versionInfo.gitVersion}`;
const requestTimeoutMs = 15_000;
const cniBinDirs = '/usr/lib/cni';
const cniDataDir = '/var/lib/cni';

/** Every node holds all of these, and writes none. */
const onlyRead = new Set(['Service', 'EndpointSlice', 'NetworkPolicy']);
const trimmed = <T extends KubeObject>(object: T): T =>
  onlyRead.has(object.kind) ? withoutManagedFields(object) : object;

/** Resolves when the node is registered and follows its pods. */
export async function startNode(
  config: AgentConfig,
  { clock, random, log }: Surroundings,
): Promise<RunningNode> {
  const scope = new Scope(log);
  try {
    const { ca, cert, key } = config;
    const metrics = new MetricRegistry();
    showProcess(metrics, scope);
    showVersion(metrics, versionInfo);
    const certificates = new CertificateMetrics(metrics, clock);
    certificates.use('client', cert);
    certificates.use('serving', config.servingCert);
    const http = createServersClient({
      servers: config.servers,
      learnt: readKnownServers(config.stateDir, log),
      open: (server) =>
        countRequests(
          createHttpsClient({ server, ca, cert, key, userAgent, timeoutMs: requestTimeoutMs, clock }),
          { registry: metrics, clock, server },
        ),
      clock,
      log,
    });
    scope.onStop(() => http.close());
    const client = createClient(createHttpsTransport({ http, clock, random }), 'kubelet');
    // A scope of their own, so that they end after everybody who reads them.
    const following = new Scope(log);
    scope.onStop(() => following.stop());
    const informers = createInformers(client, { scope: following, log, clock, random, trim: trimmed });
    followServers({ informers, servers: http, stateDir: config.stateDir, log });
    // Early: what asks for names while this starts shall wait as little as possible.
    const dns = await startDns(config, { informers, clock, random, log: log.with({ part: 'dns' }) });
    scope.onStop(() => dns.stop());
    const cniConfDir = join(config.runDir, 'cni/net.d');
    const containerdDir = join(config.runDir, 'containerd');
    // Not awaited here: while it starts, the node is heard of already.
    const starting =
      config.containerRuntimeEndpoint === undefined
        ? startContainerd({
            rootDir: join(config.stateDir, 'containerd'),
            runDir: containerdDir,
            logFile: join(config.stateDir, 'log/containerd.log'),
            cniBinDir: cniBinDirs,
            cniConfDir,
            cniDataDir,
            searchPath: process.env['PATH'] ?? '',
            exec: systemExec,
            clock,
            log: log.with({ part: 'containerd' }),
          })
        : Promise.resolve(existingContainerd(systemExec, config.containerRuntimeEndpoint, localPauseImage));
    const containerd = starting.catch(() => undefined);
    scope.onStop(async () => (await containerd)?.stop());
    const runtime = await connectRuntime({
      socketPath: config.containerRuntimeEndpoint ?? containerdSocket(containerdDir),
      clock,
    });
    scope.onStop(() => runtime.close());
    const proxy = startProxy(config, { informers, clock, log: log.with({ part: 'proxy' }) });
    scope.onStop(() => proxy.stop());
    const announcer = startAnnouncer(config, { informers, clock, log: log.with({ part: 'announcer' }) });
    scope.onStop(() => announcer.stop());
    const ingress = startIngress(config, { client, informers, clock, log: log.with({ part: 'ingress' }) });
    scope.onStop(() => ingress.stop());
    const policies = startPolicies(config, {
      client,
      informers,
      clock,
      random,
      log: log.with({ part: 'policies' }),
    });
    scope.onStop(() => policies.stop());
    let server: Pick<HttpsServer, 'setCertificate'> | undefined;
    const agent = await startAgent({
      client,
      metrics,
      informers,
      nodeName: config.nodeName,
      nodeIps: config.nodeIps,
      clusterDns: config.clusterDns,
      clusterDomain: config.clusterDomain,
      runtime,
      runtimeStarted: starting,
      exec: systemExec,
      stateDir: config.stateDir,
      logDir: join(config.stateDir, 'log'),
      cgroupParent: config.cgroupParent,
      network: createNodeNetwork({
        exec: systemExec,
        nodeName: config.nodeName,
        clusterCidr: config.clusterCidr,
        cniConfDir,
        cniDataDir,
        backend: config.podNetwork,
        nodeIps: config.nodeIps,
        annotate: async (annotations) => {
          await client(Node).patch({ name: config.nodeName }, 'merge', { metadata: { annotations } });
        },
        log: log.with({ part: 'network' }),
      }),
      isolate: policies.isolate,
      server: {
        host: config.nodeIps[0]!,
        port: config.port,
        cert: config.servingCert,
        key: config.servingKey,
        clientCa: config.ca,
        onListening: (listening) => (server = listening),
      },
      labels: config.labels,
      maxPods: config.maxPods,
      podManifestPath: config.podManifestPath,
      podMaxPids: config.podMaxPids,
      settings: config.settings,
      sharedDir: config.sharedDir,
      admission: { allowedSysctls: config.allowedUnsafeSysctls },
      version: versionInfo.gitVersion,
      clock,
      random,
      log,
    });
    scope.onStop(() => agent.stop());
    await agent.ready;
    if (config.membership !== undefined)
      keepMembership({
        ...config,
        membership: config.membership,
        client,
        http,
        server: config.keepsServing ? server : undefined,
        metrics: certificates,
        scope,
        clock,
        random,
        log: log.with({ part: 'certificates' }),
      });
    return {
      port: agent.port,
      shutdown: () => agent.shutdown(),
      callOffShutdown: () => agent.callOffShutdown(),
      stop: () => scope.stop(),
    };
  } catch (error) {
    await scope.stop();
    throw error;
  }
}

/** What the flags say, completed from files and from the machine. Rejects with a CommandFailure that names what is missing. */
export async function agentConfig(
  flags: Parameters<import('../cli/index.ts').Handlers['agent']>[0],
  around: Surroundings & { readonly signal: AbortSignal },
): Promise<AgentConfig> {
  const nodeName = flags.nodeName ?? hostname().toLowerCase();
  const stateDir = flags.stateDir ?? '/var/lib/jotasu/agent';
  const membership = isMember(flags)
    ? await joinCluster({
        ...around,
        servers: flags.server!,
        token: flags.token,
        nodeName,
        stateDir,
        userAgent,
      })
    : undefined;
  const credentials =
    membership !== undefined
      ? { servers: flags.server!, ca: membership.ca, ...membership.client }
      : flags.kubeconfig === undefined
        ? filesOf(flags)
        : await fromKubeconfig(flags.kubeconfig);
  const told = membership?.settings;
  const clusterCidr = flags.clusterCidr ?? told?.clusterCidr ?? '10.244.0.0/16';
  const nodeIps =
    flags.nodeIp?.split(',') ??
    planNodeIps(await addressTowards(credentials.servers), clusterCidr, networkInterfaces());
  const serving =
    membership === undefined
      ? credentials
      : await firstServing(membership, { nodeName, nodeIps }, around.clock);
  const read = (file: string | undefined, otherwise: string): string =>
    file === undefined ? otherwise : readFileSync(file, 'utf8');
  const labels = Object.fromEntries(
    (flags.nodeLabels ?? []).map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  return {
    ...credentials,
    membership,
    keepsServing: flags.tlsCertFile === undefined,
    servingCert: read(flags.tlsCertFile, serving.cert),
    servingKey: read(flags.tlsPrivateKeyFile, serving.key),
    nodeName,
    nodeIps,
    stateDir,
    runDir: flags.runDir ?? '/run/jotasu',
    cgroupParent: flags.cgroupParent ?? '/jotasu',
    containerRuntimeEndpoint: flags.containerRuntimeEndpoint?.replace(/^unix:\/\//, ''),
    clusterCidr,
    clusterDomain: flags.clusterDomain ?? told?.clusterDomain ?? 'cluster.local',
    clusterDns: flags.clusterDns ?? told?.clusterDns ?? [],
    without: flags.without ?? [],
    podNetwork: podNetworkOf(flags, nodeIps),
    labels,
    port: flags.port ?? 10250,
    maxPods: flags.maxPods,
    podManifestPath: flags.podManifestPath,
    allowedUnsafeSysctls: checkedSysctls(flags.allowedUnsafeSysctls ?? []),
    podMaxPids: flags.podMaxPids,
    settings: settingsOf(flags),
    sharedDir: flags.sharedMachineDir,
    nodeportAddresses: flags.nodeportAddresses,
  };
}

function settingsOf(flags: Flags): NodeSettings {
  try {
    return parseNodeSettings(flags);
  } catch (error) {
    throw new CommandFailure((error as Error).message, { exitCode: 2, cause: error });
  }
}

function checkedSysctls(patterns: readonly string[]): readonly string[] {
  for (const pattern of patterns) {
    const problem = checkAllowedSysctl(pattern);
    if (problem !== undefined)
      throw new CommandFailure(`--allowed-unsafe-sysctls: ${problem}`, { exitCode: 2 });
  }
  return patterns;
}

type Flags = Parameters<typeof agentConfig>[0];
function podNetworkOf({ flannelBackend = 'host-gw' }: Flags, nodeIps: readonly string[]): PodNetworkBackend {
  if (flannelBackend === 'vxlan' && nodeIps.every(isIPv6))
    throw new CommandFailure(
      `--flannel-backend vxlan needs an IPv4 address of the node, and ${nodeIps.join()} is none; see --node-ip`,
      { exitCode: 2 },
    );
  return flannelBackend;
}

/** Whose certificates come from the cluster, by a token once. */
const isMember = ({ kubeconfig, certificateAuthority, clientCertificate, clientKey }: Flags): boolean =>
  [kubeconfig, certificateAuthority, clientCertificate, clientKey].every((file) => file === undefined);

type Credentials = Pick<AgentConfig, 'servers' | 'ca' | 'cert' | 'key'>;

function filesOf({ server, certificateAuthority, clientCertificate, clientKey }: Flags): Credentials {
  for (const one of server!) hostOf(one);
  const need = (file: string | undefined, flag: string): string => {
    if (file === undefined) throw new CommandFailure(`agent needs ${flag} with --server`, { exitCode: 2 });
    return readFileSync(file, 'utf8');
  };
  return {
    servers: server!,
    ca: need(certificateAuthority, '--certificate-authority'),
    cert: need(clientCertificate, '--client-certificate'),
    key: need(clientKey, '--client-key'),
  };
}

async function fromKubeconfig(file: string): Promise<Credentials> {
  const { server, ca, cert, key } = await readKubeconfig(file);
  if (ca === undefined || cert === undefined || key === undefined) {
    throw new CommandFailure(
      `${file} must hold the CA and a client certificate with its key: a node needs them for its own server too`,
    );
  }
  return { servers: [server], ca, cert, key };
}
