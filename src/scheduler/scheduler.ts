// The loop: takes waiting pods, decides (cycle.ts), notes the decision in the cache at once and binds through the API in the
// background. What the API knows comes back through informers and corrects the cache.
import { isTerminal, isTerminating, Node, Pod } from '../api/index.ts';
import { type Clock, type Log, type MetricRegistry, Pause, type Random, type Scope } from '../base/index.ts';
import type { Client, EventRecorder, Informer, Informers, RecordEvent } from '../client/index.ts';
import { isConflict, isNotFound, type KindDef, type KubeObject, semanticEqual } from '../machinery/index.ts';
import { bind, needsPreparation, PluginRefusal, prepare, reserve, unreserve } from './binder.ts';
import { ClusterCache } from './cache.ts';
import type { SchedulerConfiguration } from './configuration.ts';
import { Cycle, type Placement, type Refusal } from './cycle.ts';
import type { NodeInfo } from './node-info.ts';
import type { Plugin, PluginContext, Watched } from './plugin.ts';
import { type PodInfo, podInfo } from './pod-info.ts';
import { type PodReport, PodStatusWriter } from './pod-status-writer.ts';
import { displace } from './preemption.ts';
import { defaultProfile, type Profile } from './profile.ts';
import { SchedulingQueue } from './queue.ts';
import { SchedulerMetrics } from './scheduler-metrics.ts';

export interface SchedulerOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly scope: Scope;
  readonly events: EventRecorder;
  /** undefined = nothing is counted. */
  readonly metrics?: MetricRegistry | undefined;
  /** undefined = kube-scheduler's defaults. Pods that name one of its profiles are ours. */
  readonly configuration?: SchedulerConfiguration | undefined;
}

/** Bindings under way at once; more would only queue in the API server. */
const maxBinding = 64;

/** Starts scheduling; resolves when nodes, pods and what plugins watch are known. Ends with the scope. */
export async function startScheduler(options: SchedulerOptions): Promise<void> {
  const scheduler = new Scheduler(options);
  await scheduler.start();
}

/** One profile at work. */
interface Deciding {
  readonly name: string;
  readonly plugins: readonly Plugin[];
  readonly cycle: Cycle;
  readonly event: RecordEvent;
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #queue: SchedulingQueue;
  readonly #cache = new ClusterCache();
  readonly #profiles = new Map<string, Deciding>();
  readonly #pods: Informer<Pod>;
  readonly #status: PodStatusWriter;
  readonly #metrics: SchedulerMetrics | null;
  readonly #watched = new Set<Informer>();
  readonly #ends: (() => void)[] = [];
  #wakeLoop: (() => void) | null = null;
  #binding = 0;

