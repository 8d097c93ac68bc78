// The loop: takes waiting pods, decides (cycle.ts), notes the decision in the cache at once and binds through the API in the
// background. What the API knows comes back through informers and corrects the cache.
import { isGated, isTerminal, isTerminating, Node, Pod } from '../api/index.ts';
import { type Clock, type Log, type MetricRegistry, Pause, type Random, type Scope } from '../base/index.ts';
import type { Client, EventRecorder, Informer, Informers, RecordEvent } from '../client/index.ts';
import { formatTime, isConflict, isNotFound, semanticEqual } from '../machinery/index.ts';
import { ClusterCache } from './cache.ts';
import { Cycle } from './cycle.ts';
import type { Plugin, PodInfo, WakeHint } from './plugin.ts';
import { nodeTotal, podInfo } from './pod-info.ts';
import { defaultProfile } from './profile.ts';
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
  /** Pods that ask for this scheduler are ours. */
  readonly schedulerName?: string | undefined;
  readonly profile?: readonly Plugin[] | undefined;
}

const defaultSchedulerName = 'default-scheduler';

/** Bindings under way at once; more would only queue in the API server. */
const maxBinding = 64;

const roomIsFree: WakeHint = { kind: 'Pod', on: 'delete' };

/** Starts scheduling; resolves when nodes and pods are known. Ends with the scope. */
export async function startScheduler(options: SchedulerOptions): Promise<void> {
  const scheduler = new Scheduler(options);
  await scheduler.start();
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #name: string;
  readonly #queue: SchedulingQueue;
  readonly #cache: ClusterCache;
  readonly #cycle: Cycle;
  readonly #event: RecordEvent;
  readonly #pods: Informer<Pod>;
  readonly #metrics: SchedulerMetrics | null;
  #wakeLoop: (() => void) | null = null;
  #binding = 0;

  constructor(options: SchedulerOptions) {
    const { clock, random } = options;
    this.#options = options;
    this.#name = options.schedulerName ?? defaultSchedulerName;
    this.#queue = new SchedulingQueue(clock, () => this.#wakeLoop?.());
    this.#cache = new ClusterCache(nodeTotal);
    this.#cycle = new Cycle(options.profile ?? defaultProfile, random);
    this.#event = options.events.from(this.#name);
    this.#pods = options.informers(Pod);
    const { metrics } = options;
    this.#metrics =
      metrics === undefined
        ? null
        : new SchedulerMetrics(metrics, { profile: this.#name, queue: this.#queue });
  }

  async start(): Promise<void> {
    const { informers, scope } = this.#options;
    const nodes = informers(Node);
    const pods = this.#pods;
    const ends = [
      nodes.onChange({
        added: (node) => {
          this.#cache.setNode(node);
          this.#queue.changed({ kind: 'Node', on: 'add' });
        },
        updated: (old, node) => {
          this.#cache.setNode(node);
          if (mattersToPods(old, node)) this.#queue.changed({ kind: 'Node', on: 'update' });
        },
        deleted: (node) => this.#cache.removeNode(node.metadata.name),
      }),
      pods.onChange({
        added: (pod) => this.#see(pod),
        updated: (_, pod) => this.#see(pod),
        deleted: (pod) => this.#forget(pod),
      }),
    ];
    scope.onStop(() => {
      for (const end of ends) end();
      this.#queue.stop();
      this.#metrics?.end();
    });
    await Promise.all([nodes.synced, pods.synced]);
    scope.run('scheduler', (signal) => this.#run(signal));
  }

  #see(pod: Pod): void {
    if (isTerminal(pod)) this.#forget(pod);
    else if (pod.spec.nodeName) {
      this.#queue.remove(pod.metadata.uid);
      if (this.#cache.place(podInfo(pod), pod.spec.nodeName)) this.#queue.changed(roomIsFree);
    } else if (this.#cache.nodeOf(pod) !== undefined) {
      // Decided already; the binding is on its way.
    } else if (pod.spec.schedulerName === this.#name && !isTerminating(pod) && !isGated(pod))
      this.#queue.set(podInfo(pod));
    else this.#queue.remove(pod.metadata.uid);
  }

  #forget(pod: Pod): void {
    this.#queue.remove(pod.metadata.uid);
    if (this.#cache.nodeOf(pod) === undefined) return;
    this.#cache.remove(pod.metadata.uid);
    this.#queue.changed(roomIsFree);
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
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    const decision = this.#cycle.decide(pod, this.#cache.nodes);
    const decidedMs = clock.monotonicMs() - beganMs;
    this.#metrics?.decided(decidedMs);
    if (decision.node === undefined) {
      this.#metrics?.attempted('unschedulable', decidedMs);
      this.#queue.failed(pod.uid, decision.refusedBy);
      this.#options.scope.run('report unschedulable pod', () => this.#reportFailure(pod, decision.message));
      return;
    }
    const { name } = decision.node;
    this.#cache.place(pod, name);
    this.#binding++;
    this.#options.scope.run('bind', () => this.#bind(pod, name, beganMs));
  }

  async #bind(pod: PodInfo, nodeName: string, beganMs: number): Promise<void> {
    const { client, clock } = this.#options;
    const { name, namespace, uid } = pod.pod.metadata;
    // Read now: the pod leaves the queue as soon as its node is seen, which may be before the answer comes.
    const history = this.#metrics === null ? undefined : this.#queue.historyOf(uid);
    const startedMs = clock.monotonicMs();
    try {
      await client(Pod).createSub(
        { name, namespace, subresource: 'binding' },
        { metadata: { name, namespace, uid }, target: { kind: 'Node', name: nodeName } },
      );
      const nowMs = clock.monotonicMs();
      this.#metrics?.attempted('scheduled', nowMs - beganMs);
      if (history !== undefined)
        this.#metrics?.scheduled(history.attempts, history.waitedMs + nowMs - startedMs);
      this.#queue.remove(uid);
      this.#event(pod.pod, 'Normal', 'Scheduled', `Successfully assigned ${pod.key} to ${nodeName}`);
    } catch (error) {
      this.#metrics?.attempted('error', clock.monotonicMs() - beganMs);
      this.#onBindFailure(pod, nodeName, error);
    } finally {
      if (this.#binding-- === maxBinding) this.#wakeLoop?.();
    }
  }

  /** What the API server knows counts: the pod may be gone, or bound although the answer was lost. */
  #onBindFailure(pod: PodInfo, nodeName: string, error: unknown): void {
    this.#cache.remove(pod.uid);
    this.#queue.changed(roomIsFree);
    const now = this.#pods.get(pod.key);
    if (isNotFound(error) || now?.metadata.uid !== pod.uid) {
      this.#queue.remove(pod.uid);
      return;
    }
    this.#options.log.warn('binding failed', { pod: pod.key, node: nodeName, error });
    if (!isConflict(error))
      this.#event(pod.pod, 'Warning', 'FailedScheduling', `binding rejected: ${(error as Error).message}`);
    this.#queue.retry(pod.uid);
    this.#see(now);
  }

  async #reportFailure(pod: PodInfo, message: string): Promise<void> {
    const { client, clock, log } = this.#options;
    this.#event(pod.pod, 'Warning', 'FailedScheduling', message);
    const known = pod.pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
    if (known?.status === 'False' && known.reason === 'Unschedulable' && known.message === message) return;
    const { name, namespace } = pod.pod.metadata;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastProbeTime: null,
      lastTransitionTime: formatTime(clock.nowMs()),
    };
    try {
      await client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', {
        status: { conditions: [condition] },
      });
    } catch (error) {
      if (!isNotFound(error)) log.warn('could not write a pod condition', { pod: pod.key, error });
    }
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
