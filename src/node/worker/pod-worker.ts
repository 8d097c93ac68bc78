// One pod on this node. Its worker runs one step at a time: look, plan, act, publish; and is woken by anything that may matter.
// The worker of a deleted pod ends its containers, says so, and only then lets the API forget the pod.
//
// States: running → finished (nothing will run again; waits to be deleted) → gone; running → terminating → gone.
import { isTerminalPhase, type Pod } from '../../api/index.ts';
import { parseTime } from '../../machinery/index.ts';
import { containerHash } from '../container/names.ts';
import { usesHostPorts } from '../plan/admission.ts';
import { type PodMemory, type PodPlan, planPod } from '../plan/pod-plan.ts';
import { buildPodStatus, type Failure, type Waiting } from '../plan/pod-status.ts';
import { noteBackoff } from './backoff-notes.ts';
import { followProbes } from './follow-probes.ts';
import { LastWords } from './last-words.ts';
import type { NodeContext } from './node-context.ts';
import { newsOf } from './pod-news.ts';
import { type Neighbourhood, PodPlace } from './pod-place.ts';
import { PodTimes } from './pod-times.ts';
import { crashKey, type StartOutcome, startPod } from './start-pod.ts';
import { idle, StepLoop, type StepResult } from './step-loop.ts';
import {
  deletePod,
  graceSecondsOf,
  killContainers,
  killPlanned,
  removeOldInstances,
  removeSandboxes,
  stopSandboxes,
} from './stop-pod.ts';
import { hasTokens, refreshVolumes, tokensDueInMs } from './volume-refresh.ts';

/** Why and how its node ends a pod for good. */
export interface PodEnd {
  readonly reason: string;
  readonly message: string;
  /** Its containers get at most this long. */
  readonly graceSeconds: number;
}

export class PodWorker {
  readonly uid: string;
  readonly #node: NodeContext;
  readonly #around: Neighbourhood;
  readonly #place: PodPlace;
  readonly #loop: StepLoop;
  readonly #times: PodTimes;
  readonly #waiting = new Map<string, Waiting>();
  readonly #lastWords = new LastWords();
  readonly #memory: PodMemory;
  #pod: Pod;
  #inApi = true;
  #refresh = false;
  #failure: Failure | undefined;
  /** Of a pod that has failed as a whole; undefined = its own. */
  #failureGraceSeconds: number | undefined;
  /** Cuts short what a running step is at when the pod is deleted. */
  #work = new AbortController();
  #graceSeconds: number | undefined;
  #terminateStarted = false;

