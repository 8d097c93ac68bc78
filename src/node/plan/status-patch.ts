// From one status to the next as a strategic merge patch: only what changed, conditions one by one, so that conditions which
// others own are never touched. Pure.
import type { coreV1 } from '../../api/index.ts';
import { semanticEqual } from '../../machinery/index.ts';

/** Lists that a strategic merge would merge by key: they must be replaced when an entry went away. */
const mergedLists = new Set(['podIPs', 'hostIPs']);

/** Conditions of the node's that come and go; the others stay. */
const passing = new Set(['PodResizePending', 'PodResizeInProgress']);

/** The patch of the pod's status subresource; undefined = nothing to write. */
export function planStatusPatch(
  uid: string,
  old: coreV1.PodStatus | undefined,
  next: coreV1.PodStatus,
): Record<string, unknown> | undefined {
  const status: Record<string, unknown> = {};
  const before = (old ?? {}) as Record<string, unknown>;
  const after = next as Record<string, unknown>;
  for (const [name, value] of Object.entries(after)) {
    if (name === 'conditions' || value === undefined || semanticEqual(before[name], value)) continue;
    const had = before[name];
    status[name] =
      mergedLists.has(name) && Array.isArray(had) && had.length > 0
        ? [...(value as unknown[]), { $patch: 'replace' }]
        : value;
  }
  for (const name of ['reason', 'message', 'podIP', 'podIPs', 'initContainerStatuses'])
    if (before[name] !== undefined && after[name] === undefined) status[name] = null;
  const conditions = (next.conditions ?? []).filter(
    (c) => !semanticEqual(c, withoutProbeTime(old?.conditions?.find((o) => o.type === c.type))),
  );
  const gone = (old?.conditions ?? []).filter(
    ({ type }) => passing.has(type) && !next.conditions?.some((c) => c.type === type),
  );
  if (conditions.length > 0 || gone.length > 0) {
    // A merged condition keeps what the patch does not name.
    const changed = conditions.map((c) => {
      const had = old?.conditions?.find((o) => o.type === c.type);
      return {
        ...c,
        ...(had?.reason !== undefined && c.reason === undefined && { reason: null }),
        ...(had?.message !== undefined && c.message === undefined && { message: null }),
      };
    });
    status['conditions'] = [...changed, ...gone.map(({ type }) => ({ type, $patch: 'delete' }))];
  }
  return Object.keys(status).length === 0 ? undefined : { metadata: { uid }, status };
}

function withoutProbeTime(condition: coreV1.PodCondition | undefined): coreV1.PodCondition | undefined {
  if (condition?.lastProbeTime === undefined) return condition;
  const { lastProbeTime: _, ...rest } = condition;
  return rest;
}
