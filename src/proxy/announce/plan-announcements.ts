// How a node answers on its link for addresses that are not its own: the kernel does, for neighbours that it is told to stand in for
// (`ip neigh … proxy`) and whose route leads elsewhere. So each such address has a route to a link of ours that leads nowhere: what is
// for no service ends there, never at a program of the node, and the route says whose announcement it is. Pure.
import type { Service } from '../../api/index.ts';
import { parseCidr } from '../../machinery/index.ts';
import type { Link } from '../../os/index.ts';

/** A bridge without ports: every kernel that runs pods has those. */
export const nowhere = 'jotasu-lb';

export interface Announcement {
  readonly address: string;
  /** The link whose neighbours ask for it. */
  readonly link: string;
}

/** What the kernel has. */
export interface Announced {
  /** Addresses that lead to `nowhere`. */
  readonly routes: readonly string[];
  /** Addresses for which it answers, ours and others. */
  readonly proxies: readonly Announcement[];
}

/** What load balancers among them have for addresses. */
export const announcedAddresses = (services: readonly Service[]): string[] => [
  ...new Set(
    services.flatMap(({ spec, status }) =>
      spec.type === 'LoadBalancer' ? (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip || []) : [],
    ),
  ),
];

/** Each with the link in whose network it lies. Others are routed to the nodes, or the node has them itself: nobody asks the link. */
export function placeOnLinks(addresses: readonly string[], links: readonly Link[]): Announcement[] {
  const own = new Set(links.flatMap((link) => link.addresses.map((range) => range.split('/')[0])));
  return addresses.flatMap((address) => {
    if (own.has(address)) return [];
    const link = links.find(
      ({ name, addresses: ranges }) =>
        name !== nowhere && ranges.some((range) => networkOf(address, range) === parseCidr(range)?.network),
    );
    return link === undefined ? [] : [{ address, link: link.name }];
  });
}

/** The network of an address, as large as that of the range; undefined = of another family. */
function networkOf(address: string, range: string): string | undefined {
  if (address.includes(':') !== range.includes(':')) return undefined;
  return parseCidr(`${address}/${range.split('/')[1]}`)?.network;
}

/** Lines for `ip -batch`, and what is announced by them for the first time. What goes is no proxy any more before its route, the mark, is gone. */
export function planAnnouncements(
  want: readonly Announcement[],
  have: Announced,
): { readonly lines: string[]; readonly fresh: readonly Announcement[] } {
  const wanted = new Map(want.map(({ address, link }) => [address, link]));
  const ours = new Set(have.routes);
  const lines = have.proxies.flatMap(({ address, link }) =>
    ours.has(address) && wanted.get(address) !== link ? [`neigh del proxy ${address} dev ${link}`] : [],
  );
  for (const address of ours) if (!wanted.has(address)) lines.push(`route del ${address} dev ${nowhere}`);
  const fresh: Announcement[] = [];
  for (const { address, link } of want) {
    if (!ours.has(address)) lines.push(`route replace ${address} dev ${nowhere}`);
    if (have.proxies.some((one) => one.address === address && one.link === link)) continue;
    lines.push(`neigh replace proxy ${address} dev ${link}`);
    fresh.push({ address, link });
  }
  return { lines, fresh };
}

const parse = <T>(json: string): T[] => (json.trim() === '' ? [] : (JSON.parse(json) as T[]));

/** Of `ip -json route show dev …`. */
export const parseRouted = (json: string): string[] =>
  parse<{ dst?: string; type?: string }>(json).flatMap(({ dst }) =>
    dst === undefined || dst.includes('/') ? [] : [dst],
  );

/** Of `ip -json neigh show proxy`. */
export const parseProxies = (json: string): Announcement[] =>
  parse<{ dst?: string; dev?: string }>(json).flatMap(({ dst, dev }) =>
    dst === undefined || dev === undefined ? [] : [{ address: dst, link: dev }],
  );
