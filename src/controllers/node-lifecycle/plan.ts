// Whether a node is alive, what that means for its conditions and taints, and when the network is to blame instead. Pure.
// docs/design/0003-node-failure.md tells the choices.
import type { coreV1, Node } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';

import type { Health, ZoneOptions } from './zones.ts';

type NodeCondition = coreV1.NodeCondition;
type Taint = coreV1.Taint;

export const notReadyTaint = 'node.kubernetes.io/not-ready';
export const unreachableTaint = 'node.kubernetes.io/unreachable';
export const outOfServiceTaint = 'node.kubernetes.io/out-of-service';

/** The value by which an out-of-service taint is known to be this controller's. */
export const ourTaintValue = 'unreachable';

export interface LifecycleOptions extends ZoneOptions {
  /** How long a node that renews a Lease may be silent. */
  readonly gracePeriodMs: number;
  /** How long a node may be silent that has never had a Lease: it is starting, or nobody keeps it alive. */
  readonly startupGracePeriodMs: number;
  /** After the node has become unreachable; 0 = never. */
  readonly outOfServiceAfterMs: number;
}

/**
 * How long nothing is given up after a node fell silent: for others of its zone to fall silent too, if it is the network. Also the
 * time for a new node to say that it is ready.
 */
export const settleMs = 300;

/** When the node was last heard of, on the server's own clock: the node's may be wrong. */
export interface Heard {
  readonly atMs: number;
  /** For how long its Lease holds by its own word; undefined = it has never had one. */
  readonly leaseMs: number | undefined;
}

/**
 * Until when the node counts as alive if nothing more is heard of it. A node that renews seldom says so in its Lease: it is not
 * given up before that has run out.
 */
export const graceEndsMs = ({ atMs, leaseMs }: Heard, options: LifecycleOptions): number =>
  atMs + (leaseMs === undefined ? options.startupGracePeriodMs : Math.max(options.gracePeriodMs, leaseMs));

/** A look that is later than this was held up: a server without CPU time, a long queue. */
const heldUpMs = 250;

/**
 * How much longer a node that was ready may be silent, because this server was itself held up: the renewals of that time wait beside
 * the look that came too late. As long as the delay, a grace period at most; 0 = the look was in time.
 */
export const excuseMs = (
  lateMs: number,
  { gracePeriodMs }: Pick<LifecycleOptions, 'gracePeriodMs'>,
): number => (lateMs > heldUpMs ? Math.min(lateMs, gracePeriodMs) : 0);

export function healthOf(node: Node, graceEndMs: number, nowMs: number): Health {
  if (nowMs > graceEndMs) return 'unreachable';
  return node.status?.conditions?.find((c) => c.type === 'Ready')?.status === 'True' ? 'ready' : 'notReady';
}

export const zoneOf = ({ metadata }: Node): string =>
  `${metadata.labels?.['topology.kubernetes.io/region'] ?? ''}/${metadata.labels?.['topology.kubernetes.io/zone'] ?? ''}`;

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
  (taint.key === outOfServiceTaint && taint.value === ourTaintValue);

/** Its pods are being driven away because of its state. */
export const isEvicting = ({ spec }: Node): boolean =>
  (spec.taints ?? []).some(
    ({ key, effect }) => effect === 'NoExecute' && (key === notReadyTaint || key === unreachableTaint),
  );

/** Nodes that say by a label that their state says nothing of their zone. */
export const isExcluded = ({ metadata }: Node): boolean =>
  metadata.labels?.['node.kubernetes.io/exclude-disruption'] !== undefined;

export interface TaintView {
  readonly health: Health;
  /** Its pods are driven away, as far as they do not bear it. */
  readonly evicting: boolean;
  readonly outOfService: boolean;
  readonly nowMs: number;
}

/** The node's taints as they should be; undefined = they are. Taints that stay keep the time at which they were added. */
export function planTaints(
  node: Node,
  { health, evicting, outOfService, nowMs }: TaintView,
): Taint[] | undefined {
  const wanted: Taint[] = [];
  const want = (key: string, effect: string, value?: string) =>
    wanted.push({ key, ...(value !== undefined && { value }), effect, timeAdded: formatTime(nowMs) });
  if (health !== 'ready') {
    const isUnknown = node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'Unknown');
    const key = health === 'notReady' && isUnknown !== true ? notReadyTaint : unreachableTaint;
    want(key, 'NoSchedule');
    if (evicting) want(key, 'NoExecute');
  }
  if (outOfService) want(outOfServiceTaint, 'NoExecute', ourTaintValue);
  for (const [type, key] of pressure)
    if (node.status?.conditions?.find((c) => c.type === type)?.status === 'True') want(key, 'NoSchedule');
  if (node.spec.unschedulable === true) want(unschedulableTaint, 'NoSchedule');

  const present = node.spec.taints ?? [];
  const same = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
  const next = [
    ...present.filter((t) => !isOurs(t) || wanted.some((w) => same(w, t))),
    ...wanted.filter((w) => !present.some((t) => same(t, w))),
  ];
  const unchanged = next.length === present.length && next.every((t, i) => t === present[i]);
  return unchanged ? undefined : next;
}
