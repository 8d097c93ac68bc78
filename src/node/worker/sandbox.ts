// Makes the sandbox of a pod. What this node cannot give to a pod as a whole is said here, as an event, and tried again.
import { type Pod, RuntimeClass } from '../../api/index.ts';
import type { SandboxConfig, SandboxStatus } from '../../os/index.ts';
import { buildSandboxConfig } from '../container/sandbox-config.ts';
import type { NodeContext } from './node-context.ts';
import { prepareDevices } from './prepare-devices.ts';

export const sandboxConfigFor = (node: NodeContext, pod: Pod, attempt: number): SandboxConfig =>
  buildSandboxConfig({
    pod,
    attempt,
    dns: node.dns,
    logDir: node.logDir,
    cgroupParent: node.cgroupParent,
    nodeName: node.nodeName,
    seccompDir: node.seccompDir,
  });

/** Why no runtime here can run the pod. Wording as the kubelet's, for a runtime that knows no user namespaces. */
function impossible({ spec }: Pod): string | undefined {
  return spec.hostUsers === false
    ? "can't set `spec.hostUsers: false`, runtime does not support user namespaces"
    : undefined;
}

/** Resolves to undefined when it could not be made, and people have been told. */
export async function createSandbox(
  node: NodeContext,
  pod: Pod,
  { attempt, signal }: { readonly attempt: number; readonly signal: AbortSignal },
): Promise<SandboxStatus | undefined> {
  const { uid, namespace, name } = pod.metadata;
  const fail = (reason: string, message: string, error: unknown): undefined => {
    signal.throwIfAborted();
    node.event(pod, 'Warning', { reason, message });
    node.log.warn('cannot create sandbox', { pod: `${namespace}/${name}`, error });
    node.metrics.sandboxTried('failed');
  };
  try {
    await prepareDevices(node.client, pod);
  } catch (error) {
    const message = `Failed to prepare dynamic resources: prepare dynamic resources: ${(error as Error).message}`;
    return fail('FailedPrepareDynamicResources', message, error);
  }
  try {
    node.cgroups.ensure(pod);
  } catch (error) {
    const message = `unable to ensure pod container exists: failed to create container for [pod${uid}] : ${(error as Error).message}`;
    return fail('FailedCreatePodContainer', message, error);
  }
  try {
    const why = impossible(pod);
    if (why !== undefined) throw new Error(why);
    const config = sandboxConfigFor(node, pod, attempt);
    const runtimeHandler = await handlerOf(node, pod.spec.runtimeClassName);
    const id = await runSandbox(node, { ...config, runtimeHandler });
    const made = await node.cache.inspectSandbox(uid, id);
    node.metrics.sandboxTried('made');
    return made;
  } catch (error) {
    const message = `Failed to create pod sandbox: ${(error as Error).message}`;
    return fail('FailedCreatePodSandBox', message, error);
  }
}

async function runSandbox({ runtime, metrics, clock }: NodeContext, config: SandboxConfig): Promise<string> {
  const startedMs = clock.monotonicMs();
  let ok = false;
  try {
    const id = await runtime.runPodSandbox(config);
    ok = true;
    return id;
  } finally {
    metrics.sandboxRun(config.runtimeHandler ?? '', {
      seconds: (clock.monotonicMs() - startedMs) / 1000,
      ok,
    });
  }
}

/** undefined = the runtime's own choice. */
async function handlerOf(node: NodeContext, name: string | undefined): Promise<string | undefined> {
  if (!name) return undefined;
  try {
    return (await node.client(RuntimeClass).get(name)).handler;
  } catch (error) {
    throw new Error(`failed to lookup RuntimeClass ${name}: ${(error as Error).message}`, { cause: error });
  }
}
