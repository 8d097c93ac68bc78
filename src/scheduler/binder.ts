// What follows a decision: plugins take what they need (reserve), do what must be done first (preBind), and the pod is bound through
// the API. Whatever fails on the way gives everything back.
import { Pod } from '../api/index.ts';
import type { Client } from '../client/index.ts';
import type { Placement } from './cycle.ts';
import type { PodInfo } from './pod-info.ts';

/** A plugin said no after the decision; the message is for the event. */
export class PluginRefusal extends Error {}

/** Synchronously, in the order of plugins. A refusal has given back what was taken. */
export function reserve({ node, active }: Placement): PluginRefusal | undefined {
  for (const { plugin, state } of active) {
    const refusal = plugin.reserve?.(state, node);
    if (refusal === undefined) continue;
    unreserve({ node, active });
    return new PluginRefusal(`running Reserve plugin "${plugin.name}": ${refusal}`);
  }
  return undefined;
}

export function unreserve({ node, active }: Placement): void {
  for (let i = active.length - 1; i >= 0; i--) active[i]!.plugin.unreserve?.(active[i]!.state, node);
}

/** Whether something must be done before the binding; it may take minutes. */
export const needsPreparation = ({ active }: Placement): boolean =>
  active.some(({ plugin }) => plugin.preBind !== null);

/** Rejects with a PluginRefusal. The caller unreserves then. */
export async function prepare({ node, active }: Placement, signal: AbortSignal): Promise<void> {
  for (const { plugin, state } of active) {
    if (plugin.preBind === null) continue;
    try {
      await plugin.preBind(state, node, signal);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new PluginRefusal(`running PreBind plugin "${plugin.name}": ${why}`, { cause });
    }
  }
}

/** Resolves when the pod is bound. The caller unreserves when it rejects. */
export async function bind(
  { node }: Placement,
  { pod, client }: { pod: PodInfo; client: Client },
): Promise<void> {
  const { name, namespace, uid } = pod.pod.metadata;
  await client(Pod).createSub(
    { name, namespace, subresource: 'binding' },
    { metadata: { name, namespace, uid }, target: { kind: 'Node', name: node.name } },
  );
}
