// `jotasu agent`: one node wired from its parts: a client of the API server, a containerd, the pod network, the node agent.
import { join } from 'node:path';
import { Node } from '../api/index.ts';
import { type Clock, type Log, MetricRegistry, Scope, showVersion, sleep } from '../base/index.ts';
import {
  countRequests,
  createClient,
  createHttpsTransport,
  createInformers,
  createServersClient,
  withoutManagedFields,
} from '../client/index.ts';
import { createHttpsClient, type HttpsServer } from '../http/index.ts';
import type { KubeObject } from '../machinery/index.ts';
import { createNodeNetwork, startAgent } from '../node/index.ts';
import {
  connectRuntime,
  containerdSocket,
  existingContainerd,
  localPauseImage,
  restoreNullDevice,
  startContainerd,
  systemExec,
} from '../os/index.ts';
import { type AgentConfig, userAgent } from './agent-config.ts';
import { CertificateMetrics } from './join/certificate-metrics.ts';
import { keepMembership } from './join/membership.ts';
import { followServers, readKnownServers } from './known-servers.ts';
import { startDns } from './node-dns.ts';
import { startIngress } from './node-ingress.ts';
import { startPolicies } from './node-policies.ts';
import { startAnnouncer, startProxy } from './node-proxy.ts';
import { showProcess } from './process-metrics.ts';
import type { Surroundings } from './surroundings.ts';
import { versionInfo } from './version.ts';

export interface RunningNode {
  readonly port: number;
  /** Ends its pods in order, because the machine ends. Resolves when they have, or when their time is over. */
  shutdown(): Promise<void>;
  callOffShutdown(): void;
  /** Ends the agent and its containerd. Containers go on. */
  stop(): Promise<void>;
}

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
    scope.run('null device', (signal) => keepNullDevice(clock, log, signal));
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

const nullDeviceCheckMs = 1_000;

/** A command in a container may have made the machine's /dev/null its own. */
async function keepNullDevice(clock: Clock, log: Log, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const was = restoreNullDevice();
      if (was !== undefined) log.debug('/dev/null is restored', { was });
    } catch (error) {
      log.warn('/dev/null cannot be looked after', { error });
      return;
    }
    await sleep(clock, nullDeviceCheckMs, signal).catch(() => {});
  }
}
