// One pod on this node. Its worker runs one step at a time: look, plan, act, publish; and is woken by anything that may matter.
// The worker of a deleted pod ends its containers, says so, and only then lets the API forget the pod.
//
// States: running → finished (nothing will run again; waits to be deleted) → gone; running → terminating → gone.
import { isTerminalPhase, Pod } from '../../api/index.ts';
import type { Timer } from '../../base/index.ts';
import { isConflict, isNotFound, parseTime, semanticEqual } from '../../machinery/index.ts';
import { containerHash } from '../container/names.ts';
import { type KillContainer, type PodMemory, type PodPlan, planPod } from '../plan/pod-plan.ts';
import { readySandbox } from '../plan/pod-runtime.ts';
import { buildPodStatus, type Failure, type Waiting } from '../plan/pod-status.ts';
import { noteBackoff } from './backoff-notes.ts';
import { followProbes } from './follow-probes.ts';
import { LastWords } from './last-words.ts';
import type { NodeContext } from './node-context.ts';
import { admitPod, ranBefore } from './pod-admission.ts';
import { PodResize } from './pod-resize.ts';
import { crashKey, downwardContext, type StartOutcome, startPod } from './start-pod.ts';
import {
  graceSecondsOf,
  killContainer,
  killContainers,
  removeOldInstances,
  removeSandboxes,
  stopSandboxes,
} from './stop-pod.ts';

const retryInitialMs = 1_000;
const retryMaxMs = 10_000;
const tokenRefreshMs = 300_000;

interface StepResult {
  /** When to look again even if nothing happens; undefined = not before it is woken. */
  readonly wakeInMs: number | undefined;
  /** Something did not work and will be tried again. */
  readonly retry: boolean;
}

const idle: StepResult = { wakeInMs: undefined, retry: false };

/** The other pods of the node, as a worker sees them. */
export interface Neighbourhood {
  /** Nothing of the pod is left. */
  onGone(uid: string): void;
  /** The other pods that the node has taken and that have not ended, as far as they were granted. */
  others(): readonly Pod[];
  /** What this pod holds of the node has changed. */
  changed(): void;
}

export class PodWorker {
  readonly uid: string;
  readonly #node: NodeContext;
  readonly #around: Neighbourhood;
  readonly #resize: PodResize;
  readonly #waiting = new Map<string, Waiting>();
  readonly #lastWords = new LastWords();
  readonly #memory: PodMemory;
  #pod: Pod;
  #inApi = true;
  #dirty = false;
  #running = false;
  #ended = false;
  #refresh = false;
  #failures = 0;
  #failure: Failure | undefined;
  /** Of a pod that has failed as a whole; undefined = its own. */
  #failureGraceSeconds: number | undefined;
  #timer: Timer | undefined;
  /** Cuts short what a running step is at when the pod is deleted. */
  #work = new AbortController();
  #graceSeconds: number | undefined;
  #terminateStarted = false;
  /** The node has room for it. */
  #taken = false;
  /** And the others know. */
  #settled = false;
  /** It has ended, and its place on the node is free, though others may not know yet. */
  #released = false;
  /** As far as it was granted: what is run. */
  #granted: Pod;

