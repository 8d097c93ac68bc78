// What becomes of a range of service addresses. Pure. A deleted range goes when no service loses its address by it: nobody has one of it,
// or another range has the address too.
import type { IPAddress, ServiceCIDR } from '../../api/index.ts';
import { type ParsedCidr, type ParsedIp, parseCidr, parseIp } from '../../machinery/index.ts';

/** API servers that have not heard of the deletion may still give an address of the range to somebody. */
export const deletionGraceMs = 10_000;

export const ready = { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' };
export const stillUsed = {
  status: 'False',
  reason: 'Terminating',
  message:
    'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
};

export type RangePlan =
  | { readonly what: 'serve' }
  | { readonly what: 'keep' }
  | { readonly what: 'wait'; readonly forMs: number }
  | { readonly what: 'release' };

export interface RangeView {
  readonly range: ServiceCIDR;
  /** All of them, `range` may be among them. */
  readonly ranges: readonly ServiceCIDR[];
  readonly addresses: readonly IPAddress[];
  readonly nowMs: number;
}

export function planRange({ range, ranges, addresses, nowMs }: RangeView): RangePlan {
  const { deletionTimestamp, uid } = range.metadata;
  if (deletionTimestamp === undefined) return { what: 'serve' };
  const own = networksOf(range);
  const others = ranges
    .filter(({ metadata }) => metadata.uid !== uid && metadata.deletionTimestamp === undefined)
    .flatMap(networksOf);
  // A range within others leaves every address where it was.
  const within = own.every((network) => others.some((other) => contains(other, network)));
  if (!within && addresses.some((address) => isOnlyOf(address, own, others))) return { what: 'keep' };
  const forMs = Date.parse(deletionTimestamp) + deletionGraceMs - nowMs;
  return forMs > 0 ? { what: 'wait', forMs } : { what: 'release' };
}

const networksOf = ({ spec }: ServiceCIDR): ParsedCidr[] =>
  (spec?.cidrs ?? []).map((text) => parseCidr(text)).filter((cidr) => cidr !== undefined);

function isOnlyOf(
  { metadata }: IPAddress,
  own: readonly ParsedCidr[],
  others: readonly ParsedCidr[],
): boolean {
  if (metadata.labels?.['ipaddress.kubernetes.io/managed-by'] !== 'ipallocator.k8s.io') return false;
  const ip = parseIp(metadata.name);
  if (ip === undefined) return false;
  return own.some((network) => spans(network, ip)) && !others.some((network) => spans(network, ip));
}

const contains = (outer: ParsedCidr, inner: ParsedCidr): boolean =>
  outer.prefixLength <= inner.prefixLength && spans(outer, inner);

function spans({ family, bytes, prefixLength }: ParsedCidr, ip: ParsedIp): boolean {
  if (ip.family !== family) return false;
  return bytes.every((byte, i) => {
    const mask = (0xff << (8 - Math.min(8, Math.max(0, prefixLength - i * 8)))) & 0xff;
    return (byte & mask) === ((ip.bytes[i] ?? 0) & mask);
  });
}
