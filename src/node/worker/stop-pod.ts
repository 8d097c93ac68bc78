// Ends containers and pods: preStop, SIGTERM, SIGKILL after the grace period; sidecars after those they serve, last one first.
import { type coreV1, isSidecar, Pod } from '../../api/index.ts';
import { sleep } from '../../base/index.ts';
import { isConflict, isNotFound } from '../../machinery/index.ts';
import type { ContainerStatus } from '../../os/index.ts';
import { signalNumber } from '../container/stop-signal.ts';
import { removeContainerLogs } from '../garbage/log-rotation.ts';
import { runHook } from '../hooks.ts';
import type { KillContainer } from '../plan/pod-plan.ts';
import type { NodeContext } from './node-context.ts';

export interface StopInput {
  readonly pod: Pod;
  readonly node: NodeContext;
  readonly graceSeconds: number;
}

export interface ContainerStop {
  readonly status: ContainerStatus;
  /** undefined = no longer in the spec, or the spec is not known */
  readonly container: coreV1.Container | undefined;
  /** Of the Killing event. */
  readonly message: string;
}

/** After a preStop hook used up the grace period, the process still gets this long. */
const minimumGraceSeconds = 2;

/** Resolves when the container has ended and the cache knows how. */
export async function killContainer(input: StopInput, stop: ContainerStop): Promise<void> {
  const { pod, node } = input;
  const { status, container } = stop;
  const { uid } = pod.metadata;
  if (status.state === 'running')
    node.event(pod, 'Normal', {
      reason: 'Killing',
      message: stop.message,
      container: container ?? { name: status.name },
    });
  let graceSeconds = input.graceSeconds;
  const preStop = container?.lifecycle?.preStop;
  if (preStop !== undefined && graceSeconds > 0 && status.state === 'running') {
    const startedMs = node.clock.monotonicMs();
    const sandbox = node.cache.get(uid).sandboxes.find((s) => s.ready);
    const failure = await runHook({
      container: container!,
      containerId: status.id,
      podIp: sandbox?.ips[0] ?? node.nodeIps[0] ?? '',
      handler: preStop,
      runtime: node.runtime,
      clock: node.clock,
      userAgent: node.userAgent,
      timeoutMs: graceSeconds * 1000,
      signal: node.scope.signal,
    });
    if (failure !== undefined)
      node.event(pod, 'Warning', { reason: 'FailedPreStopHook', message: 'PreStopHook failed', container });
    const tookSeconds = (node.clock.monotonicMs() - startedMs) / 1000;
    graceSeconds = Math.max(minimumGraceSeconds, graceSeconds - tookSeconds);
  }
  const ended = await endBySignal(node, stop, graceSeconds);
  await node.runtime.stopContainer(status.id, ended ? 0 : graceSeconds);
  await node.cache.inspectStopped(uid, status.id, status.sandboxId);
}

const lookMs = 100;

/** With the signal that the pod asks for in place of the image's. Resolves to whether the grace period has been given. */
async function endBySignal(node: NodeContext, stop: ContainerStop, graceSeconds: number): Promise<boolean> {
  const { status, container } = stop;
  const signal = signalNumber(container?.lifecycle?.stopSignal ?? '');
  if (signal === undefined || graceSeconds <= 0 || status.state !== 'running') return false;
  const { runtime, clock, scope } = node;
  await runtime.signalContainer(status.id, signal);
  const untilMs = clock.monotonicMs() + graceSeconds * 1000;
  while (clock.monotonicMs() < untilMs) {
    await sleep(clock, lookMs, scope.signal);
    const now = await runtime.containerStatus(status.id).catch(() => undefined);
    if (now?.state !== 'running') break;
  }
  return true;
}

/** As `killContainer`, with the grace that the probe asks for which wants it. */
export async function killPlanned(node: NodeContext, pod: Pod, kill: KillContainer): Promise<void> {
  const { container, message, reason } = kill;
  const status = node.cache.get(pod.metadata.uid).containers.find((c) => c.id === kill.id);
  if (status === undefined) return;
  const probe =
    reason === 'liveness'
      ? container?.livenessProbe
      : reason === 'startup'
        ? container?.startupProbe
        : undefined;
  const graceSeconds = probe?.terminationGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  await killContainer({ pod, node, graceSeconds }, { status, container, message });
}

/**
 * How long the name of a pod stays taken after its end began, if another one takes it at once. kubectl asks for the pod a few times
 * before it follows its end; what it found under the name by then it would go on waiting for.
 */
