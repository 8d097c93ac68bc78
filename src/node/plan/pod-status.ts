// The status of a pod, from its spec, what the runtime has, and what the agent remembers. Pure; reasons and messages are the
// kubelet's, because people and controllers read them.
import { type coreV1, isSidecar, type Pod } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import type { ContainerStatus } from '../../os/index.ts';
import { conditionsOf } from './conditions.ts';
import { newestContainer, type PodRuntime, readySandbox } from './pod-runtime.ts';
import type { ResizeState } from './resize.ts';
import { initRestartsAfter, restartsAfter } from './restart-policy.ts';

export interface Waiting {
  readonly reason: string;
  readonly message?: string | undefined;
}

/** Why a pod has failed as a whole. */
export interface Failure extends Waiting {
  /** Its node ended it: for want of something, or because the machine is shut down. */
  readonly byNode?: boolean | undefined;
}

export interface StatusInput {
  readonly pod: Pod;
  readonly runtime: PodRuntime;
  /** The status that was last made or, after a restart of the agent, the API's. */
  readonly previous: coreV1.PodStatus | undefined;
  /** Why a container could not be started last time, by name. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** By container id: has it started, is it ready? Only asked for running containers. */
  isStarted(container: coreV1.Container, id: string): boolean;
  isReady(container: coreV1.Container, id: string): boolean;
  /** Termination messages by container id. */
  readonly messages: ReadonlyMap<string, string>;
  readonly nodeIps: readonly string[];
  /** It has failed as a whole: deadline, eviction. */
  readonly failure: Failure | undefined;
  /** Its containers have been stopped for good: what has ended stays ended. */
  readonly stopped: boolean;
  readonly resize?: ResizeState | undefined;
  /** The resources that a running container has; undefined = those of its spec. */
  resourcesOf?(containerId: string): coreV1.ResourceRequirements | undefined;
  readonly nowMs: number;
}

const time = (ms: number): string | undefined => (ms > 0 ? formatTime(ms) : undefined);
const idOf = (status: ContainerStatus): string => `containerd://${status.id}`;

function terminatedState(
  status: ContainerStatus,
  messages: ReadonlyMap<string, string>,
): coreV1.ContainerStateTerminated {
  const message = messages.get(status.id) ?? status.message;
  return {
    exitCode: status.exitCode,
    reason: status.reason !== '' ? status.reason : status.exitCode === 0 ? 'Completed' : 'Error',
    ...(message !== '' && { message }),
    // Of a container that never ran only its end is known.
    startedAt: time(status.startedAtMs) ?? time(status.finishedAtMs) ?? time(status.createdAtMs),
    finishedAt: time(status.finishedAtMs) ?? time(status.createdAtMs),
    containerID: idOf(status),
  };
}

const lostState = (containerID: string | undefined): coreV1.ContainerStateTerminated => ({
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
  ...(containerID !== undefined && { containerID }),
});

