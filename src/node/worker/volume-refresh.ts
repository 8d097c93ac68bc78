// Keeps the files in a running pod's volumes up to date.
import type { Pod } from '../../api/index.ts';
import { readySandbox } from '../plan/pod-runtime.ts';
import type { NodeContext } from './node-context.ts';
import { downwardContext } from './start-pod.ts';

/** Tokens run out, so that pods with some are looked at even if nothing happens. */
export const hasTokens = ({ spec }: Pod): boolean =>
  (spec.volumes ?? []).some((v) => v.projected?.sources?.some((s) => s.serviceAccountToken !== undefined));

/** A token that could not be had is asked for this often, as the kubelet looks at its pods. */
const retryMs = 60_000;

/** When the pod is to be looked at again for its tokens; undefined = it has none, or nobody will read them any more. */
export function tokensDueInMs(
  node: Pick<NodeContext, 'tokenDueInMs'>,
  { pod, finished }: { pod: Pod; finished: boolean },
): number | undefined {
  if (finished || !hasTokens(pod)) return undefined;
  return node.tokenDueInMs(pod.metadata.uid) || retryMs;
}

export async function refreshVolumes(node: NodeContext, pod: Pod): Promise<void> {
  const { uid, namespace = '' } = pod.metadata;
  if ((pod.spec.volumes ?? []).length === 0 || readySandbox(node.cache.get(uid)) === undefined) return;
  await node.volumes.refresh(pod, {
    objects: node.references.lookup(namespace),
    downward: downwardContext(node, pod),
  });
}
