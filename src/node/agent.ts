// The node agent: makes the pieces of this folder into one node; what it then does is in agent-course.ts. Everything it decides is in
// plans; everything it knows of the cluster comes from the API; everything it knows of its containers comes from the runtime, so it can
// be restarted at any time without a container noticing.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { isTerminalPhase, Node, type Pod, Service } from '../api/index.ts';
import { MetricRegistry, Scope, withResolvers } from '../base/index.ts';
import { createEventRecorder, createInformers, type EventType } from '../client/index.ts';
import { readCgroupLayout, readCgroupUsage } from '../os/index.ts';
import { followCourse } from './agent-course.ts';
import { type AgentOptions, defaultIntervals } from './agent-options.ts';
import { podCgroup } from './container/pod-cgroup.ts';
import { SharedTurns, soloTurns } from './eviction/turns.ts';
import { Housekeeping, statsMaxAgeMs } from './garbage/housekeeping.ts';
import { Images } from './images.ts';
import { Leftovers, Limiter } from './limiter.ts';
import { countEvictions, showNode, timeCgroups, timeRelists } from './metrics/node-metrics.ts';
import { PodMetrics } from './metrics/pod-metrics.ts';
import { ProbeMetrics } from './metrics/probe-metrics.ts';
import { countRuntime } from './metrics/runtime-metrics.ts';
import { showVolumes, timeVolumes } from './metrics/volume-metrics.ts';
import { NetworkFollower } from './network-follower.ts';
import { readNodeFacts } from './node-facts.ts';
import { CrashBackoff } from './plan/crash-backoff.ts';
import { readySandbox } from './plan/pod-runtime.ts';
import { podEvents } from './pod-events.ts';
import { ProbeManager } from './probes/probe-manager.ts';
import { References } from './references.ts';
import { readMachine } from './registration/machine.ts';
import { enforceAllocatable } from './registration/node-allocatable.ts';
import { nodeReference } from './registration/node-events.ts';
import { NodeRegistration } from './registration/node-registration.ts';
import { nodeReport } from './registration/node-report.ts';
import { defaultNodeSettings, reservedOf } from './registration/node-settings.ts';
import { RuntimeCache } from './runtime-cache.ts';
import { NodeAuthorizer } from './server/node-authorizer.ts';
import { type NodeServerOptions, startNodeServer } from './server/node-server.ts';
import { NodeShutdown } from './shutdown/node-shutdown.ts';
import { StaticPods } from './static-pods/static-pods.ts';
import { cadvisorFacts } from './stats/cadvisor.ts';
import { thisMachine } from './stats/machine-usage.ts';
import { isWholeNode, nodeUse } from './stats/node-use.ts';
import { OomKilledContainers } from './stats/oom-watcher.ts';
import { StatusWriter } from './status-writer.ts';
import { Tokens } from './tokens.ts';
import { PodVolumes } from './volumes/pod-volumes.ts';
import { VolumeDirectories } from './volumes/volume-directories.ts';
import { Allocations } from './worker/allocations.ts';
import type { NodeContext } from './worker/node-context.ts';
import { kernelCgroups } from './worker/pod-cgroups.ts';
import { PodWorkers } from './worker/pod-workers.ts';

export interface Agent {
  /** Of the HTTPS API; 0 without one. */
  readonly port: number;
  /** Resolves when the node is registered and its pods are followed. */
  readonly ready: Promise<void>;
  /** Pods on this node that are not gone yet. */
  readonly podCount: number;
  /**
   * The machine is being shut down: its pods end in order, in the time that the settings give them. Resolves when they have, or when
   * the time is over. Until it is called off the node is not ready and takes no pod.
   */
  shutdown(): Promise<void>;
  callOffShutdown(): void;
  /** Stops looking after the node. Containers go on. */
  stop(): Promise<void>;
}

