// Carries out the starting half of a plan: volumes, sandbox, then containers one after another. What goes wrong with a container is
// not thrown: it becomes the reason for which it waits, and the next plan tries again.
import type { coreV1, Pod } from '../../api/index.ts';
import type { ContainerStatus, ImageInfo, SandboxStatus } from '../../os/index.ts';
import { buildContainerConfig } from '../container/container-config.ts';
import type { DownwardContext } from '../container/downward.ts';
import { buildEnvironment, ContainerConfigError, type Environment } from '../container/environment.ts';
import { hostsFile } from '../container/hosts-file.ts';
import { serviceVariables, visibleServices } from '../container/service-env.ts';
import { runHook } from '../hooks.ts';
import { ImageError, normalizeImage } from '../images.ts';
import type { StartContainer } from '../plan/pod-plan.ts';
import { neverStarted, newestContainer } from '../plan/pod-runtime.ts';
import type { Waiting } from '../plan/pod-status.ts';
import { credentialsFor } from '../pull-secrets.ts';
import { ensureContainerMounts } from '../volumes/container-mounts.ts';
import type { VolumePaths } from '../volumes/pod-volumes.ts';
import { readEnvFiles } from './env-files.ts';
import type { NodeContext } from './node-context.ts';
import { createSandbox, sandboxConfigFor } from './sandbox.ts';
import { killContainer } from './stop-pod.ts';

export interface StartInput {
  readonly pod: Pod;
  readonly node: NodeContext;
  readonly signal: AbortSignal;
  /** Replaces or clears why a container waits. */
  readonly setWaiting: (name: string, waiting: Waiting | undefined) => void;
  /** Called when something slow begins, so that people see why they wait. */
  readonly publish: () => void;
}

export type StartOutcome = 'ok' | 'retry';

export function downwardContext(node: NodeContext, pod: Pod): DownwardContext {
  const sandbox = node.cache.get(pod.metadata.uid).sandboxes.find((s) => s.ready);
  return {
    pod,
    podIps: pod.spec.hostNetwork === true ? node.nodeIps : (sandbox?.ips ?? []),
    nodeIps: node.nodeIps,
    allocatable: node.allocatable(),
  };
}

/** Makes the sandbox if one is planned, then starts the containers of the plan. */
export async function startPod(
  input: StartInput,
  plan: { readonly newSandbox: number | undefined; readonly start: readonly StartContainer[] },
): Promise<StartOutcome> {
  const { pod, node, signal } = input;
  const { uid, namespace = '' } = pod.metadata;
  if (plan.newSandbox === undefined && plan.start.length === 0) return 'ok';
  await node.references.synced(uid, signal);
  let volumes: VolumePaths;
  try {
    volumes = await node.volumes.ensure(pod, {
      objects: node.references.lookup(namespace),
      downward: downwardContext(node, pod),
    });
  } catch (error) {
    signal.throwIfAborted();
    node.event(pod, 'Warning', { reason: 'FailedMount', message: (error as Error).message });
    return 'retry';
  }
  if (plan.newSandbox !== undefined && pod.spec.hostNetwork !== true) {
    const problem = node.networkProblem();
    if (problem !== undefined) {
      node.event(pod, 'Warning', { reason: 'NetworkNotReady', message: `network is not ready: ${problem}` });
      return 'retry';
    }
  }

  // One place for the whole start, so that a burst of pods comes up one after another instead of all at the end.
  const slot = { release: await node.starts.acquire() };
  try {
    signal.throwIfAborted();
    let sandbox: SandboxStatus | undefined = node.cache.get(uid).sandboxes.find((s) => s.ready);
    if (plan.newSandbox !== undefined) {
      sandbox = await createSandbox(node, pod, { attempt: plan.newSandbox, signal });
      if (sandbox === undefined) return 'retry';
    }
    if (sandbox === undefined) return 'retry';
    if (!(await isIsolated(input, sandbox))) return 'retry';
    let outcome: StartOutcome = 'ok';
    for (const start of plan.start) {
      signal.throwIfAborted();
      const started = await startContainer(input, { start, sandbox, volumes, slot });
      if (started) continue;
      outcome = 'retry';
      // What comes after an init container needs it.
      if (start.kind === 'init') break;
    }
    return outcome;
  } finally {
    slot.release();
  }
}

