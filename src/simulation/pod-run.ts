// One pod on a simulated node: a container runtime of data in place of a real one. What to do next and what to report is decided by the
// same pure functions as on a real node (node/plan); this file carries the plan out on records, at the times the stage says.
// No I/O: time, addresses and chance come in as `PodWorld`. HOT: bench/simulation.ts.
import { type coreV1, isTerminating, type Pod } from '../api/index.ts';
import { backoffMs, type Random } from '../base/index.ts';
import { parseTime } from '../machinery/index.ts';
import {
  buildPodStatus,
  type ContainerStatus,
  CrashBackoff,
  humanSpan,
  type PodMemory,
  type PodPlan,
  planPod,
  type SandboxStatus,
  type StartContainer,
  type Waiting,
} from '../node/index.ts';
import { PodCourse } from './pod-course.ts';
import { idFor, imageIdOf, noLabels, recallRuntime } from './recalled-runtime.ts';
import { draw, type Stage } from './script.ts';

export interface PodWorld {
  readonly nowMs: number;
  readonly random: Random;
  /** Of the node's range; undefined = there is none left, or no range yet. */
  takeIp(): string | undefined;
  freeIp(ip: string): void;
  /** Why a claim of the pod on devices cannot be used; undefined = all can. */
  whyNoDevices(pod: Pod): string | undefined;
  event(type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void;
}

export interface StepResult {
  /** When to step again even if nothing happens; Infinity = not before something does. Wall-clock ms. */
  readonly nextMs: number;
  /** Everything of it has ended and its deletion may be confirmed. */
  readonly over: boolean;
}

const pullBackoff = { initialMs: 10_000, maxMs: 300_000 };
const sandboxRetryMs = 1000;
/** Claims may be heard of later than the pod that was bound after they were written. */
const claimsDelayMs = 100;
const maxRounds = 16;
const noMessages: ReadonlyMap<string, string> = new Map();
const nobodyWaits: ReadonlyMap<string, Waiting> = new Map();
const rebootExitCode = 255;
const killExitCode = 137;

export class PodRun {
  readonly stage: Stage;
  readonly #course: PodCourse;
  /** As the API last had it. */
  pod: Pod;
  /** Newest first. */
  #sandboxes: SandboxStatus[] = [];
  #containers: ContainerStatus[] = [];
  #waiting: Map<string, Waiting> | null = null;
  #pullFailures: Map<string, { count: number; untilMs: number }> | null = null;
  /** null until a container has ended. */
  #crash: CrashBackoff | null = null;
  #failure: Waiting | undefined;
  /** When the sandbox stands; 0 = it has not been begun. */
  #startMs = 0;
  /** When the node first heard of it; 0 = it has not been looked at. */
  #metMs = 0;
  /** When the containers have ended that were told to; 0 = they were not. */
  #stopMs = 0;
  #stopKills = false;
  /** Its containers have been stopped for good. */
  #stopped = false;
  #mayReport: boolean;
  /** Its claims could not be used when it was to start. */
  #lacksDevices = false;
  /** When it was stepped last. */
  #steppedMs = 0;

  private constructor(pod: Pod, stage: Stage, random: Random) {
    this.pod = pod;
    this.stage = stage;
    this.#course = new PodCourse(stage, random);
    this.#mayReport = pod.status?.startTime !== undefined;
    const { status } = pod;
    if (status?.phase === 'Failed' && status.reason !== undefined && status.reason !== '')
      this.#failure = { reason: status.reason, message: status.message };
  }

  /** A pod that the node hears of for the first time, or that ran here before the simulation was started again. */
  static meet(pod: Pod, stage: Stage, world: Pick<PodWorld, 'random'>): PodRun {
    const run = new PodRun(pod, stage, world.random);
    run.#recall();
    return run;
  }

  /** A pod on a machine that has lost its power meanwhile: its containers have ended, and start anew if their policy says so. */
  static reboot(pod: Pod, stage: Stage, world: Pick<PodWorld, 'random' | 'nowMs'>): PodRun {
    const run = new PodRun(pod, stage, world.random);
    run.#recall();
    run.#containers = run.#containers.map((c) =>
      c.state === 'running'
        ? { ...c, state: 'exited', exitCode: rebootExitCode, reason: 'Unknown', finishedAtMs: world.nowMs }
        : c,
    );
    run.#sandboxes = run.#sandboxes.map((sandbox) => ({ ...sandbox, ready: false, ips: [] }));
    return run;
  }

