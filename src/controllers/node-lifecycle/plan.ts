// Whether a node is alive, what that means for its conditions and taints, and when the network is to blame instead. Pure.
// docs/design/0003-node-failure.md tells the choices.
import type { coreV1, Node } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';

type NodeCondition = coreV1.NodeCondition;
type Taint = coreV1.Taint;

export const notReadyTaint = 'node.kubernetes.io/not-ready';
export const unreachableTaint = 'node.kubernetes.io/unreachable';
export const outOfServiceTaint = 'node.kubernetes.io/out-of-service';

/** The value by which we know an out-of-service taint of our own. */
const ourValue = 'unreachable';

export interface LifecycleOptions {
  readonly gracePeriodMs: number;
  /** After the node has become unreachable; 0 = never. */
  readonly outOfServiceAfterMs: number;
  /** Share of silent nodes above which a zone is taken to be cut off. */
  readonly unhealthyZoneThreshold: number;
}

/** When the node was last heard of, on the server's own clock. */
export interface Heard {
  readonly atMs: number;
}

export type Health = 'ready' | 'notReady' | 'unreachable';

export function healthOf(node: Node, heard: Heard, nowMs: number, options: LifecycleOptions): Health {
  if (nowMs - heard.atMs > options.gracePeriodMs) return 'unreachable';
  return node.status?.conditions?.find((c) => c.type === 'Ready')?.status === 'True' ? 'ready' : 'notReady';
}

export const zoneOf = ({ metadata }: Node): string =>
  `${metadata.labels?.['topology.kubernetes.io/region'] ?? ''}/${metadata.labels?.['topology.kubernetes.io/zone'] ?? ''}`;

/** Zones in which so many nodes are silent that evicting would be wrong; all of them when no node anywhere is ready. */
export function cutOffZones(
  nodes: readonly { zone: string; health: Health }[],
  options: LifecycleOptions,
): ReadonlySet<string> {
  const counts = new Map<string, { all: number; silent: number }>();
  for (const { zone, health } of nodes) {
    const count = counts.get(zone) ?? { all: 0, silent: 0 };
    count.all++;
    if (health !== 'ready') count.silent++;
    counts.set(zone, count);
  }
  const out = new Set<string>();
  const everySilent = nodes.every(({ health }) => health !== 'ready');
  for (const [zone, { all, silent }] of counts) {
    if (everySilent || (silent > 2 && silent / all >= options.unhealthyZoneThreshold)) out.add(zone);
  }
  return out;
}

const neverReported = { reason: 'NodeStatusNeverUpdated', message: 'Kubelet never posted node status.' };
const stopped = { reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.' };
const heartbeatConditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** Conditions of a silent node: everything it used to report is unknown now. undefined = already so. */
export function planUnknown(node: Node, nowMs: number): NodeCondition[] | undefined {
  const conditions = node.status?.conditions ?? [];
  const now = formatTime(nowMs);
  let changed = false;
  const next = conditions.map((condition) => {
    if (!heartbeatConditions.includes(condition.type) || condition.status === 'Unknown') return condition;
    changed = true;
    return { ...condition, status: 'Unknown', ...stopped, lastTransitionTime: now };
  });
  for (const type of heartbeatConditions) {
    if (conditions.some((c) => c.type === type)) continue;
    changed = true;
    next.push({
      type,
      status: 'Unknown',
      ...neverReported,
      lastHeartbeatTime: node.metadata.creationTimestamp,
      lastTransitionTime: now,
    });
  }
  return changed ? next : undefined;
}

const pressure: readonly (readonly [condition: string, taint: string])[] = [
  ['MemoryPressure', 'node.kubernetes.io/memory-pressure'],
  ['DiskPressure', 'node.kubernetes.io/disk-pressure'],
  ['PIDPressure', 'node.kubernetes.io/pid-pressure'],
  ['NetworkUnavailable', 'node.kubernetes.io/network-unavailable'],
];
const unschedulableTaint = 'node.kubernetes.io/unschedulable';

/** The taints this controller answers for; others on the node are left alone. */
const isOurs = (taint: Taint): boolean =>
  taint.key === notReadyTaint ||
  taint.key === unreachableTaint ||
  taint.key === unschedulableTaint ||
  pressure.some(([, key]) => key === taint.key) ||
  (taint.key === outOfServiceTaint && taint.value === ourValue);

/** The node's taints as they should be; undefined = they are. Taints that stay keep the time at which they were added. */
export function planTaints(
  node: Node,
  health: Health,
  outOfService: boolean,
  nowMs: number,
): Taint[] | undefined {
  const wanted: Taint[] = [];
  const now = formatTime(nowMs);
  if (health === 'notReady')
    wanted.push(
      { key: notReadyTaint, effect: 'NoSchedule' },
      { key: notReadyTaint, effect: 'NoExecute', timeAdded: now },
    );
  if (health === 'unreachable')
    wanted.push(
      { key: unreachableTaint, effect: 'NoSchedule' },
      { key: unreachableTaint, effect: 'NoExecute', timeAdded: now },
    );
  if (outOfService)
    wanted.push({ key: outOfServiceTaint, value: ourValue, effect: 'NoExecute', timeAdded: now });
  for (const [type, key] of pressure) {
    if (node.status?.conditions?.find((c) => c.type === type)?.status === 'True')
      wanted.push({ key, effect: 'NoSchedule' });
  }
  if (node.spec.unschedulable === true)
    wanted.push({ key: unschedulableTaint, effect: 'NoSchedule', timeAdded: now });

  const present = node.spec.taints ?? [];
  const same = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
  const next = [
    ...present.filter((t) => !isOurs(t) || wanted.some((w) => same(w, t))),
    ...wanted.filter((w) => !present.some((t) => same(t, w))),
  ];
  const unchanged = next.length === present.length && next.every((t, i) => t === present[i]);
  return unchanged ? undefined : next;
}
