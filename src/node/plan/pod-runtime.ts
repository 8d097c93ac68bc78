// What the runtime has of one pod, as plans and statuses read it.
import type { ContainerStatus, SandboxStatus } from '../../os/index.ts';

export interface PodRuntime {
  /** Newest first. */
  readonly sandboxes: readonly SandboxStatus[];
  /** Newest first; of every attempt that is still kept. */
  readonly containers: readonly ContainerStatus[];
}

export const noRuntime: PodRuntime = { sandboxes: [], containers: [] };

/** The newest instance of a container; with `sandboxId`, of that sandbox only. */
export function newestContainer(
  runtime: PodRuntime,
  name: string,
  sandboxId?: string,
): ContainerStatus | undefined {
  return runtime.containers.find(
    (c) => c.name === name && (sandboxId === undefined || c.sandboxId === sandboxId),
  );
}

/** The sandbox in which the pod's containers run now. */
export function readySandbox(runtime: PodRuntime): SandboxStatus | undefined {
  return runtime.sandboxes.find((s) => s.ready);
}