  constructor(options: SchedulerOptions) {
    const { clock, metrics } = options;
    this.#options = options;
    this.#pods = options.informers(Pod);
    this.#status = new PodStatusWriter(options);
    for (const profile of options.configuration?.profiles ?? [defaultProfile]) this.#addProfile(profile);
    const before = [...this.#profiles.values()].flatMap(({ plugins }) => plugins.map((p) => p.before));
    this.#queue = new SchedulingQueue(clock, {
      onReady: () => this.#wakeLoop?.(),
      onGate: ({ pod }) => this.#see(pod, pod),
      before: before.find((order) => order !== null) ?? undefined,
      backoffInitialMs: options.configuration?.backoffInitialMs,
      backoffMaxMs: options.configuration?.backoffMaxMs,
    });
    this.#metrics = metrics === undefined ? null : new SchedulerMetrics(metrics, this.#queue);
  }

  #addProfile({ schedulerName, build, percentageOfNodesToScore }: Profile): void {
    const { client, clock, random, events, scope } = this.#options;
    const context: PluginContext = {
      cluster: this.#cache,
      client,
      clock,
      background: (name, task) => scope.run(name, task),
      watch: (kind) => this.#watch(kind),
    };
    const plugins = build(context);
    this.#profiles.set(schedulerName, {
      name: schedulerName,
      plugins,
      cycle: new Cycle(plugins, { random, percentageOfNodesToScore }),
      event: events.from(schedulerName),
    });
  }

  #watch<T extends KubeObject>(kind: KindDef<T>): Watched<T> {
    const informer = this.#options.informers(kind);
    this.#watched.add(informer as unknown as Informer);
    return {
      get: (key) => informer.get(key),
      list: (namespace) => informer.list(namespace),
      byIndex: (index, value) => informer.byIndex(index, value),
      onChange: (handlers) => {
        this.#ends.push(informer.onChange(handlers));
      },
    };
  }

  async start(): Promise<void> {
    const { informers, scope } = this.#options;
    const nodes = informers(Node);
    this.#ends.push(
      nodes.onChange({
        added: (node) => {
          this.#cache.setNode(node);
          this.#queue.changed({ kind: Node, on: 'add', object: node, old: undefined });
        },
        updated: (old, node) => {
          this.#cache.setNode(node);
          if (mattersToPods(old, node)) this.#queue.changed({ kind: Node, on: 'update', object: node, old });
        },
        deleted: (node) => {
          this.#cache.removeNode(node.metadata.name);
          this.#queue.changed({ kind: Node, on: 'delete', object: node, old: undefined });
        },
      }),
      this.#pods.onChange({
        added: (pod) => this.#see(pod, undefined),
        updated: (old, pod) => this.#see(pod, old),
        deleted: (pod) => this.#forget(pod),
      }),
    );
    this.#watchHints();
    scope.onStop(() => {
      for (const end of this.#ends) end();
      this.#queue.stop();
      this.#metrics?.end();
    });
    await Promise.all([nodes, this.#pods, ...this.#watched].map(({ synced }) => synced));
    scope.run('scheduler', (signal) => this.#run(signal));
  }

  /** What pods may sleep for besides nodes and pods. After the plugins' own handlers, so that they know first. */
  #watchHints(): void {
    const kinds = new Set<KindDef>();
    for (const { plugins } of this.#profiles.values())
      for (const plugin of plugins) for (const { kind } of plugin.wakeOn) kinds.add(kind);
    for (const kind of kinds) {
      if (kind === Node || kind === Pod) continue;
      const informer = this.#options.informers(kind);
      this.#watched.add(informer);
      this.#ends.push(
        informer.onChange({
          added: (object) => this.#queue.changed({ kind, on: 'add', object, old: undefined }),
          updated: (old, object) => this.#queue.changed({ kind, on: 'update', object, old }),
          deleted: (object) => this.#queue.changed({ kind, on: 'delete', object, old: undefined }),
        }),
      );
    }
  }

  #see(pod: Pod, old: Pod | undefined): void {
    if (isTerminal(pod)) this.#forget(pod);
    else if (pod.spec.nodeName) this.#seePlaced(pod, pod.spec.nodeName);
    else if (this.#cache.nodeOf(pod) !== undefined) {
      // Decided already; the binding is on its way.
    } else {
      const profile = this.#profiles.get(pod.spec.schedulerName ?? '');
      if (profile === undefined) return;
      if (isTerminating(pod)) {
        this.#drop(pod);
        return;
      }
      const info = podInfo(pod);
      const promised = pod.status?.nominatedNodeName;
      // Only what is news: an older status may still be on its way when we have decided otherwise.
      if (promised && promised !== old?.status?.nominatedNodeName) this.#cache.nominate(info, promised);
      const by = profile.plugins.find(({ gate }) => gate?.(info) !== undefined);
      if (by === undefined) this.#queue.set(info);
      else this.#queue.gate(info, by);
    }
  }

  #seePlaced(pod: Pod, nodeName: string): void {
    const { uid } = pod.metadata;
    this.#queue.remove(uid);
    const info = podInfo(pod);
    const known = this.#cache.placed(uid);
    const old = known?.pod;
    if (known === undefined || this.#cache.nodeOf(pod) !== nodeName || !countsTheSame(known, info))
      this.#cache.place(info, nodeName);
    else {
      known.pod = pod;
      if (old?.spec.nodeName) return;
    }
    if (old?.spec.nodeName) this.#queue.changed({ kind: Pod, on: 'update', object: pod, old });
    else this.#queue.changed({ kind: Pod, on: 'add', object: pod, old: undefined });
  }

  #forget(pod: Pod): void {
    this.#drop(pod);
    if (this.#cache.nodeOf(pod) === undefined) return;
    this.#cache.remove(pod.metadata.uid);
    this.#queue.changed({ kind: Pod, on: 'delete', object: pod, old: undefined });
  }

  /** It waits for nothing any more; room that was promised to it is free for others. */
  #drop(pod: Pod): void {
    const { uid } = pod.metadata;
    this.#queue.remove(uid);
    if (this.#cache.denominate(uid) !== undefined)
      this.#queue.changed({ kind: Pod, on: 'delete', object: pod, old: undefined });
  }

  async #run(signal: AbortSignal): Promise<void> {
    const pause = new Pause(this.#options.clock);
    signal.addEventListener('abort', () => this.#wakeLoop?.(), { once: true });
    while (!signal.aborted) {
      const pod = this.#binding < maxBinding ? this.#queue.pop() : undefined;
      if (pod === undefined) {
        await new Promise<void>((resolve) => {
          this.#wakeLoop = resolve;
        });
        this.#wakeLoop = null;
        continue;
      }
      this.#schedule(pod);
      if (pause.due) await pause.now();
    }
  }

  #schedule(pod: PodInfo): void {
    const { clock, scope } = this.#options;
    const profile = this.#profiles.get(pod.pod.spec.schedulerName ?? '');
    if (profile === undefined) return;
    const beganMs = clock.monotonicMs();
    const decision = profile.cycle.decide(pod, this.#cache, this.#cache.nominationOf(pod.uid));
    const decidedMs = clock.monotonicMs() - beganMs;
    this.#metrics?.decided(decidedMs);
    if (decision.node === undefined) {
      this.#metrics?.attempted(profile.name, 'unschedulable', decidedMs);
      this.#refused(profile, pod, decision);
      return;
    }
    const refusal = reserve(decision);
    if (refusal !== undefined) {
      this.#metrics?.attempted(profile.name, 'unschedulable', decidedMs);
      this.#queue.retry(pod.uid);
      this.#report(profile, pod, { message: refusal.message });
      return;
    }
    this.#cache.place(pod, decision.node.name);
    scope.run('bind', (signal) => this.#bind({ profile, pod, placement: decision, beganMs }, signal));
  }

  #refused(profile: Deciding, pod: PodInfo, { message, refusedBy, rescue }: Refusal): void {
    this.#queue.failed(pod.uid, refusedBy);
    if (rescue === undefined || rescue.node === 'unchanged') {
      this.#report(profile, pod, { message });
      return;
    }
    const { node, victims } = rescue;
    if (node === undefined) this.#cache.denominate(pod.uid);
    else this.#cache.nominate(pod, node.name);
    this.#report(profile, pod, { message, nominatedNodeName: node?.name ?? '' });
    if (node !== undefined) this.#preempt(profile, pod, { node, victims });
  }

  #report(
    profile: Deciding,
    pod: PodInfo,
    told: { message: string; nominatedNodeName?: string; reason?: PodReport['reason'] },
  ): void {
    const { message, nominatedNodeName, reason = 'Unschedulable' } = told;
    profile.event(pod.pod, 'Warning', 'FailedScheduling', message);
    this.#options.scope.run('report unschedulable pod', () =>
      this.#status.report(pod.pod, { reason, message, nominatedNodeName }),
    );
  }

  #preempt(
    profile: Deciding,
    pod: PodInfo,
    { node, victims }: { node: NodeInfo; victims: readonly PodInfo[] },
  ): void {
    const { clock, client, log, scope } = this.#options;
    // Less important pods that were promised this room must look for another.
    for (const lesser of node.nominated?.filter((other) => other.priority < pod.priority) ?? []) {
      this.#cache.denominate(lesser.uid);
      this.#queue.activate(lesser.uid);
      scope.run('clear nomination', () => this.#status.clearNomination(lesser.pod));
    }
    this.#metrics?.preempted(victims.length);
    const task = { client, clock, event: profile.event, schedulerName: profile.name, preemptor: pod };
    scope.run('preempt', async () => {
      const failure = await displace(victims, task);
      if (failure === undefined) return;
      log.warn('could not evict a pod for a more important one', { pod: pod.key, error: failure });
      this.#cache.denominate(pod.uid);
      this.#queue.activate(pod.uid);
    });
  }

  async #bind(
    given: { profile: Deciding; pod: PodInfo; placement: Placement; beganMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { profile, pod, placement, beganMs } = given;
    const { client, clock } = this.#options;
    // Read now: the pod leaves the queue as soon as its node is seen, which may be before the answer comes.
    const history = this.#metrics === null ? undefined : this.#queue.historyOf(pod.uid);
    const startedMs = clock.monotonicMs();
    try {
      if (needsPreparation(placement)) await prepare(placement, signal);
      await this.#inTurn(() => bind(placement, { pod, client }));
      const nowMs = clock.monotonicMs();
      this.#metrics?.attempted(profile.name, 'scheduled', nowMs - beganMs);
      if (history !== undefined)
        this.#metrics?.scheduled(history.attempts, history.waitedMs + nowMs - startedMs);
      this.#queue.remove(pod.uid);
      const text = `Successfully assigned ${pod.key} to ${placement.node.name}`;
      profile.event(pod.pod, 'Normal', 'Scheduled', text);
    } catch (error) {
      this.#metrics?.attempted(profile.name, 'error', clock.monotonicMs() - beganMs);
      unreserve(placement);
      this.#onBindFailure({ profile, pod, node: placement.node.name }, error);
    }
  }

  /** Only calls count against `maxBinding`: who waits for a volume for minutes keeps nobody from deciding. */
  async #inTurn(call: () => Promise<void>): Promise<void> {
    this.#binding++;
    try {
      await call();
    } finally {
      if (this.#binding-- === maxBinding) this.#wakeLoop?.();
    }
  }

  /** What the API server knows counts: the pod may be gone, or bound although the answer was lost. */
  #onBindFailure(given: { profile: Deciding; pod: PodInfo; node: string }, error: unknown): void {
    const { profile, pod, node } = given;
    this.#cache.remove(pod.uid);
    this.#queue.changed({ kind: Pod, on: 'delete', object: pod.pod, old: undefined });
    const now = this.#pods.get(pod.key);
    if (isNotFound(error) || now?.metadata.uid !== pod.uid) {
      this.#queue.remove(pod.uid);
      return;
    }
    const reason = 'SchedulerError';
    if (error instanceof PluginRefusal) this.#report(profile, pod, { message: error.message, reason });
    else {
      this.#options.log.warn('binding failed', { pod: pod.key, node, error });
      const message = `binding rejected: ${(error as Error).message}`;
      if (!isConflict(error)) this.#report(profile, pod, { message, reason });
    }
    this.#queue.retry(pod.uid);
    this.#see(now, now);
  }
}

/** Heartbeats change nodes all the time; only these fields can make room for a pod. */
function mattersToPods(old: Node, node: Node): boolean {
  return (
    old.spec.unschedulable !== node.spec.unschedulable ||
    !semanticEqual(old.spec.taints, node.spec.taints) ||
    !semanticEqual(old.metadata.labels, node.metadata.labels) ||
    !semanticEqual(old.status?.allocatable, node.status?.allocatable)
  );
}

/** A running pod changes all the time; only this is reckoned with. The rest of its spec never changes. */
const countsTheSame = (a: PodInfo, b: PodInfo): boolean =>
  a.requests.equals(b.requests) &&
  isTerminating(a.pod) === isTerminating(b.pod) &&
  semanticEqual(a.pod.metadata.labels, b.pod.metadata.labels);