  constructor(pod: Pod, node: NodeContext, around: Neighbourhood) {
    this.uid = pod.metadata.uid;
    this.#pod = pod;
    this.#node = node;
    this.#around = around;
    this.#resize = new PodResize(node);
    this.#granted = pod;
    if (ranBefore(node, pod)) this.#take();
    const { status } = pod;
    // What had failed as a whole before the agent was restarted stays failed.
    if (status?.phase === 'Failed' && status.reason)
      this.#failure = { reason: status.reason, message: status.message };
    const verdict = (kind: 'liveness' | 'startup') => (id: string) => {
      const found = node.probes.verdict(id, kind);
      return found === 'unknown' ? undefined : found;
    };
    this.#memory = {
      liveness: verdict('liveness'),
      startup: verdict('startup'),
      crashBackoffMs: (container, finishedAtMs) =>
        node.crash.remainingMs(crashKey(this.#pod, container), finishedAtMs, node.clock.nowMs()),
      containerHash,
      resize: (container, status) => this.#resize.needOf(this.#pod, container, status),
    };
    node.references.register(pod);
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** As far as the node has granted what it asks for. */
  get granted(): Pod {
    return this.#granted;
  }

  /** Whether it takes up room on the node. */
  get holds(): boolean {
    if (!this.#taken || this.#released || !this.#inApi) return false;
    return !isTerminalPhase(this.#node.statuses.get(this.uid)?.phase ?? this.#pod.status?.phase);
  }

  /** Something has become free. */
  wakeDeferred(): void {
    if (this.#resize.retryInMs !== undefined) this.wake();
  }

  /** The API has a newer version of the pod. Our own status coming back is no news. */
  update(pod: Pod): void {
    const old = this.#pod;
    this.#pod = pod;
    this.#node.statuses.observe(pod);
    const { metadata } = pod;
    const relabelled =
      !semanticEqual(old.metadata.labels, metadata.labels) ||
      !semanticEqual(old.metadata.annotations, metadata.annotations);
    // Resources that changed are in files too.
    if (relabelled || old.metadata.generation !== metadata.generation) this.#refresh = true;
    if (this.#terminating) this.#interrupt();
    if (
      relabelled ||
      old.metadata.generation !== metadata.generation ||
      old.metadata.deletionTimestamp !== metadata.deletionTimestamp ||
      old.metadata.deletionGracePeriodSeconds !== metadata.deletionGracePeriodSeconds ||
      old.status?.phase !== pod.status?.phase ||
      (pod.spec.readinessGates ?? []).length > 0
    )
      this.wake();
  }

  /** The API no longer has the pod: it was deleted by force, or behind our back. */
  removed(): void {
    this.#inApi = false;
    this.#node.statuses.forget(this.uid);
    this.#interrupt();
    this.wake();
  }

  /** The node cannot keep it: it fails for good. Its containers get at most this long. */
  evict(message: string, graceSeconds: number): void {
    if (this.#failure !== undefined || this.#terminating) return;
    this.#failure = { reason: 'Evicted', message, evicted: true };
    this.#failureGraceSeconds = graceSeconds;
    this.wake();
  }

  /** A ConfigMap or Secret it refers to has changed. */
  objectsChanged(): void {
    this.#refresh = true;
    this.wake();
  }

  wake(): void {
    if (this.#ended) return;
    this.#dirty = true;
    if (this.#running) return;
    this.#running = true;
    this.#node.scope.run(`pod ${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`, (signal) =>
      this.#run(signal),
    );
  }

  stop(): void {
    this.#timer?.cancel();
  }

  get #terminating(): boolean {
    return !this.#inApi || this.#pod.metadata.deletionTimestamp !== undefined;
  }

  #interrupt(): void {
    if (!this.#work.signal.aborted) this.#work.abort(new Error('the pod is being deleted'));
    // A shorter grace period counts from now on, also for containers that are being stopped already.
    const grace = graceSecondsOf(this.#pod);
    if (this.#graceSeconds !== undefined && grace < this.#graceSeconds) {
      this.#graceSeconds = grace;
      for (const c of this.#node.cache.get(this.uid).containers)
        if (c.state === 'running')
          this.#node.scope.run('stop sooner', () => this.#node.runtime.stopContainer(c.id, grace));
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      while (this.#dirty && !this.#ended && !signal.aborted) {
        this.#dirty = false;
        this.#timer?.cancel();
        try {
          const { wakeInMs, retry } = this.#terminating ? await this.#terminate() : await this.#step();
          if (!retry) this.#failures = 0;
          if (wakeInMs !== undefined) this.#wakeIn(wakeInMs);
        } catch (error) {
          if (signal.aborted) return;
          if (this.#work.signal.aborted && this.#terminating && !this.#terminateStarted) {
            this.#dirty = true;
            continue;
          }
          this.#node.log.warn('pod step failed, trying again', {
            pod: `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`,
            error,
          });
          this.#wakeIn(this.#retryMs());
        }
      }
    } finally {
      this.#running = false;
      if (this.#dirty && !this.#ended && !signal.aborted) this.wake();
    }
  }

  #retryMs(): number {
    return Math.min(retryMaxMs, retryInitialMs * 2 ** this.#failures++);
  }

  #wakeIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#node.clock.after(ms, () => this.wake());
  }

  /** One look, plan and act. */
  async #step(): Promise<StepResult> {
    const node = this.#node;
    const pod = this.#pod;
    if (isTerminalPhase(pod.status?.phase) || this.#failure !== undefined) return this.#finish();
    if (!this.#settled) {
      if (!this.#taken && !(await this.#admit())) return this.#finish();
      this.#settled = true;
      this.#around.changed();
    }
    this.#review();
    // The runtime may have done what it could not answer any more.
    if (this.#failures > 0) await node.cache.relist();
    const deadlineMs = this.#deadlineInMs();
    if (deadlineMs !== undefined && deadlineMs <= 0) {
      const message = 'Pod was active on the node longer than the specified deadline';
      this.#failure = { reason: 'DeadlineExceeded', message };
      node.event(pod, 'Normal', { reason: 'DeadlineExceeded', message });
      return this.#finish();
    }
    await this.#collectMessages();
    const plan = planPod({
      pod: this.#granted,
      runtime: node.cache.get(this.uid),
      memory: this.#memory,
      lastStatus: node.statuses.get(this.uid) ?? pod.status,
    });
    noteBackoff(node, { pod, waiting: this.#waiting, plan });
    followProbes(node, pod);
    const acts =
      plan.kill.length > 0 ||
      plan.start.length > 0 ||
      plan.update.length > 0 ||
      plan.stopSandboxes ||
      plan.newSandbox !== undefined;
    if (acts && !plan.finished) this.#publish(false);
    const outcome = acts ? await this.#act(plan) : 'ok';
    if (this.#refresh || this.#hasTokens()) await this.#refreshVolumes();
    await this.#collectMessages();
    followProbes(node, pod);
    this.#publish(false);
    if (outcome === 'ok' && acts && !plan.finished) {
      // Its results may allow the next thing at once: the next init container, or a container that has ended already.
      this.#dirty = true;
      return idle;
    }
    if (!acts && this.#resize.state.inProgress !== undefined) {
      this.#resize.settle(this.#granted);
      this.#publish(false);
    }
    if (!plan.finished) await removeOldInstances(node, this.uid);
    const retry = outcome === 'retry';
    const waits = [
      plan.wakeInMs,
      deadlineMs,
      this.#resize.retryInMs,
      retry ? this.#retryDelay(plan) : undefined,
    ];
    if (this.#hasTokens()) waits.push(tokenRefreshMs);
    const soonest = Math.min(...waits.filter((ms) => ms !== undefined));
    return { wakeInMs: Number.isFinite(soonest) ? soonest : undefined, retry };
  }

  /** What only waits for the back-off of its pull need not be looked at before that ends. */
  #retryDelay(plan: PodPlan): number {
    const ms = this.#retryMs();
    const onlyPulls = plan.start.every(
      (s) => this.#waiting.get(s.container.name)?.reason === 'ImagePullBackOff',
    );
    if (!onlyPulls || plan.start.length === 0) return ms;
    return Math.max(
      1,
      Math.min(...plan.start.map((s) => this.#node.images.backoffMs(this.#pod, s.container))),
    );
  }

  /** Resolves to whether the node takes it. */
  async #admit(): Promise<boolean> {
    const node = this.#node;
    // Pods that come with it, and run already, are counted first.
    await Promise.resolve();
    const rejection = await admitPod(node, this.#pod, () => this.#around.others());
    if (rejection !== undefined) {
      const { reason, message } = rejection;
      this.#failure = { reason, message: `Pod was rejected: ${message}` };
      node.event(this.#pod, 'Warning', { reason, message });
      return false;
    }
    this.#take();
    return true;
  }

  #take(): void {
    const { allocations } = this.#node;
    allocations.add(this.#pod);
    this.#taken = true;
    this.#granted = allocations.granted(this.#pod);
  }

  #review(): void {
    const { inProgress } = this.#resize.state;
    this.#granted = this.#resize.review(this.#pod, this.#around.others());
    if (this.#resize.state.inProgress !== inProgress) this.#around.changed();
  }

  async #act(plan: PodPlan): Promise<StartOutcome> {
    const node = this.#node;
    const pod = this.#granted;
    await Promise.all(plan.kill.map((kill) => this.#kill(kill)));
    if (plan.stopSandboxes) {
      if (plan.newSandbox !== undefined)
        node.event(pod, 'Normal', {
          reason: 'SandboxChanged',
          message: 'Pod sandbox changed, it will be killed and re-created.',
        });
      await stopSandboxes(node, this.uid);
    } else if (plan.newSandbox !== undefined && plan.newSandbox > 0)
      node.event(pod, 'Normal', {
        reason: 'SandboxChanged',
        message: 'Pod sandbox changed, it will be killed and re-created.',
      });
    if (plan.finished) return 'ok';
    const resized = plan.update.length === 0 || (await this.#resize.apply(pod, plan.update));
    const started = await startPod(
      {
        pod,
        node,
        signal: AbortSignal.any([this.#work.signal, node.scope.signal]),
        setWaiting: (name, waiting) => {
          if (waiting === undefined) this.#waiting.delete(name);
          else this.#waiting.set(name, waiting);
        },
        publish: () => this.#publish(false),
      },
      plan,
    );
    return resized ? started : 'retry';
  }

  #kill(kill: KillContainer): Promise<void> {
    const node = this.#node;
    const status = node.cache.get(this.uid).containers.find((c) => c.id === kill.id);
    if (status === undefined) return Promise.resolve();
    const probe =
      kill.reason === 'liveness'
        ? kill.container?.livenessProbe
        : kill.reason === 'startup'
          ? kill.container?.startupProbe
          : undefined;
    const graceSeconds =
      probe?.terminationGracePeriodSeconds ?? this.#pod.spec.terminationGracePeriodSeconds ?? 30;
    return killContainer(
      { pod: this.#pod, node, graceSeconds },
      { status, container: kill.container, message: kill.message },
    );
  }

  /** Nothing of it will run again, but the API still has it. */
  async #finish(): Promise<StepResult> {
    const node = this.#node;
    const { pod } = this;
    if (node.cache.get(this.uid).containers.some((c) => c.state === 'running')) {
      this.#publish(false);
      await killContainers({
        pod,
        node,
        graceSeconds: Math.max(1, this.#failureGraceSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30),
      });
    }
    await stopSandboxes(node, this.uid);
    await this.#collectMessages();
    node.probes.retain(this.uid, new Set());
    this.#publish(true);
    this.#release();
    return idle;
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#settled) this.#around.changed();
  }

  async #terminate(): Promise<StepResult> {
    const node = this.#node;
    const { pod, uid } = this;
    this.#terminateStarted = true;
    node.probes.stopLivenessAndStartup(uid);
    this.#graceSeconds = graceSecondsOf(this.#pod);
    this.#publish(false);
    await killContainers({ pod, node, graceSeconds: this.#graceSeconds });
    node.probes.retain(uid, new Set());
    await stopSandboxes(node, uid);
    await this.#collectMessages();
    if (this.#inApi) {
      this.#publish(true);
      await node.statuses.flush(uid);
    }
    await node.volumes.remove(uid);
    // Whoever hears that it is gone may send the next one.
    this.#release();
    if (this.#inApi) await this.#deleteFromApi();
    this.#ended = true;
    this.#timer?.cancel();
    node.statuses.forget(uid);
    node.references.release(uid);
    node.images.forget(uid);
    node.crash.forget(`${uid} `);
    node.allocations.forget(uid);
    // For the API the pod is over; what is left in the runtime is nobody's business.
    await removeSandboxes(node, uid, 'all').catch((error: unknown) =>
      node.log.warn('cannot remove sandbox, will be tried again', { uid, error }),
    );
    this.#around.onGone(uid);
    return idle;
  }

  async #deleteFromApi(): Promise<void> {
    const { name, namespace } = this.#pod.metadata;
    await this.#node
      .client(Pod)
      .delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid: this.uid } })
      .catch((error: unknown) => {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      });
  }

  #publish(stopped: boolean): void {
    if (!this.#inApi) return;
    const node = this.#node;
    node.statuses.put(
      this.#pod,
      buildPodStatus({
        pod: this.#granted,
        runtime: node.cache.get(this.uid),
        previous: node.statuses.get(this.uid) ?? this.#pod.status,
        waiting: this.#waiting,
        isStarted: (container, id) => node.probes.isStarted(container, id),
        isReady: (container, id) => node.probes.isReady(container, id),
        messages: this.#lastWords.messages,
        nodeIps: node.nodeIps,
        failure: this.#failure,
        stopped,
        resize: this.#resize.state,
        resourcesOf: (id) => node.allocations.actual(this.#pod, id),
        nowMs: node.clock.nowMs(),
      }),
    );
  }

  #collectMessages(): Promise<void> {
    const { cache, volumes } = this.#node;
    return this.#lastWords.collect(volumes.podDir(this.uid), cache.get(this.uid).containers);
  }

  #hasTokens(): boolean {
    return (this.#pod.spec.volumes ?? []).some((v) =>
      v.projected?.sources?.some((s) => s.serviceAccountToken !== undefined),
    );
  }

  async #refreshVolumes(): Promise<void> {
    this.#refresh = false;
    if (
      (this.#pod.spec.volumes ?? []).length === 0 ||
      readySandbox(this.#node.cache.get(this.uid)) === undefined
    )
      return;
    await this.#node.volumes.refresh(this.#pod, {
      objects: this.#node.references.lookup(this.#pod.metadata.namespace ?? ''),
      downward: downwardContext(this.#node, this.#pod),
    });
  }

  #deadlineInMs(): number | undefined {
    const seconds = this.#pod.spec.activeDeadlineSeconds;
    const startedMs = parseTime(this.#node.statuses.get(this.uid)?.startTime ?? this.#pod.status?.startTime);
    if (seconds === undefined || startedMs === undefined) return undefined;
    return startedMs + seconds * 1000 - this.#node.clock.nowMs();
  }
}