/** False when it could not be brought about, and people have been told. Not before an address is known, hence not with the sandbox. */
async function isIsolated({ pod, node, signal }: StartInput, { ips }: SandboxStatus): Promise<boolean> {
  if (node.isolate === undefined || pod.spec.hostNetwork === true) return true;
  try {
    await node.isolate(pod, ips, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const message = `network is not ready: ${(error as Error).message}`;
    node.event(pod, 'Warning', { reason: 'NetworkNotReady', message });
    return false;
  }
}

interface OneStart {
  readonly start: StartContainer;
  readonly sandbox: SandboxStatus;
  readonly volumes: VolumePaths;
  readonly slot: { release: () => void };
}

/** Resolves to whether it runs. */
async function startContainer(input: StartInput, one: OneStart): Promise<boolean> {
  const { pod, node, signal } = input;
  const { container, kind } = one.start;
  node.metrics.containerTried(kind);
  const fail = (reason: string, message: string): false => {
    node.metrics.containerFailed(kind, reason);
    input.setWaiting(container.name, { reason, message });
    return false;
  };
  const event = (type: 'Normal' | 'Warning', reason: string, message: string) =>
    node.event(pod, type, { reason, message, container });

  let image: ImageInfo;
  try {
    image = await ensureImage(input, one);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ImageError)) throw error;
    if (error.reason !== 'ImagePullBackOff') event('Warning', 'Failed', `Error: ${error.reason}`);
    else event('Warning', 'Failed', 'Error: ImagePullBackOff');
    return fail(error.reason, error.message);
  }
  signal.throwIfAborted();

  const { after } = one.start;
  if (after !== undefined)
    node.crash.restarted(crashKey(pod, container), after.finishedAtMs, node.clock.nowMs());

  let id: string;
  try {
    await removeUnstarted(input, one.start);
    const config = await configFor(input, one, image);
    id = await node.runtime.createContainer(
      one.sandbox.id,
      config,
      sandboxConfigFor(node, pod, one.sandbox.metadata.attempt),
    );
  } catch (error) {
    signal.throwIfAborted();
    const message = (error as Error).message;
    const reason =
      error instanceof ContainerConfigError ? 'CreateContainerConfigError' : 'CreateContainerError';
    event('Warning', 'Failed', `Error: ${message}`);
    return fail(reason, message);
  }
  node.allocations.set(pod.metadata.uid, id, container.resources ?? {});
  event('Normal', 'Created', 'Container created');
  try {
    await node.runtime.startContainer(id);
  } catch (error) {
    const message = (error as Error).message;
    event('Warning', 'Failed', `Error: ${message}`);
    await node.cache.inspect(pod.metadata.uid, id, one.sandbox.id);
    return fail('RunContainerError', message);
  }
  event('Normal', 'Started', 'Container started');
  input.setWaiting(container.name, undefined);
  const status = await node.cache.inspect(pod.metadata.uid, id, one.sandbox.id);
  if (container.lifecycle?.postStart !== undefined && status?.state === 'running')
    return postStart(input, one, { id, handler: container.lifecycle.postStart });
  return true;
}

/** An instance that the runtime made just before it was killed holds the name that the new one gets. */
async function removeUnstarted({ pod, node }: StartInput, start: StartContainer): Promise<void> {
  const { uid } = pod.metadata;
  for (const left of node.cache.get(uid).containers)
    if (left.name === start.container.name && left.attempt === start.attempt && neverStarted(left)) {
      await node.runtime.removeContainer(left.id);
      node.cache.removeContainer(uid, left.id);
    }
}

export const crashKey = (pod: Pod, container: coreV1.Container): string =>
  `${pod.metadata.uid} ${container.name} ${container.image}`;