function containerStatusOf(
  input: StatusInput,
  container: coreV1.Container,
  options: { init: boolean; defaultWaiting: string },
): coreV1.ContainerStatus {
  const { runtime, messages, waiting, stopped, pod } = input;
  const previous = previousOf(input.previous, container.name);
  const newest = newestContainer(runtime, container.name);
  const mounts = container.volumeMounts?.map((m) => ({
    mountPath: m.mountPath,
    name: m.name,
    ...(m.readOnly && { readOnly: true, recursiveReadOnly: 'Disabled' }),
  }));
  const resources =
    (newest?.state === 'running' ? input.resourcesOf?.(newest.id) : undefined) ?? container.resources;
  const base = {
    name: container.name,
    image: newest?.image || container.image || '',
    imageID: newest?.imageRef ?? '',
    ...(container.resources?.requests !== undefined && {
      allocatedResources: container.resources.requests,
    }),
    // Even when there are none: it says that this node can resize.
    resources: resourceAmounts(resources),
    ...(mounts !== undefined && mounts.length > 0 && { volumeMounts: mounts }),
    ...(container.lifecycle?.stopSignal !== undefined && { stopSignal: container.lifecycle.stopSignal }),
  };
  const noted = waiting.get(container.name);
  if (newest === undefined) {
    // Nothing of it here: it never ran, or the runtime has lost it.
    const ran = previous?.state?.terminated ?? undefined;
    const wasRunning = previous?.state?.running !== undefined;
    if (stopped && (wasRunning || ran !== undefined))
      return {
        ...previous!,
        ...base,
        image: previous!.image,
        imageID: previous!.imageID,
        ready: false,
        started: false,
        state: { terminated: ran ?? lostState(previous!.containerID) },
      };
    const lastState =
      ran ?? (wasRunning ? lostState(previous?.containerID) : previous?.lastState?.terminated);
    return {
      ...base,
      ready: false,
      started: false,
      restartCount: previous?.restartCount ?? 0,
      lastState: lastState === undefined ? {} : { terminated: lastState },
      state: { waiting: waitingState(noted ?? { reason: options.defaultWaiting }) },
    };
  }
  const older = runtime.containers.find(
    (c) => c.name === container.name && c.id !== newest.id && c.state === 'exited',
  );
  const lastTerminated =
    older !== undefined
      ? terminatedState(older, messages)
      : previous?.containerID === idOf(newest) || newest.attempt > 0
        ? previous?.containerID === idOf(newest)
          ? previous.lastState?.terminated
          : (previous?.state?.terminated ?? previous?.lastState?.terminated)
        : undefined;
  const status: coreV1.ContainerStatus = {
    ...base,
    ready: false,
    started: false,
    restartCount: newest.attempt,
    containerID: idOf(newest),
    lastState: lastTerminated === undefined ? {} : { terminated: lastTerminated },
  };
  switch (newest.state) {
    case 'running':
      status.state = { running: { startedAt: time(newest.startedAtMs) } };
      status.started = input.isStarted(container, newest.id);
      status.ready = status.started && input.isReady(container, newest.id);
      return status;
    case 'exited': {
      const terminated = terminatedState(newest, messages);
      const again = options.init
        ? initRestartsAfter(pod, container, newest.exitCode)
        : restartsAfter(pod, container, newest.exitCode);
      if (again && !stopped && noted !== undefined) {
        status.state = { waiting: waitingState(noted) };
        status.lastState = { terminated };
      } else {
        status.state = { terminated };
        // An init container that succeeded is ready for ever.
        status.ready = options.init && newest.exitCode === 0 && !isSidecar(container);
      }
      return status;
    }
    default:
      status.state = stopped
        ? { terminated: lostState(idOf(newest)) }
        : { waiting: waitingState(noted ?? { reason: options.defaultWaiting }) };
      return status;
  }
}

const resourceAmounts = ({
  limits,
  requests,
}: coreV1.ResourceRequirements = {}): coreV1.ResourceRequirements => ({
  ...(limits !== undefined && { limits }),
  ...(requests !== undefined && { requests }),
});

const waitingState = (w: Waiting): coreV1.ContainerStateWaiting =>
  w.message === undefined ? { reason: w.reason } : { reason: w.reason, message: w.message };

