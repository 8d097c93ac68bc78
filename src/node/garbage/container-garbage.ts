// Dead containers and sandboxes that nobody will look at again: of each container of a pod the newest dead one is kept, of a pod's
// sandboxes the newest. The kubelet's rules (MaxPerPodContainer 1). Pure.
import type { ContainerStatus, SandboxStatus } from '../../os/index.ts';
import type { PodRuntime } from '../plan/pod-runtime.ts';

export interface PodGarbageInput {
  readonly runtime: PodRuntime;
  /** All its containers have ended for good, and the API knows. */
  readonly finished: boolean;
  /** The disk is full: what has finished goes altogether. */
  readonly pressing: boolean;
}

export interface PodGarbage {
  readonly containers: readonly ContainerStatus[];
  /** With nothing in them any more. */
  readonly sandboxes: readonly SandboxStatus[];
}

const maxDeadPerContainer = 1;

/** What of one pod that the API still has can be removed. */
export function planPodGarbage({ runtime, finished, pressing }: PodGarbageInput): PodGarbage {
  const all = finished && pressing;
  const kept = new Map<string, number>();
  const containers = runtime.containers.filter((one) => {
    // What was made and not started is about to be.
    if (one.state !== 'exited') return false;
    const before = kept.get(one.name) ?? 0;
    if (!all && before < maxDeadPerContainer) {
      kept.set(one.name, before + 1);
      return false;
    }
    return true;
  });
  const left = runtime.containers.filter((one) => !containers.includes(one));
  const sandboxes = runtime.sandboxes.filter(
    (sandbox, at) =>
      !sandbox.ready && (at > 0 || all) && !left.some(({ sandboxId }) => sandboxId === sandbox.id),
  );
  return { containers, sandboxes };
}