  get uid(): string {
    return this.pod.metadata.uid;
  }

  /** The address it holds; undefined = none, or the node's. */
  get ip(): string | undefined {
    return this.pod.spec.hostNetwork === true ? undefined : this.#sandboxes[0]?.ips[0];
  }

  /** Whether its status is worth a write yet: what starts within a moment is reported once, when it runs. */
  get mayReport(): boolean {
    return this.#mayReport || this.#sandboxes.length > 0 || this.#failure !== undefined;
  }

  /** From now on even what has not started is reported. */
  report(): void {
    this.#mayReport = true;
  }

  /** Names of the containers that run now. */
  get runningContainers(): readonly string[] {
    return this.#containers.filter(({ state }) => state === 'running').map(({ name }) => name);
  }

  /** Brings it to what it is at `world.nowMs`. */
  step(world: PodWorld): StepResult {
    this.#steppedMs = world.nowMs;
    this.#expire(world);
    if (isTerminating(this.pod)) return this.#end(world);
    if (this.#failure !== undefined) return this.#giveUp(world);
    if (this.#metMs === 0) this.#metMs = parseTime(this.pod.status?.startTime) ?? world.nowMs;
    const deadlineMs = this.#metMs + (this.pod.spec.activeDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1000;
    if (deadlineMs <= world.nowMs) {
      const message = 'Pod was active on the node longer than the specified deadline';
      this.#failure = { reason: 'DeadlineExceeded', message };
      world.event('Normal', 'DeadlineExceeded', message);
      return this.#giveUp(world);
    }
    const failMs = this.#metMs + this.#course.failDelayMs;
    const { fails } = this.stage;
    if (fails !== undefined && failMs <= world.nowMs) {
      this.#failure = { reason: fails.reason, message: fails.message };
      world.event('Warning', fails.reason, fails.message);
      return this.#giveUp(world);
    }
    return { nextMs: Math.min(this.#work(world), deadlineMs, failMs), over: false };
  }

  /** The status to report now. Pure. */
  status(at: { readonly nowMs: number; readonly nodeIps: readonly string[] }): coreV1.PodStatus {
    // A wall clock that is set back must not undo what was stepped through: nobody would step there again.
    const nowMs = Math.max(at.nowMs, this.#steppedMs);
    return buildPodStatus({
      pod: this.pod,
      runtime: this.#runtime(),
      previous: this.pod.status,
      waiting: this.#waiting ?? nobodyWaits,
      isStarted: () => true,
      isReady: (_, id) => this.#readyMs(id) <= nowMs,
      messages: noMessages,
      nodeIps: at.nodeIps,
      failure: this.#failure,
      stopped: this.#stopped,
      nowMs: at.nowMs,
    });
  }

  #runtime() {
    return { sandboxes: this.#sandboxes, containers: this.#containers };
  }

  /** Plans and acts until there is nothing more to do now. Returns when there will be. */
  #work(world: PodWorld): number {
    for (let round = 0; round < maxRounds; round++) {
      const plan = planPod({
        pod: this.pod,
        runtime: this.#runtime(),
        memory: this.#memory(world),
        lastStatus: this.pod.status,
      });
      this.#noteBackoff(plan, world);
      if (plan.finished) {
        this.#stop(0, world);
        return Number.POSITIVE_INFINITY;
      }
      if (plan.newSandbox !== undefined) {
        const waitMs = this.#makeSandbox(plan, world);
        if (waitMs > 0) return world.nowMs + waitMs;
        continue;
      }
      let acted = false;
      for (const start of plan.start) acted = this.#start(start, world) || acted;
      if (!acted)
        return Math.min(
          this.#nextChange(world.nowMs),
          world.nowMs + (plan.wakeInMs ?? Number.POSITIVE_INFINITY),
        );
      this.#expire(world);
    }
    // A container that ends in no time, again and again: others come first.
    return world.nowMs + sandboxRetryMs;
  }

  #memory({ nowMs }: PodWorld): PodMemory {
    return {
      liveness: () => 'success',
      startup: () => 'success',
      crashBackoffMs: (container, finishedAtMs) =>
        this.#crash?.remainingMs(container.name, finishedAtMs, nowMs) ?? 0,
      containerHash: () => '',
    };
  }

  /** Returns how long it still takes; 0 = it stands. */
  #makeSandbox({ newSandbox = 0 }: PodPlan, world: PodWorld): number {
    if (this.#startMs === 0) {
      this.#startMs = world.nowMs + draw(this.stage.start, world.random);
      if (newSandbox > 0)
        world.event('Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
    }
    if (this.#startMs > world.nowMs) return this.#startMs - world.nowMs;
    const withoutMs = this.pod.spec.resourceClaims === undefined ? 0 : this.#awaitDevices(world);
    if (withoutMs > 0) return withoutMs;
    const ip = this.pod.spec.hostNetwork === true ? '' : world.takeIp();
    if (ip === undefined) {
      this.#mayReport = true;
      world.event(
        'Warning',
        'FailedCreatePodSandBox',
        'Failed to create pod sandbox: plugin type="simulation" failed (add): no IP addresses available in the range of the node',
      );
      return sandboxRetryMs;
    }
    this.#startMs = 0;
    const { name, namespace = '', uid } = this.pod.metadata;
    this.#sandboxes = [
      {
        id: idFor(uid, 'sandbox', newSandbox),
        metadata: { name, namespace, uid, attempt: newSandbox },
        ready: true,
        createdAtMs: world.nowMs,
        labels: noLabels,
        annotations: noLabels,
        ips: ip === '' ? [] : [ip],
      },
    ];
    return 0;
  }

  /** Returns after what time to look again; 0 = its claims can be used. */
  #awaitDevices(world: PodWorld): number {
    const why = world.whyNoDevices(this.pod);
    if (why === undefined) return 0;
    if (!this.#lacksDevices) {
      this.#lacksDevices = true;
      return claimsDelayMs;
    }
    this.#mayReport = true;
    const message = `Failed to prepare dynamic resources: prepare dynamic resources: ${why}`;
    world.event('Warning', 'FailedPrepareDynamicResources', message);
    return sandboxRetryMs;
  }

  /** Whether it runs now; if not, its image is not there. */
  #start({ container, attempt }: StartContainer, world: PodWorld): boolean {
    const { name, image = '' } = container;
    if (!this.#pull(container, world)) return false;
    const last = this.#containers.find((c) => c.name === name);
    if (last?.state === 'exited') {
      this.#crash ??= new CrashBackoff();
      this.#crash.restarted(name, last.finishedAtMs, world.nowMs);
    }
    this.#waiting?.delete(name);
    const { uid } = this.pod.metadata;
    const status: ContainerStatus = {
      id: idFor(uid, name, attempt),
      sandboxId: this.#sandboxes[0]?.id ?? '',
      name,
      attempt,
      state: 'running',
      createdAtMs: world.nowMs,
      image,
      imageRef: imageIdOf(image),
      labels: noLabels,
      annotations: noLabels,
      startedAtMs: world.nowMs,
      finishedAtMs: 0,
      exitCode: 0,
      reason: '',
      message: '',
      logPath: '',
    };
    // Of earlier instances the last one is kept, as a node does.
    this.#containers = [status, ...this.#containers.filter((c) => c.name !== name || c === last)];
    world.event('Normal', 'Created', 'Container created', name);
    world.event('Normal', 'Started', 'Container started', name);
    return true;
  }

  #pull({ name, image = '' }: coreV1.Container, world: PodWorld): boolean {
    const failed = this.#pullFailures?.get(name);
    if (this.#course.concerns(this.pod.spec, name) && this.stage.pullFailures > (failed?.count ?? 0)) {
      const message = `failed to resolve reference "${image}": not found`;
      if (failed !== undefined && failed.untilMs > world.nowMs) {
        if (this.#waiting?.get(name)?.reason !== 'ImagePullBackOff') {
          world.event('Normal', 'BackOff', `Back-off pulling image "${image}"`, name);
          world.event('Warning', 'Failed', 'Error: ImagePullBackOff', name);
        }
        this.#wait(name, {
          reason: 'ImagePullBackOff',
          message: `Back-off pulling image "${image}": ErrImagePull: ${message}`,
        });
        return false;
      }
      const count = (failed?.count ?? 0) + 1;
      this.#pullFailures ??= new Map();
      this.#pullFailures.set(name, { count, untilMs: world.nowMs + backoffMs(count - 1, pullBackoff) });
      world.event('Normal', 'Pulling', `Pulling image "${image}"`, name);
      world.event('Warning', 'Failed', `Failed to pull image "${image}": ${message}`, name);
      world.event('Warning', 'Failed', 'Error: ErrImagePull', name);
      this.#wait(name, { reason: 'ErrImagePull', message });
      return false;
    }
    world.event(
      'Normal',
      'Pulled',
      `Container image "${image}" already present on machine and can be accessed by the pod`,
      name,
    );
    return true;
  }

  #wait(name: string, why: Waiting): void {
    this.#mayReport = true;
    this.#waiting ??= new Map();
    this.#waiting.set(name, why);
  }

  #noteBackoff({ inBackoff }: PodPlan, world: PodWorld): void {
    const { name: pod, namespace, uid } = this.pod.metadata;
    for (const { name } of inBackoff) {
      const label = `${pod}_${namespace}(${uid})`;
      if (this.#waiting?.get(name)?.reason !== 'CrashLoopBackOff')
        world.event(
          'Warning',
          'BackOff',
          `Back-off restarting failed container ${name} in pod ${label}`,
          name,
        );
      const delay = humanSpan(this.#crash?.delayMs(name) ?? 0);
      this.#wait(name, {
        reason: 'CrashLoopBackOff',
        message: `back-off ${delay} restarting failed container=${name} pod=${label}`,
      });
    }
  }

  /** It was deleted: containers are told to end, and when they have, the node is done with it. */
  #end(world: PodWorld): StepResult {
    const graceMs = Math.max(0, this.pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000;
    if (this.#stopMs === 0) {
      for (const { name, state } of this.#containers)
        if (state === 'running') world.event('Normal', 'Killing', `Stopping container ${name}`, name);
      // What is being made is taken down as well.
      const stands = this.#startMs > 0 || this.#sandboxes.some(({ ready }) => ready);
      const neededMs = stands ? draw(this.stage.stop, world.random) : 0;
      this.#stopMs = world.nowMs + neededMs;
    }
    // A shorter grace period counts from now on.
    if (this.#stopMs - world.nowMs > graceMs) {
      this.#stopMs = world.nowMs + graceMs;
      this.#stopKills = true;
    }
    if (this.#stopMs > world.nowMs) return { nextMs: this.#stopMs, over: false };
    this.#stop(this.#stopKills ? killExitCode : 0, world);
    return { nextMs: Number.POSITIVE_INFINITY, over: true };
  }

  #giveUp(world: PodWorld): StepResult {
    for (const { name, state } of this.#containers)
      if (state === 'running') world.event('Normal', 'Killing', `Stopping container ${name}`, name);
    this.#stop(killExitCode, world);
    return { nextMs: Number.POSITIVE_INFINITY, over: false };
  }

  #stop(exitCode: number, world: PodWorld): void {
    this.#stopped = true;
    const ip = this.ip;
    if (ip !== undefined) world.freeIp(ip);
    this.#sandboxes = this.#sandboxes.map((sandbox) => ({ ...sandbox, ready: false, ips: [] }));
    this.#containers = this.#containers.map((c) =>
      c.state === 'running' ? { ...c, state: 'exited', exitCode, finishedAtMs: world.nowMs } : c,
    );
  }

  /** Ends the containers whose time has come. */
  #expire({ nowMs }: PodWorld): void {
    const { spec } = this.pod;
    for (let i = 0; i < this.#containers.length; i++) {
      const status = this.#containers[i]!;
      const endMs = this.#course.endMs(spec, status);
      if (endMs > nowMs) continue;
      const { exitCode, reason, message } = this.#course.endingOf(spec, status.name)!;
      this.#containers[i] = { ...status, state: 'exited', exitCode, reason, message, finishedAtMs: endMs };
    }
  }

  /** The soonest of what happens by itself after `nowMs`. */
  #nextChange(nowMs: number): number {
    const { spec } = this.pod;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const status of this.#containers) {
      if (status.state !== 'running') continue;
      nextMs = Math.min(nextMs, this.#course.endMs(spec, status));
      const readyMs = this.#course.readyMs(spec, status);
      if (readyMs > nowMs) nextMs = Math.min(nextMs, readyMs);
    }
    for (const { untilMs } of this.#pullFailures?.values() ?? [])
      if (untilMs > nowMs) nextMs = Math.min(nextMs, untilMs);
    return nextMs;
  }

  #readyMs(id: string): number {
    const status = this.#containers.find((c) => c.id === id);
    return status === undefined ? Number.POSITIVE_INFINITY : this.#course.readyMs(this.pod.spec, status);
  }

  #recall(): void {
    const { sandboxes, containers } = recallRuntime(this.pod);
    this.#sandboxes = sandboxes;
    this.#containers = containers;
  }
}
