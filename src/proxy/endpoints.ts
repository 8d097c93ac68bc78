// The endpoints behind one port of a service, gathered from its slices, and which of them this node uses. Pure.
// The rules are kube-proxy's: ready ones, or else those that still serve while they end; hints only where all have them.
import type { EndpointSlice } from '../api/index.ts';
import type { Family } from './contribution.ts';
import type { Protocol } from './frame.ts';

export interface ProxyEndpoint {
  readonly address: string;
  readonly port: number;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** It runs on this node. */
  readonly local: boolean;
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
}

/** Where this node is. */
export interface NodePlace {
  readonly nodeName: string;
  /** '' = not known */
  readonly zone: string;
}

export interface PortName {
  readonly name: string;
  readonly protocol: Protocol;
}

const familyOf = (slice: EndpointSlice): Family | undefined =>
  slice.addressType === 'IPv4' ? 'ip' : slice.addressType === 'IPv6' ? 'ip6' : undefined;

/**
 * In order of address and port; one that is in two slices counts once, as the better of both. Slices of names (FQDN) are nobody's.
 */
export function gatherEndpoints(
  slices: readonly EndpointSlice[],
  port: PortName,
  at: { readonly family: Family; readonly place: NodePlace },
): ProxyEndpoint[] {
  const found = new Map<string, ProxyEndpoint>();
  for (const slice of slices) {
    if (familyOf(slice) !== at.family) continue;
    for (const { name = '', protocol = 'TCP', port: number } of slice.ports ?? []) {
      if (name !== port.name || protocol.toLowerCase() !== port.protocol || number === undefined) continue;
      for (const { addresses, conditions, nodeName, hints } of slice.endpoints ?? []) {
        // Only the first address is used, as Kubernetes says.
        const address = addresses[0];
        if (address === undefined) continue;
        const ready = conditions?.ready ?? true;
        const endpoint: ProxyEndpoint = {
          address,
          port: number,
          ready,
          serving: conditions?.serving ?? ready,
          terminating: conditions?.terminating ?? false,
          local: nodeName === at.place.nodeName,
          zoneHints: hints?.forZones?.map((zone) => zone.name) ?? none,
          nodeHints: hints?.forNodes?.map((node) => node.name) ?? none,
        };
        const key = `${address} ${number}`;
        const known = found.get(key);
        if (known === undefined || rank(endpoint) > rank(known)) found.set(key, endpoint);
      }
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}

const none: readonly string[] = [];
const rank = ({ ready, serving }: ProxyEndpoint): number => (ready ? 2 : 0) + (serving ? 1 : 0);

export interface ChosenEndpoints {
  /** For the policy Cluster. Empty when it is not asked for. */
  readonly cluster: readonly ProxyEndpoint[];
  /** For the policy Local. Empty when it is not asked for. */
  readonly local: readonly ProxyEndpoint[];
  /** Whether any node could serve. */
  readonly any: boolean;
}

export function chooseEndpoints(
  all: readonly ProxyEndpoint[],
  uses: { readonly cluster: boolean; readonly local: boolean },
  place: NodePlace,
): ChosenEndpoints {
  const usable = (endpoints: readonly ProxyEndpoint[]): readonly ProxyEndpoint[] => {
    const ready = endpoints.filter((endpoint) => endpoint.ready);
    return ready.length > 0
      ? ready
      : endpoints.filter((endpoint) => endpoint.serving && endpoint.terminating);
  };
  const everywhere = usable(all);
  return {
    cluster: uses.cluster ? nearby(everywhere, place) : [],
    local: uses.local ? usable(all.filter((endpoint) => endpoint.local)) : [],
    any: everywhere.length > 0,
  };
}

/** Those that the hints give to this node, or to its zone; all of them when not each has a hint or none is for here. */
function nearby(
  endpoints: readonly ProxyEndpoint[],
  { nodeName, zone }: NodePlace,
): readonly ProxyEndpoint[] {
  if (endpoints.length === 0 || !endpoints[0]!.ready) return endpoints;
  if (endpoints.every(({ nodeHints }) => nodeHints.length > 0)) {
    const here = endpoints.filter(({ nodeHints }) => nodeHints.includes(nodeName));
    if (here.length > 0) return here;
  }
  if (zone !== '' && endpoints.every(({ zoneHints }) => zoneHints.length > 0)) {
    const here = endpoints.filter(({ zoneHints }) => zoneHints.includes(zone));
    if (here.length > 0) return here;
  }
  return endpoints;
}
