// Pods made and deleted for an owner, a few at first and then many at once, and told about on the owner as Kubernetes tells it.
import { Pod } from '../api/index.ts';
import { type Draft, isNotFound, type KubeObject } from '../machinery/index.ts';
import { inBatches } from './batches.ts';
import type { ControllerContext } from './framework/index.ts';
import { isNamespaceEnding } from './pod-facts.ts';

type Writing = Pick<ControllerContext, 'client' | 'event'>;

/** What went wrong, as a ReplicaFailure condition tells it. */
export interface PodFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly message: string;
}

/** Returns the first failure, after which nothing more was tried. Refusals of a namespace that ends are none. */
export async function createPods(
  { client, event }: Writing,
  { owner, drafts }: { readonly owner: KubeObject; readonly drafts: readonly Draft<Pod>[] },
  signal: AbortSignal,
): Promise<PodFailure | undefined> {
  const error = await inBatches(drafts, signal, async (draft) => {
    try {
      const pod = await client(Pod).create(draft);
      event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    } catch (cause) {
      if (isNamespaceEnding(cause)) return;
      event(owner, 'Warning', 'FailedCreate', `Error creating: ${(cause as Error).message}`);
      throw cause;
    }
  });
  return error && { reason: 'FailedCreate', message: error.message };
}

/** Returns the first failure. A pod that is gone is none. */
export async function deletePods(
  { client, event }: Writing,
  { owner, pods }: { readonly owner: KubeObject; readonly pods: readonly Pod[] },
  signal: AbortSignal,
): Promise<PodFailure | undefined> {
  const error = await inBatches(pods, signal, async ({ metadata: { name, namespace, uid } }) => {
    try {
      await client(Pod).delete(name, namespace, { preconditions: { uid } });
      event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (cause) {
      if (isNotFound(cause)) return;
      event(owner, 'Warning', 'FailedDelete', `Error deleting: ${(cause as Error).message}`);
      throw cause;
    }
  });
  return error && { reason: 'FailedDelete', message: error.message };
}