  constructor(pod: Pod, node: NodeContext, around: Neighbourhood) {
    this.uid = pod.metadata.uid;
    this.#pod = pod;
    this.#node = node;
    this.#around = around;
    this.#place = new PodPlace(pod, node, around);
    this.#times = new PodTimes(pod, node);
    this.#loop = new StepLoop({
      name: `pod ${pod.metadata.namespace}/${pod.metadata.name}`,
      clock: node.clock,
      scope: node.scope,
      step: () =>
        this.#terminating
          ? this.#times.step('kill', () => this.#terminate())
          : this.#times.step('sync', () => this.#step()),
      failed: (error) => this.#failed(error),
    });
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
      resize: (container, status) => this.#place.resize.needOf(this.#pod, container, status),
    };
    node.references.register(pod);
  }

  get pod(): Pod {
    return this.#pod;
  }

  /** As far as the node has granted what it asks for. */
  get granted(): Pod {
    return this.#place.granted;
  }

  /** Whether it takes up room on the node. */
  get holds(): boolean {
    return this.#inApi && this.#place.isHeld;
  }

  /** Something has become free. */
  wakeDeferred(): void {
    if (this.#place.resize.retryInMs !== undefined) this.wake();
  }

  /** The API has a newer version of the pod. Our own status coming back is no news. */
  update(pod: Pod): void {
    const old = this.#pod;
    this.#pod = pod;
    this.#place.update(pod);
    this.#node.statuses.observe(pod);
    const news = newsOf(old, pod);
    if (news.files) this.#refresh = true;
    if (this.#terminating) this.#interrupt();
    if (news.any) this.wake();
  }

  /** The API no longer has the pod: it was deleted by force, or behind our back. */
  removed(): void {
    this.#inApi = false;
    this.#node.statuses.forget(this.uid);
    this.#interrupt();
    this.wake();
  }

  /** The node cannot keep it: it fails for good. False when it is ending already. */
  end({ reason, message, graceSeconds }: PodEnd): boolean {
    if (this.#failure !== undefined || this.#terminating) return false;
    this.#failure = { reason, message, byNode: true };
    this.#failureGraceSeconds = graceSeconds;
    this.wake();
    return true;
  }

  /** A ConfigMap or Secret it refers to has changed. */
  objectsChanged(): void {
    this.#refresh = true;
    this.wake();
  }

  wake(): void {
    this.#loop.wake();
  }

  stop(): void {
    this.#loop.cancelTimer();
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

  /** A step that its deletion has cut short is followed by the one that ends it. */
  #failed(error: unknown): 'next' | 'retry' {
    if (this.#work.signal.aborted && this.#terminating && !this.#terminateStarted) return 'next';
    const { namespace, name } = this.#pod.metadata;
    this.#node.log.warn('pod step failed, trying again', { pod: `${namespace}/${name}`, error });
    return 'retry';
  }

  /** One look, plan and act. */
  async #step(): Promise<StepResult> {
    const node = this.#node;
    const pod = this.#pod;
    if (isTerminalPhase(pod.status?.phase) || this.#failure !== undefined) return this.#finish();
    const rejection = await this.#place.enter(pod);
    if (rejection !== undefined) {
      const { reason, message } = rejection;
      this.#failure = { reason, message: `Pod was rejected: ${message}` };
      node.event(pod, 'Warning', { reason, message });
      return this.#finish();
    }
    this.#place.review(this.#pod);
    const { resize } = this.#place;
    // The runtime may have done what it could not answer any more.
    if (this.#loop.isRetrying) await node.cache.relist();
    const deadlineMs = this.#deadlineInMs();
    if (deadlineMs !== undefined && deadlineMs <= 0) {
      const message = 'Pod was active on the node longer than the specified deadline';
      this.#failure = { reason: 'DeadlineExceeded', message };
      node.event(pod, 'Normal', { reason: 'DeadlineExceeded', message });
      return this.#finish();
    }
    await this.#collectMessages();
    const plan = planPod({
      pod: this.#place.granted,
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
    if (this.#refresh || hasTokens(pod)) {
      this.#refresh = false;
      await refreshVolumes(node, this.#pod);
    }
    await this.#collectMessages();
    followProbes(node, pod);
    this.#publish(false);
    if (outcome === 'ok' && acts && !plan.finished) {
      // Its results may allow the next thing at once: the next init container, or a container that has ended already.
      this.wake();
      return idle;
    }
    if (!acts && resize.state.inProgress !== undefined) {
      resize.settle(this.#place.granted);
      this.#publish(false);
    }
    if (!plan.finished) await removeOldInstances(node, this.uid);
    const retry = outcome === 'retry';
    const waits = [
      plan.wakeInMs,
      deadlineMs,
      resize.retryInMs,
      retry ? this.#retryDelay(plan) : undefined,
      tokensDueInMs(node, { pod, finished: plan.finished }),
    ];
    const soonest = Math.min(...waits.filter((ms) => ms !== undefined));
    return { wakeInMs: Number.isFinite(soonest) ? soonest : undefined, retry };
  }

  /** What only waits for the back-off of its pull need not be looked at before that ends. */
  #retryDelay(plan: PodPlan): number {
    const ms = this.#loop.nextRetryMs();
    const onlyPulls = plan.start.every(
      (s) => this.#waiting.get(s.container.name)?.reason === 'ImagePullBackOff',
    );
    if (!onlyPulls || plan.start.length === 0) return ms;
    return Math.max(
      1,
      Math.min(...plan.start.map((s) => this.#node.images.backoffMs(this.#pod, s.container))),
    );
  }

  async #act(plan: PodPlan): Promise<StartOutcome> {
    const node = this.#node;
    const pod = this.#place.granted;
    await Promise.all(plan.kill.map((kill) => killPlanned(node, pod, kill)));
    if (plan.newSandbox !== undefined && (plan.stopSandboxes || plan.newSandbox > 0))
      node.event(pod, 'Normal', {
        reason: 'SandboxChanged',
        message: 'Pod sandbox changed, it will be killed and re-created.',
      });
    if (plan.stopSandboxes) await stopSandboxes(node, this.uid);
    if (plan.finished) return 'ok';
    const { resize } = this.#place;
    // What starts anew with more than it had needs a larger group too.
    const resizes = plan.update.length > 0 || resize.state.inProgress !== undefined;
    const resized = !resizes || (await resize.apply(pod, plan.update));
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
    this.#place.release();
    await node.volumes.release(this.uid);
    return idle;
  }

  async #terminate(): Promise<StepResult> {
    const node = this.#node;
    const { pod, uid } = this;
    this.#terminateStarted = true;
    const beganMs = node.clock.monotonicMs();
    node.leftovers.disturb();
    node.probes.stopLivenessAndStartup(uid);
    this.#graceSeconds = graceSecondsOf(this.#pod);
    this.#publish(false);
    await killContainers({ pod, node, graceSeconds: this.#graceSeconds });
    node.probes.retain(uid, new Set());
    // The network of a sandbox holds ports of the node. Whatever else it holds is the pod's own and nobody waits for it.
    if (usesHostPorts(pod)) await stopSandboxes(node, uid);
    else if (!this.#inApi) this.#place.release();
    await this.#collectMessages();
    if (this.#inApi) {
      this.#publish(true);
      await node.statuses.flush(uid);
    }
    await node.volumes.remove(uid);
    // Whoever hears that it is gone may send the next one.
    this.#place.release();
    if (this.#inApi) await deletePod(node, pod, beganMs);
    node.leftovers.disturb();
    this.#loop.end();
    node.statuses.forget(uid);
    node.references.release(uid);
    node.images.forget(uid);
    node.crash.forget(`${uid} `);
    node.allocations.forget(uid);
    // For the API the pod is over; what is left in the runtime is nobody's business, and gives way to pods that start.
    await removeSandboxes(node, uid, 'all').catch((error: unknown) =>
      node.log.warn('cannot remove sandbox, will be tried again', { uid, error }),
    );
    this.#around.onGone(uid);
    return idle;
  }

  #publish(stopped: boolean): void {
    if (!this.#inApi) return;
    const node = this.#node;
    const status = buildPodStatus({
      pod: this.#place.granted,
      runtime: node.cache.get(this.uid),
      previous: node.statuses.get(this.uid) ?? this.#pod.status,
      waiting: this.#waiting,
      isStarted: (container, id) => node.probes.isStarted(container, id),
      isReady: (container, id) => node.probes.isReady(container, id),
      messages: this.#lastWords.messages,
      nodeIps: node.nodeIps,
      failure: this.#failure,
      stopped,
      resize: this.#place.resize.state,
      resourcesOf: (id) => node.allocations.actual(this.#pod, id),
      nowMs: node.clock.nowMs(),
    });
    this.#times.reached(status.phase);
    node.statuses.put(this.#pod, status);
  }

  #collectMessages(): Promise<void> {
    const { cache, volumes } = this.#node;
    return this.#lastWords.collect(volumes.podDir(this.uid), cache.get(this.uid).containers);
  }

  #deadlineInMs(): number | undefined {
    const seconds = this.#pod.spec.activeDeadlineSeconds;
    const startedMs = parseTime(this.#node.statuses.get(this.uid)?.startTime ?? this.#pod.status?.startTime);
    if (seconds === undefined || startedMs === undefined) return undefined;
    return startedMs + seconds * 1000 - this.#node.clock.nowMs();
  }
}