async function ensureImage(input: StartInput, one: OneStart): Promise<ImageInfo> {
  const { pod, node, signal } = input;
  const { container } = one.start;
  const full = normalizeImage(container.image ?? '') ?? '';
  const lookup = node.references.lookup(pod.metadata.namespace ?? '');
  const secrets = (pod.spec.imagePullSecrets ?? []).flatMap((s) => lookup.secret(s.name ?? '') ?? []);
  const event = (type: 'Normal' | 'Warning', reason: string, message: string) => {
    node.event(pod, type, { reason, message, container });
    // A pull may take minutes: nobody else should wait for it.
    if (reason === 'Pulling') {
      one.slot.release();
      input.publish();
    }
  };
  const image = await node.images.ensure({
    pod,
    container,
    auths: credentialsFor(full, secrets),
    event,
    signal,
  });
  return image;
}

async function configFor(input: StartInput, one: OneStart, image: ImageInfo) {
  const { pod, node } = input;
  const { container, attempt, kind } = one.start;
  const namespace = pod.metadata.namespace ?? '';
  const downward = downwardContext(node, pod);
  const links = pod.spec.enableServiceLinks === false ? 'apiServerOnly' : 'all';
  const environment: Environment = buildEnvironment({
    container,
    namespace,
    services: serviceVariables(visibleServices(node.services(), namespace, links)),
    objects: node.references.lookup(namespace),
    downward,
    files: await readEnvFiles(container, one.volumes),
  });
  for (const { kind: of, name, keys } of environment.skipped)
    node.event(pod, 'Warning', {
      reason: 'InvalidEnvironmentVariableNames',
      message: `Keys [${keys.join(', ')}] from the EnvFrom ${of} ${name} were skipped since they are considered invalid environment variable names.`,
    });
  const hosts = hostsFile(pod, {
    podIps: downward.podIps,
    clusterDomain: node.dns.clusterDomain,
    nodeHostsFile: node.nodeHostsFile,
  });
  const mounts = await ensureContainerMounts({
    container,
    attempt,
    volumes: one.volumes,
    environment: environment.values,
    podDir: node.volumes.podDir(pod.metadata.uid),
    bindSubPath: node.volumes.bindSubPath,
    hosts,
  });
  const target =
    kind === 'ephemeral' ? (container as { targetContainerName?: string }).targetContainerName : undefined;
  return buildContainerConfig({
    pod,
    container,
    attempt,
    image,
    environment,
    mounts,
    memoryCapacityBytes: node.memoryCapacityBytes,
    seccompDir: node.seccompDir,
    targetId: target ? newestContainer(node.cache.get(pod.metadata.uid), target)?.id : undefined,
  });
}

async function postStart(
  input: StartInput,
  one: OneStart,
  hook: { id: string; handler: coreV1.LifecycleHandler },
): Promise<boolean> {
  const { pod, node, signal } = input;
  const { container } = one.start;
  // It may take as long as it likes.
  one.slot.release();
  const failure = await runHook({
    container,
    containerId: hook.id,
    podIp: one.sandbox.ips[0] ?? node.nodeIps[0] ?? '',
    handler: hook.handler,
    runtime: node.runtime,
    clock: node.clock,
    userAgent: node.userAgent,
    timeoutMs: 0,
    signal,
  });
  if (failure === undefined) return true;
  node.event(pod, 'Warning', { reason: 'FailedPostStartHook', message: 'PostStartHook failed', container });
  const status = newestContainer(node.cache.get(pod.metadata.uid), container.name) as ContainerStatus;
  await killContainer(
    { pod, node, graceSeconds: pod.spec.terminationGracePeriodSeconds ?? 30 },
    {
      status,
      container,
      message: 'FailedPostStartHook',
    },
  );
  const reason = 'PostStartHookError';
  node.metrics.containerFailed(one.start.kind, reason);
  input.setWaiting(container.name, { reason, message: failure });
  return false;
}
