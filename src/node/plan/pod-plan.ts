// Decides, purely, what to do next for one pod: from its spec, what the runtime has, and what probes and earlier attempts say.
// Level-triggered: the same state gives the same plan, whatever woke the worker, so a restarted agent goes on where it stopped.
//
// Invariants: (1) nothing starts without a ready sandbox; (2) at most one instance of a container runs; (3) an app container
// starts only when every init container has done its part; (4) nothing is started that is in back-off.
import { type coreV1, isSidecar, type Pod } from '../../api/index.ts';
import type { ContainerStatus } from '../../os/index.ts';
import { neverStarted, newestContainer, type PodRuntime, readySandbox } from './pod-runtime.ts';
import { initRestartsAfter, restartsAfter } from './restart-policy.ts';

export type ProbeResult = 'success' | 'failure';

/** What is remembered about a pod besides what the runtime knows. */
export interface PodMemory {
  /** By container id. undefined = no such probe, or no result yet. */
  liveness(containerId: string): ProbeResult | undefined;
  startup(containerId: string): ProbeResult | undefined;
  /** Milliseconds a container that ended at `finishedAtMs` still has to wait. 0 = may start. */
  crashBackoffMs(container: coreV1.Container, finishedAtMs: number): number;
  /** A hash of what the container was started with; changes of it restart the container. */
  containerHash(container: coreV1.Container): string;
  /** What a running container needs to have the resources that it was granted. Absent where nothing is resized. */
  resize?(container: coreV1.Container, status: ContainerStatus): 'nothing' | 'update' | 'restart';
}

export interface StartContainer {
  readonly container: coreV1.Container;
  readonly attempt: number;
  readonly kind: 'init' | 'app' | 'ephemeral';
  /** The instance whose end counts for the back-off; undefined = none does. */
  readonly after?: ContainerStatus | undefined;
}

export interface KillContainer {
  readonly id: string;
  readonly container: coreV1.Container | undefined;
  readonly name: string;
  /** For the Killing event. */
  readonly message: string;
  /** Which probe asks for it: it may have a grace period of its own. */
  readonly reason: 'changed' | 'liveness' | 'startup' | 'unknown' | 'resize' | 'podFinished';
}

/** A running container whose resources change while it runs. */
export interface UpdateContainer {
  readonly id: string;
  readonly container: coreV1.Container;
}

export interface PodPlan {
  /** Stop the whole sandbox: it is dead, doubled, or no longer needed. */
  readonly stopSandboxes: boolean;
  /** Its attempt number; undefined = none is made. */
  readonly newSandbox: number | undefined;
  readonly kill: readonly KillContainer[];
  readonly update: readonly UpdateContainer[];
  /** In the order in which they must be started. */
  readonly start: readonly StartContainer[];
  /** Containers that wait out a crash back-off. */
  readonly inBackoff: readonly { readonly name: string; readonly forMs: number; readonly delayMs: number }[];
  /** Look again after this long even if nothing happens. */
  readonly wakeInMs: number | undefined;
  /** Every container has ended and none will run again. */
  readonly finished: boolean;
}

export const containerHashLabel = 'io.kubernetes.container.hash';

export interface PlanInput {
  readonly pod: Pod;
  readonly runtime: PodRuntime;
  readonly memory: PodMemory;
  /** What the API last said: restart counts go on from it when the runtime has lost its containers. */
  readonly lastStatus: coreV1.PodStatus | undefined;
}

class Planner {
  readonly input: PlanInput;
  readonly kill: KillContainer[] = [];
  readonly update: UpdateContainer[] = [];
  readonly start: StartContainer[] = [];
  readonly inBackoff: { name: string; forMs: number; delayMs: number }[] = [];

  constructor(input: PlanInput) {
    this.input = input;
  }

  attempt(name: string): number {
    const { runtime, lastStatus } = this.input;
    const newest = newestContainer(runtime, name);
    if (newest !== undefined) return neverStarted(newest) ? newest.attempt : newest.attempt + 1;
    const said = [
      ...(lastStatus?.containerStatuses ?? []),
      ...(lastStatus?.initContainerStatuses ?? []),
    ].find((s) => s.name === name);
    const everRan = said?.containerID !== undefined && said.containerID !== '';
    return everRan ? said.restartCount + 1 : 0;
  }

  /** Starts it, or notes that it must wait. */
  startWhenDue(container: coreV1.Container, kind: StartContainer['kind'], last?: ContainerStatus): void {
    if (last?.state === 'exited') {
      const forMs = this.input.memory.crashBackoffMs(container, last.finishedAtMs);
      if (forMs > 0) {
        const delayMs = forMs;
        this.inBackoff.push({ name: container.name, forMs, delayMs });
        return;
      }
    }
    const after = last?.state === 'exited' ? last : undefined;
    this.start.push({ container, kind, attempt: this.attempt(container.name), after });
  }

