// For which zone each endpoint of a service is meant that asks for it with the annotation topology-mode: Auto. Zones get endpoints by
// their share of the cluster's CPUs. Pure; rules and words are those of Kubernetes' topology cache.
//
// Example: of 4 endpoints 3 are in zone a and 1 in b, and both zones have as many CPUs. Each wants 2, so one of a's is meant for b.
import type { Node, Service } from '../../api/index.ts';
import { mustParseQuantity, toMilli } from '../../machinery/index.ts';

const zoneLabel = 'topology.kubernetes.io/zone';
const modeAnnotation = 'service.kubernetes.io/topology-mode';
const oldModeAnnotation = 'service.kubernetes.io/topology-aware-hints';
/** Control planes carry no traffic of services. */
const excludedLabels = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
/** By how much more than its share an endpoint may be asked for. */
const overload = 0.2;

/** The deprecated annotation counts first, as in Kubernetes. */
export function wantsZoneHints({ metadata: { annotations = {} } }: Service): boolean {
  const mode = annotations[oldModeAnnotation] ?? annotations[modeAnnotation];
  return mode === 'Auto' || mode === 'auto';
}

/** Which share of the CPUs of all ready nodes each zone has. */
export type ZoneShares = ReadonlyMap<string, number>;

/** What of a node counts for the shares; undefined = the node does not count. */
function capacityOf({ metadata, status }: Node): { zone: string; milli: number } | undefined {
  const { labels = {} } = metadata;
  if (excludedLabels.some((label) => label in labels)) return undefined;
  if (!status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'))
    return undefined;
  const cpu = status.allocatable?.cpu;
  return { zone: labels[zoneLabel] ?? '', milli: cpu === undefined ? 0 : toMilli(mustParseQuantity(cpu)) };
}

/** Whether a change of a node may change the shares. */
export function sameCapacity(a: Node, b: Node): boolean {
  const [x, y] = [capacityOf(a), capacityOf(b)];
  return x?.zone === y?.zone && x?.milli === y?.milli;
}

/** undefined = a node does not tell its zone or its CPUs, or there are not two zones. */
export function zoneShares(nodes: readonly Node[]): ZoneShares | undefined {
  const byZone = new Map<string, number>();
  let total = 0;
  for (const node of nodes) {
    const capacity = capacityOf(node);
    if (capacity === undefined) continue;
    const { zone, milli } = capacity;
    if (zone === '' || milli === 0) return undefined;
    total += milli;
    byZone.set(zone, (byZone.get(zone) ?? 0) + milli);
  }
  if (byZone.size < 2) return undefined;
  return new Map([...byZone].sort().map(([zone, milli]) => [zone, milli / total]));
}

/** A ready endpoint; `before` is for which zone it was meant until now. */
export interface ZonedEndpoint {
  readonly id: string;
  readonly zone: string | undefined;
  readonly before: string | undefined;
}

/** The zone each endpoint is meant for, by id, or why there can be no hints. */
export type ZoneHints = { readonly zones: ReadonlyMap<string, string> } | { readonly problem: string };

interface Allocation {
  readonly desired: number;
  readonly maximum: number;
}

/** Endpoints stay with the zone they were meant for as long as others can have their share; new ones begin with their own. */
export function planZoneHints(
  endpoints: readonly ZonedEndpoint[],
  shares: ZoneShares | undefined,
): ZoneHints {
  const allocations = allocate(endpoints.length, shares);
  if (typeof allocations === 'string') return { problem: allocations };
  if (endpoints.some(({ zone }) => !zone))
    return { problem: 'One or more endpoints do not have a zone specified' };
  const zones = new Map<string, string>();
  const counts = new Map<string, number>();
  const add = (zone: string, count: number) => counts.set(zone, (counts.get(zone) ?? 0) + count);
  for (const { id, zone, before } of endpoints) {
    const maximum = before === undefined ? undefined : allocations.get(before)?.maximum;
    const stays = maximum !== undefined && (counts.get(before!) ?? 0) < maximum;
    const meant = stays ? before! : zone!;
    zones.set(id, meant);
    add(meant, 1);
  }
  for (const [giver, receiver] of transfers(allocations, counts)) {
    const candidates = endpoints.filter(({ id }) => zones.get(id) === giver);
    // Who is there already goes first.
    const chosen = candidates.find(({ zone }) => zone === receiver) ?? candidates[0];
    if (chosen !== undefined) zones.set(chosen.id, receiver);
  }
  return { zones };
}

/** How many endpoints each zone should have, and may have at most; a text says why that cannot be. */
function allocate(
  endpoints: number,
  shares: ZoneShares | undefined,
): ReadonlyMap<string, Allocation> | string {
  if (shares === undefined)
    return 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes';
  const of = `(${endpoints} endpoints, ${shares.size} zones)`;
  if (shares.size > endpoints) return `Insufficient number of endpoints ${of}`;
  const least = new Map<string, number>();
  for (const [zone, share] of shares) least.set(zone, Math.ceil(share * endpoints * (1 / (1 + overload))));
  const spare = endpoints - [...least.values()].reduce((sum, count) => sum + count, 0);
  if (spare < 0)
    return `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold ${of}`;
  return new Map(
    [...shares].map(([zone, share]) => {
      const minimum = least.get(zone)!;
      return [zone, { desired: Math.max(share * endpoints, minimum), maximum: minimum + spare }];
    }),
  );
}

/** From the zone that has most too many to the one that lacks most, until less than half an endpoint would be gained. */
function transfers(
  allocations: ReadonlyMap<string, Allocation>,
  counts: ReadonlyMap<string, number>,
): [giver: string, receiver: string][] {
  const excess = new Map<string, number>();
  for (const [zone, { desired }] of allocations) excess.set(zone, (counts.get(zone) ?? 0) - desired);
  // A zone without any share gives all it has.
  for (const [zone, count] of counts) if (!allocations.has(zone)) excess.set(zone, count);
  const out: [string, string][] = [];
  for (;;) {
    let giver = '';
    let receiver = '';
    for (const [zone, count] of excess) {
      if (count > (excess.get(giver) ?? 0)) giver = zone;
      if (count < (excess.get(receiver) ?? 0)) receiver = zone;
    }
    const give = excess.get(giver) ?? 0;
    const lack = -(excess.get(receiver) ?? 0);
    if (give < 0.5 || lack < 0.5 || (give < 1 && lack < 1)) return out;
    out.push([giver, receiver]);
    excess.set(giver, give - 1);
    excess.set(receiver, -(lack - 1));
  }
}
