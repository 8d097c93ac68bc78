// Whether a pod that was given to this node may run on it. What runs already was taken by an earlier run of the agent and is not asked
// again, so that a restart ends nobody.
import type { Pod } from '../../api/index.ts';
import { isStaticPod } from '../container/names.ts';
import { refuseUnderPressure } from '../eviction/pressure-admission.ts';
import { admit, type Rejection } from '../plan/admission.ts';
import type { NodeContext } from './node-context.ts';

/** Whether an earlier run of the agent took it. */
export const ranBefore = (node: NodeContext, { metadata, status }: Pod): boolean =>
  node.cache.get(metadata.uid).sandboxes.length > 0 || status?.startTime !== undefined;

/** `others` is asked for at the very moment of the decision. Rejects when the API must be asked and does not answer. */
export async function admitPod(
  node: NodeContext,
  pod: Pod,
  others: () => readonly Pod[],
): Promise<Rejection | undefined> {
  const shutdown = node.shutdown();
  if (shutdown !== undefined) return shutdown;
  const pressed = refuseUnderPressure(pod, node.pressure());
  if (pressed !== undefined) return pressed;
  const known = node.node();
  const isStatic = isStaticPod(pod);
  const ask = (on: NonNullable<typeof known>) =>
    admit({ pod, others: others(), node: on, isStatic, ...node.admission });
  const rejection = known === undefined ? undefined : ask(known);
  // A static pod must not wait for the API.
  if (isStatic || (known !== undefined && rejection === undefined)) return rejection;
  // The scheduler may have seen a newer Node than we have: its labels, taints or resources may have changed a moment ago.
  return ask(await node.readNode());
}