  /** After a kill. What was killed has not ended yet: the instance before it counts, unless it is the node that wants the restart. */
  startAfterKill(container: coreV1.Container, kind: StartContainer['kind'], kill: KillContainer): void {
    const before = this.input.runtime.containers.find(
      (c) => c.name === container.name && c.id !== kill.id && c.state === 'exited',
    );
    this.startWhenDue(container, kind, kill.reason === 'resize' ? undefined : before);
  }

  /** Why a running container must be ended and started anew, if it must. */
  reasonToRestart(container: coreV1.Container, status: ContainerStatus): KillContainer | undefined {
    const { memory } = this.input;
    const make = (reason: KillContainer['reason'], message: string): KillContainer => ({
      id: status.id,
      name: container.name,
      container,
      reason,
      message,
    });
    const hash = status.annotations[containerHashLabel];
    if (hash !== undefined && hash !== memory.containerHash(container))
      return make('changed', `Container ${container.name} definition changed, will be restarted`);
    if (memory.liveness(status.id) === 'failure')
      return make('liveness', `Container ${container.name} failed liveness probe, will be restarted`);
    if (memory.startup(status.id) === 'failure')
      return make('startup', `Container ${container.name} failed startup probe, will be restarted`);
    if (memory.resize?.(container, status) === 'restart')
      return make('resize', `Container ${container.name} resize requires restart`);
    return undefined;
  }

  /** Of a container that goes on running. */
  updateWhenResized(container: coreV1.Container, status: ContainerStatus): void {
    if (this.input.memory.resize?.(container, status) === 'update')
      this.update.push({ id: status.id, container });
  }
}

const hasStarted = (container: coreV1.Container, status: ContainerStatus, memory: PodMemory): boolean =>
  status.state === 'running' &&
  (container.startupProbe === undefined || memory.startup(status.id) === 'success');

export function planPod(input: PlanInput): PodPlan {
  const { pod, runtime } = input;
  const sandbox = readySandbox(runtime);
  const readyCount = runtime.sandboxes.filter((s) => s.ready).length;
  const noAddress = sandbox !== undefined && pod.spec.hostNetwork !== true && sandbox.ips.length === 0;
  return sandbox === undefined || readyCount > 1 || noAddress
    ? planWithoutSandbox(input)
    : planInSandbox(input, sandbox.id);
}

function planWithoutSandbox(input: PlanInput): PodPlan {
  const { pod, runtime } = input;
  const planner = new Planner(input);
  const newest = runtime.sandboxes[0];
  const apps = pod.spec.containers;
  const wanted = apps.filter((container) => {
    const last = newestContainer(runtime, container.name);
    return last === undefined || neverStarted(last) || restartsAfter(pod, container, exitCodeOf(last));
  });
  const initFailed = (pod.spec.initContainers ?? []).some((container) => {
    const last = newestContainer(runtime, container.name);
    return (
      last?.state === 'exited' && last.exitCode !== 0 && !initRestartsAfter(pod, container, last.exitCode)
    );
  });
  const ranBefore = apps.some((c) => newestContainer(runtime, c.name) !== undefined);
  const finished = initFailed || (wanted.length === 0 && ranBefore);
  if (finished)
    return {
      stopSandboxes: runtime.sandboxes.some((s) => s.ready),
      newSandbox: undefined,
      kill: [],
      update: [],
      start: [],
      inBackoff: [],
      wakeInMs: undefined,
      finished: true,
    };
  const firstInit = pod.spec.initContainers?.[0];
  if (firstInit !== undefined) planner.startWhenDue(firstInit, 'init');
  else for (const c of wanted) planner.startWhenDue(c, 'app', newestContainer(runtime, c.name));
  return {
    stopSandboxes: runtime.sandboxes.some((s) => s.ready),
    // The name of a sandbox holds its attempt: one that is still being removed must not be in the way.
    newSandbox: newest === undefined ? 0 : newest.metadata.attempt + 1,
    kill: [],
    update: [],
    start: planner.start,
    inBackoff: planner.inBackoff,
    wakeInMs: soonest(planner.inBackoff),
    finished: false,
  };
}

/** A container whose process was lost with its machine ended badly. */
const exitCodeOf = (status: ContainerStatus): number => (status.state === 'exited' ? status.exitCode : 137);

