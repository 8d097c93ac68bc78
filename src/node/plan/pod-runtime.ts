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

/**
 * It was made and never started, because the runtime was killed in between: of `unknown` ones that is so when not even their making
 * was recorded. What never ran is made anew and counts as no restart.
 */
export const neverStarted = (container: ContainerStatus): boolean =>
  container.state === 'created' || (container.state === 'unknown' && container.createdAtMs === 0);