function previousOf(status: coreV1.PodStatus | undefined, name: string): coreV1.ContainerStatus | undefined {
  for (const list of [
    status?.containerStatuses,
    status?.initContainerStatuses,
    status?.ephemeralContainerStatuses,
  ]) {
    const found = list?.find((s) => s.name === name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Has this init container done its part? */
function initDone(container: coreV1.Container, status: coreV1.ContainerStatus): boolean {
  return isSidecar(container) ? status.started === true : status.state?.terminated?.exitCode === 0;
}

export function buildPodStatus(input: StatusInput): coreV1.PodStatus {
  const { pod, runtime, previous, nowMs } = input;
  const { spec } = pod;
  // A pod that the node never took has nothing to tell of its containers.
  if (
    input.failure !== undefined &&
    previous?.containerStatuses === undefined &&
    runtime.containers.length === 0
  )
    return rejected(input, input.failure);
  const initSpecs = spec.initContainers ?? [];
  const defaultWaiting = initSpecs.length > 0 ? 'PodInitializing' : 'ContainerCreating';
  const initStatuses = initSpecs.map((c) => containerStatusOf(input, c, { init: true, defaultWaiting }));
  const statuses = spec.containers.map((c) => containerStatusOf(input, c, { init: false, defaultWaiting }));
  const ephemeral = (spec.ephemeralContainers ?? []).map((c) => {
    const waits = { init: false, defaultWaiting: 'ContainerCreating' };
    const { started: _, ...status } = containerStatusOf(input, c as coreV1.Container, waits);
    // Nobody waits for them: they have no probes, and no service counts on them.
    return { ...status, ready: false };
  });
  const appsStarted = statuses.some(
    (s) => s.state?.running || s.state?.terminated || s.lastState?.terminated,
  );
  const incomplete = initSpecs.filter((c, i) =>
    // Once the app runs, a sidecar that restarts does not undo the initialization.
    appsStarted && isSidecar(c) ? false : !initDone(c, initStatuses[i]!) && !appsStarted,
  );

  const failed = input.failure !== undefined;
  // A pod that has failed as a whole is not called failed while it still holds what its containers hold: whoever replaces it counts on
  // that. Its conditions know already.
  const ending = failed && runtime.containers.some(({ state }) => state === 'running');
  const told = () => phaseOf(input, { initSpecs, initStatuses, statuses, incomplete });
  const phase = failed ? 'Failed' : told();
  const sandbox = readySandbox(runtime);
  const podIps =
    spec.hostNetwork === true
      ? input.nodeIps
      : (sandbox?.ips ??
        (phase === 'Succeeded' || phase === 'Failed' || input.stopped ? previousIps(previous) : []));
  const status: coreV1.PodStatus = {
    phase: ending ? told() : phase,
    ...(input.failure !== undefined &&
      !ending && {
        reason: input.failure.reason,
        ...(input.failure.message !== undefined && { message: input.failure.message }),
      }),
    conditions: conditionsOf({
      pod,
      previous,
      phase,
      sandboxReady: sandbox !== undefined && (spec.hostNetwork === true || sandbox.ips.length > 0),
      incompleteInit: incomplete.map((c) => c.name),
      unready: [
        ...initSpecs.filter((c, i) => isSidecar(c) && !initStatuses[i]!.ready).map((c) => c.name),
        ...statuses.filter((s) => !s.ready).map((s) => s.name),
      ],
      unknown: statuses
        .filter((s) => s.state?.waiting !== undefined && s.containerID === undefined)
        .map((s) => s.name),
      resize: input.resize,
      disruption: input.failure?.byNode === true ? (input.failure.message ?? '') : undefined,
      nowMs,
    }),
    hostIP: input.nodeIps[0],
    hostIPs: input.nodeIps.map((ip) => ({ ip })),
    ...(podIps.length > 0 && { podIP: podIps[0], podIPs: podIps.map((ip) => ({ ip })) }),
    startTime: previous?.startTime ?? formatTime(nowMs),
    ...(initStatuses.length > 0 && { initContainerStatuses: initStatuses }),
    containerStatuses: statuses,
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
    qosClass: pod.status?.qosClass ?? previous?.qosClass,
  };
  return status;
}

function rejected({ pod, previous, nowMs }: StatusInput, failure: Waiting): coreV1.PodStatus {
  return {
    phase: 'Failed',
    reason: failure.reason,
    ...(failure.message !== undefined && { message: failure.message }),
    startTime: previous?.startTime ?? formatTime(nowMs),
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
    qosClass: pod.status?.qosClass ?? previous?.qosClass,
  };
}

const previousIps = (previous: coreV1.PodStatus | undefined): string[] =>
  (previous?.podIPs ?? []).flatMap((p) => (p.ip === undefined ? [] : [p.ip]));

interface PhaseInput {
  readonly initSpecs: readonly coreV1.Container[];
  readonly initStatuses: readonly coreV1.ContainerStatus[];
  readonly statuses: readonly coreV1.ContainerStatus[];
  readonly incomplete: readonly coreV1.Container[];
}

function phaseOf(input: StatusInput, { initSpecs, initStatuses, statuses, incomplete }: PhaseInput): string {
  const { pod, stopped } = input;
  const before = input.previous?.phase;
  if (before === 'Succeeded' || before === 'Failed') return before;
  for (const [i, container] of initSpecs.entries()) {
    const ended = initStatuses[i]!.state?.terminated;
    if (ended !== undefined && ended.exitCode !== 0 && !initRestartsAfter(pod, container, ended.exitCode))
      return 'Failed';
  }
  let running = 0;
  let waiting = 0;
  let ended = 0;
  let succeeded = 0;
  let restarting = 0;
  for (const [i, status] of statuses.entries()) {
    const terminated = status.state?.terminated;
    if (status.state?.running !== undefined) running++;
    else if (terminated !== undefined) {
      ended++;
      if (terminated.exitCode === 0) succeeded++;
      if (restartsAfter(pod, pod.spec.containers[i]!, terminated.exitCode)) restarting++;
    } else if (status.lastState?.terminated !== undefined) {
      ended++;
      restarting++;
    } else waiting++;
  }
  if (stopped) {
    // Nothing will run again, whatever the restart policy says.
    const failed = statuses.some((s) => (s.state?.terminated?.exitCode ?? 0) !== 0);
    if (waiting > 0 && ended === 0) return 'Failed';
    return failed || waiting > 0 ? 'Failed' : 'Succeeded';
  }
  if (incomplete.length > 0) return 'Pending';
  if (waiting > 0) return 'Pending';
  if (running > 0) return 'Running';
  if (ended > 0) {
    if (restarting > 0) return 'Running';
    return succeeded === ended ? 'Succeeded' : 'Failed';
  }
  return 'Pending';
}