function planInSandbox(input: PlanInput, sandboxId: string): PodPlan {
  const { pod, runtime } = input;
  const planner = new Planner(input);
  const initialized = pod.spec.containers.some(
    (c) => newestContainer(runtime, c.name, sandboxId) !== undefined,
  );
  const init = planInit(planner, sandboxId, initialized);

  let alive = 0;
  if (init === 'done') {
    for (const container of pod.spec.containers) {
      const last = newestContainer(runtime, container.name);
      if (last?.state === 'running') {
        const kill = planner.reasonToRestart(container, last);
        if (kill === undefined) {
          alive++;
          planner.updateWhenResized(container, last);
        } else {
          planner.kill.push(kill);
          if (kill.reason === 'resize' || restartsAfter(pod, container, 137))
            planner.startAfterKill(container, 'app', kill);
        }
        continue;
      }
      if (last === undefined || neverStarted(last)) planner.startWhenDue(container, 'app');
      else if (last.state === 'unknown') {
        planner.kill.push({
          id: last.id,
          name: container.name,
          container,
          reason: 'unknown',
          message: `Container is in "unknown" state, try killing it before restart`,
        });
        if (restartsAfter(pod, container, 137)) planner.startWhenDue(container, 'app');
      } else if (restartsAfter(pod, container, last.exitCode)) planner.startWhenDue(container, 'app', last);
    }
    for (const container of pod.spec.ephemeralContainers ?? [])
      if (newestContainer(runtime, container.name) === undefined)
        planner.startWhenDue(container as coreV1.Container, 'ephemeral');
  }

  const waiting = planner.start.length + planner.inBackoff.length;
  const appsDone =
    init === 'done' &&
    alive === 0 &&
    pod.spec.containers.every((c) => !planner.start.some((s) => s.container === c)) &&
    pod.spec.containers.every((c) => !planner.inBackoff.some((b) => b.name === c.name));
  const finished = init === 'failed' || (appsDone && planner.kill.length === 0);
  if (finished) {
    // Sidecars have nobody left to serve.
    const names = new Map((pod.spec.initContainers ?? []).map((c) => [c.name, c]));
    const left = runtime.containers.filter((c) => c.state === 'running');
    return {
      stopSandboxes: true,
      newSandbox: undefined,
      kill: left.map((c) => ({
        id: c.id,
        name: c.name,
        container: names.get(c.name),
        reason: 'podFinished' as const,
        message: `Stopping container ${c.name}`,
      })),
      update: [],
      start: [],
      inBackoff: [],
      wakeInMs: undefined,
      finished: true,
    };
  }
  return {
    stopSandboxes: false,
    newSandbox: undefined,
    kill: planner.kill,
    update: planner.update,
    start: planner.start,
    inBackoff: planner.inBackoff,
    wakeInMs: waiting === 0 ? undefined : soonest(planner.inBackoff),
    finished: false,
  };
}

function planInit(planner: Planner, sandboxId: string, initialized: boolean): 'done' | 'waits' | 'failed' {
  const { pod, runtime, memory } = planner.input;
  const containers = pod.spec.initContainers ?? [];
  let blocked = false;
  for (const [i, container] of containers.entries()) {
    const last = newestContainer(runtime, container.name, sandboxId);
    // What comes later has run already, so this one did its part then, even if its record has been cleaned up.
    const passed =
      initialized ||
      containers.slice(i + 1).some((c) => newestContainer(runtime, c.name, sandboxId) !== undefined);
    if (isSidecar(container)) {
      if (last?.state === 'running') {
        const kill = planner.reasonToRestart(container, last);
        if (kill !== undefined) {
          planner.kill.push(kill);
          planner.startAfterKill(container, 'init', kill);
        } else planner.updateWhenResized(container, last);
        if (!passed && !hasStarted(container, last, memory)) return 'waits';
        continue;
      }
      if (blocked) continue;
      planner.startWhenDue(container, 'init', last);
      if (!passed) return 'waits';
      continue;
    }
    if (passed) continue;
    if (last === undefined || neverStarted(last)) {
      planner.startWhenDue(container, 'init');
      return 'waits';
    }
    if (last.state === 'running') {
      blocked = true;
      const kill = planner.reasonToRestart(container, last);
      if (kill?.reason === 'changed') planner.kill.push(kill);
      return 'waits';
    }
    const exitCode = exitCodeOf(last);
    if (exitCode === 0) continue;
    if (!initRestartsAfter(pod, container, exitCode)) return 'failed';
    planner.startWhenDue(container, 'init', last);
    return 'waits';
  }
  return 'done';
}

function soonest(list: readonly { forMs: number }[]): number | undefined {
  return list.length === 0 ? undefined : Math.min(...list.map((b) => b.forMs));
}