const nameHeldMs = 500;

const isOfStatefulSet = ({ metadata }: Pod): boolean =>
  (metadata.ownerReferences ?? []).some(
    ({ controller, kind }) => controller === true && kind === 'StatefulSet',
  );

/** The API may forget it, whose end began at `beganMs` (monotonic). */
export async function deletePod(node: NodeContext, pod: Pod, beganMs: number): Promise<void> {
  const { clock, scope } = node;
  if (isOfStatefulSet(pod)) {
    const leftMs = beganMs + nameHeldMs - clock.monotonicMs();
    if (leftMs > 0) await sleep(clock, leftMs, scope.signal);
  }
  const { name, namespace, uid } = pod.metadata;
  await node
    .client(Pod)
    .delete(name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } })
    .catch((error: unknown) => {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    });
}

const isAlive = (status: ContainerStatus): boolean =>
  status.state === 'running' || status.state === 'unknown';

/** Ends every container of a pod: first all that are no sidecars, together, then sidecars one by one. */
export async function killContainers(input: StopInput): Promise<void> {
  const { pod, node } = input;
  const startedMs = node.clock.monotonicMs();
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  const order = new Map(sidecars.map((c, i) => [c.name, i]));
  const specs = new Map(
    [
      ...(pod.spec.initContainers ?? []),
      ...pod.spec.containers,
      ...((pod.spec.ephemeralContainers ?? []) as coreV1.Container[]),
    ].map((c) => [c.name, c]),
  );
  const alive = node.cache.get(pod.metadata.uid).containers.filter(isAlive);
  const kill = (status: ContainerStatus, graceSeconds: number) =>
    killContainer(
      { pod, node, graceSeconds },
      { status, container: specs.get(status.name), message: `Stopping container ${status.name}` },
    );
  await Promise.all(alive.filter((s) => !order.has(s.name)).map((s) => kill(s, input.graceSeconds)));
  const rest = alive.filter((s) => order.has(s.name)).sort((a, b) => order.get(b.name)! - order.get(a.name)!);
  for (const status of rest) {
    const leftSeconds = input.graceSeconds - (node.clock.monotonicMs() - startedMs) / 1000;
    await kill(status, input.graceSeconds === 0 ? 0 : Math.max(minimumGraceSeconds, leftSeconds));
  }
}

/** Takes the network away and ends what still runs in the pod's sandboxes. */
export async function stopSandboxes(node: NodeContext, uid: string): Promise<void> {
  for (const sandbox of node.cache.get(uid).sandboxes) {
    if (!sandbox.ready) continue;
    await node.stops.run(() => node.runtime.stopPodSandbox(sandbox.id));
    await node.cache.inspectSandbox(uid, sandbox.id);
  }
}

/** Removes sandboxes with their containers from the runtime; all of them when the pod is over, which is in no hurry. */
export async function removeSandboxes(
  node: NodeContext,
  uid: string,
  which: 'all' | 'stopped',
): Promise<void> {
  for (const sandbox of node.cache.get(uid).sandboxes) {
    if (which === 'stopped' && sandbox.ready) continue;
    const turns = which === 'all' ? node.leftovers : node.stops;
    await turns.run(() => node.runtime.removePodSandbox(sandbox.id));
    node.cache.removeSandbox(uid, sandbox.id);
  }
  if (which === 'all') await node.cgroups.remove(uid);
}

/** Of each container only the last dead instance is kept, and of sandboxes only the one in use. */
export async function removeOldInstances(node: NodeContext, uid: string): Promise<void> {
  const runtime = node.cache.get(uid);
  if (!runtime.sandboxes.some((s) => s.ready)) return;
  const seen = new Map<string, number>();
  for (const c of runtime.containers) {
    const rank = seen.get(c.name) ?? 0;
    seen.set(c.name, rank + 1);
    if (rank < 2 || c.state === 'running') continue;
    await node.stops.run(() => node.runtime.removeContainer(c.id));
    node.cache.removeContainer(uid, c.id);
    await removeContainerLogs(c.logPath);
  }
  await removeSandboxes(node, uid, 'stopped');
}

/** How long a pod's containers may take to end. Even a pod that is deleted by force gets a moment. */
export function graceSecondsOf({ metadata, spec }: Pod): number {
  const seconds = metadata.deletionTimestamp === undefined ? undefined : metadata.deletionGracePeriodSeconds;
  return Math.max(1, seconds ?? spec.terminationGracePeriodSeconds ?? 30);
}