export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { client, clock, log, nodeName, metrics = new MetricRegistry() } = options;
  const runtime = countRuntime(options.runtime, { registry: metrics, clock });
  const intervals = { ...defaultIntervals, ...options.intervals };
  const scope = new Scope(log);
  for (const dir of [path.join(options.stateDir, 'pods'), path.join(options.logDir, 'pods')])
    fs.mkdirSync(dir, { recursive: true, mode: 0o755 });

  const machine = options.machine ?? readMachine(options.stateDir);
  const facts = readNodeFacts(options, machine);
  const recorder = createEventRecorder(client, { scope, clock, random: options.random, log });
  const record = recorder.from('kubelet', nodeName);
  const event = podEvents(record);

  const wake = (uid: string) => workers.runtimeChanged(uid);
  const oomKilled = new OomKilledContainers();
  scope.onStop(() => oomKilled.close());
  const cache = new RuntimeCache({
    runtime,
    nodeName,
    nodeIps: options.nodeIps,
    clock,
    log,
    scope,
    relistMs: intervals.relistMs,
    fastRelistMs: intervals.fastRelistMs,
    oomKilled: (id) => oomKilled.has(id),
    timeRelist: timeRelists(metrics, clock),
    onChange: wake,
  });
  showNode(metrics, { nodeName, cache });
  const probeMetrics = new ProbeMetrics();
  const probes = new ProbeManager({
    runtime,
    clock,
    log,
    scope,
    userAgent: facts.userAgent,
    metrics: probeMetrics,
    event: (pod, container, type, reason, message) =>
      event(pod, type, { reason, message, container: { name: container } }),
    onChange: wake,
  });
  scope.onStop(() => probes.stop());
  const references = new References({
    client,
    scope,
    clock,
    log,
    onChange: (uids) => {
      for (const uid of uids) workers.objectsChanged(uid);
    },
  });
  const statuses = new StatusWriter({
    client,
    clock,
    log,
    scope,
    firstDelayMs: intervals.firstStatusDelayMs,
  });
  const tokens = new Tokens(client, clock);
  const informers =
    options.informers ?? createInformers(client, { scope, log, clock, random: options.random });
  const volumeDirectories = new VolumeDirectories({
    client,
    informers,
    nodeName,
    root: path.join(options.stateDir, 'volumes'),
    clock,
    log,
    scope,
    warn: (volume, reason, message) => record(volume, 'Warning', reason, message),
  });
  const volumes = new PodVolumes({
    stateDir: options.stateDir,
    exec: options.exec,
    clock,
    client,
    token: (pod, source) => tokens.get(pod, source),
    node: () => informers(Node).get(nodeName)?.metadata,
    directories: volumeDirectories,
    event,
    time: timeVolumes(metrics, clock),
  });
  const services = informers(Service);
  const parallel = options.parallelStarts ?? 2 * os.availableParallelism();
  const starts = new Limiter(parallel);

  const network =
    options.network === undefined
      ? undefined
      : new NetworkFollower({
          network: options.network,
          nodes: informers(Node),
          nodeName,
          runtime,
          clock,
          log,
          onReady: () => {
            registration.touch();
            workers.wakeAll();
          },
        });
  const settings = options.settings ?? defaultNodeSettings;
  const reserved = reservedOf(machine, settings);
  const aboutNode = nodeReference(nodeName);
  const nodeEvent = (type: EventType, reason: string, message: string) =>
    record(aboutNode, type, reason, message);
  const images = new Images({ runtime, clock });
  const turns =
    options.sharedDir === undefined
      ? undefined
      : new SharedTurns({ directory: options.sharedDir, node: nodeName, clock });
  if (turns !== undefined) scope.onStop(() => turns.close());
  const layout = options.cgroups === undefined ? readCgroupLayout() : undefined;
  const machineUsage = options.usage ?? thisMachine;
  const groupUse = (at: string) => (layout === undefined ? undefined : readCgroupUsage(layout, at));
  const sharesMachine = layout !== undefined && isWholeNode(layout, options.cgroupParent);
  const countEviction = countEvictions(metrics);
  const groupOf = (pod: Pod) => podCgroup(options.cgroupParent, pod);
  const house = new Housekeeping({
    settings,
    nodeName,
    runtime,
    cache,
    clock,
    log,
    machine: machineUsage,
    turns: turns ?? soloTurns,
    stateDir: options.stateDir,
    cgroupParent: options.cgroupParent,
    podDir: (uid) => volumes.podDir(uid),
    claimDirectory: (pod, volume) => volumes.claimDirectory(pod, volume),
    groupOf,
    group: groupUse,
    pods: () => workers.pods(),
    evict: (pod, { signal, message, annotations, graceSeconds }) => {
      const evicted = workers.end(pod.metadata.uid, { reason: 'Evicted', message, graceSeconds });
      if (!evicted) return;
      countEviction(signal);
      record(pod, 'Warning', 'Evicted', message, annotations);
    },
    nodeEvent,
    pressureChanged: () => registration.touch(),
    imageRemoved: (id) => images.removed(id),
  });
  const shutdown = new NodeShutdown({
    graces: settings.shutdownGraces,
    clock,
    log,
    pods: () => workers.pods(),
    isRunning: ({ metadata: { uid } }) => workers.has(uid) && !isTerminalPhase(statuses.get(uid)?.phase),
    end: (pod, how) => workers.end(pod.metadata.uid, how),
    told: (pods) => Promise.all(pods.map(({ metadata }) => statuses.flush(metadata.uid))),
    event: nodeEvent,
    changed: () => registration.touch(),
  });
  const context: NodeContext = {
    ...facts,
    client,
    runtime,
    cache,
    images,
    volumes,
    references,
    probes,
    statuses,
    crash: new CrashBackoff(),
    starts,
    stops: new Limiter(parallel),
    // By few hands: what is left is not to be in the way of a start that comes meanwhile.
    leftovers: new Leftovers(Math.ceil(parallel / 4), { first: starts, clock, signal: scope.signal }),
    event,
    tokenDueInMs: (uid) => tokens.dueInMs(uid),
    clock,
    log,
    scope,
    metrics: new PodMetrics(metrics),
    allocatable: () => registration.status?.allocatable ?? {},
    services: () => services.list(),
    allocations: new Allocations(),
    cgroups:
      options.cgroups ??
      kernelCgroups({
        parent: options.cgroupParent,
        layout: layout ?? readCgroupLayout(),
        maxPids: options.podMaxPids,
        clock,
        time: timeCgroups(metrics, clock),
      }),
    node: () => informers(Node).get(nodeName),
    readNode: () => client(Node).get(nodeName),
    shutdown: () => shutdown.rejection,
    pressure: () => house.pressure,
    networkProblem: () => network?.problem,
  };
  const workers = new PodWorkers(context, (uid) => {
    tokens.release(uid);
    statics.gone(uid);
  });
  showVolumes(metrics, {
    pods: () => workers.holding(),
    plugins: (pod) => volumes.plugins(pod),
    // A sandbox is made only after the volumes.
    isMade: ({ metadata: { uid } }) => volumes.isMade(uid) || readySandbox(cache.get(uid)) !== undefined,
  });

  const server =
    options.server === undefined
      ? undefined
      : await startNodeServer({
          ...options.server,
          clock,
          log,
          scope,
          runtime,
          pods: () => workers.pods(),
          findPod: (namespace, name) => workers.find(namespace, name),
          runtimeOf: (uid) => cache.get(uid),
          statusOf: (uid) => statuses.get(uid),
          healthProblem: () => cache.healthError,
          authorizer: new NodeAuthorizer({ client, clock, nodeName }),
          usage: () => house.stats.get(statsMaxAgeMs),
          nodeUse: () => nodeUse(machineUsage, sharesMachine ? groupUse(options.cgroupParent) : undefined),
          metrics,
          probes: probeMetrics,
          cadvisor: cadvisorFacts(machine, groupOf),
        } satisfies NodeServerOptions);
  if (server !== undefined) scope.onStop(() => server.close(2_000));

  const statics = new StaticPods({
    path: options.podManifestPath,
    nodeName,
    client,
    clock,
    log,
    scope,
    runner: workers,
    onMirror: (uid, mirror) => statuses.mirror(uid, mirror),
  });
  let runtimeVersion = 'unknown';
  const registration = new NodeRegistration({
    client,
    clock,
    log,
    scope,
    nodeName,
    labels: options.labels ?? {},
    taints: options.taints ?? [],
    leaseRenewMs: intervals.leaseRenewMs,
    // Kubernetes' clients read it in whole seconds.
    leaseDurationSeconds: Math.max(1, Math.ceil((4 * intervals.leaseRenewMs) / 1000)),
    statusCheckMs: intervals.statusCheckMs,
    statusReportMs: intervals.statusReportMs,
    status: () =>
      nodeReport({
        nodeName,
        nodeIps: options.nodeIps,
        machine,
        maxPods: options.maxPods ?? 110,
        versions: { kubelet: options.version, runtime: runtimeVersion },
        kubeletPort: server?.port ?? 10250,
        reserved: reserved.allocatable,
        pressure: house.pressure,
        runtime,
        runtimeProblem: cache.problem,
        networkProblem: network?.problem,
        shutdownProblem: shutdown.problem,
      }),
    event: ({ type, reason, message }) => nodeEvent(type, reason, message),
  });

  /** Puts the group of all pods under what the node has for them. */
  const limitPods = () => {
    if (layout === undefined) return;
    const memoryBytes = machine.memoryBytes - reserved.limits.memoryBytes;
    const { type, reason, message } = enforceAllocatable(layout, options.cgroupParent, { memoryBytes });
    nodeEvent(type, reason, message);
  };

  nodeEvent('Normal', 'Starting', 'Starting kubelet.');
  // A node that renews its lease and runs no pods is worse than none: who started it is told, and ends it.
  scope.run('agent', (signal) =>
    followCourse(
      {
        clock,
        log,
        scope,
        nodeName,
        informers,
        runtime,
        runtimeStarted: options.runtimeStarted,
        cache,
        registration,
        workers,
        statics,
        network,
        services,
        volumeDirectories,
        house,
        foundRuntime: (version) => {
          runtimeVersion = version;
        },
        limitPods,
        ready: () => settleReady.resolve(),
      },
      signal,
    ).catch((error: unknown) => settleReady.reject(error)),
  );

  const settleReady = withResolvers();
  scope.signal.addEventListener('abort', () => settleReady.reject(scope.signal.reason), { once: true });
  settleReady.promise.catch(() => {});
  return {
    port: server?.port ?? 0,
    ready: settleReady.promise,
    get podCount() {
      return workers.size;
    },
    shutdown: () => shutdown.begin(),
    callOffShutdown: () => shutdown.callOff(),
    stop: () => scope.stop(),
  };
}
