// Network links, addresses and routes, through iproute2. The choice: what to do is planned as lines for `ip -batch`, so that a
// whole node's network is one process and the plan is plain text; what is there is read with `ip -json`.
import { CommandError, type Exec } from './exec.ts';

export interface Link {
  readonly name: string;
  readonly mtu: number;
  readonly up: boolean;
  /** The bridge it belongs to. */
  readonly master: string | undefined;
  /** In CIDR form, IPv4 and IPv6. */
  readonly addresses: readonly string[];
}

export interface Route {
  /** `default` or a range in CIDR form; a single address has no slash. */
  readonly destination: string;
  readonly gateway: string | undefined;
  readonly device: string | undefined;
}

export type IpVersion = 4 | 6;

/** Those of some addresses or ranges, in the order in which they first come. */
export const versionsOf = (addresses: readonly string[]): readonly IpVersion[] => [
  ...new Set(addresses.map((address) => (address.includes(':') ? 6 : 4))),
];

/** The kernel takes at most 15 letters. */
export function checkLinkName(name: string): void {
  if (!/^[A-Za-z][\w.-]{0,14}$/.test(name)) throw new Error(`not a name for a network link: ${name}`);
}

/** A bridge with an address of its own, up. */
export function planBridge(bridge: { name: string; address: string; mtu: number }): string[] {
  checkLinkName(bridge.name);
  return [
    `link add name ${bridge.name} mtu ${bridge.mtu} type bridge forward_delay 0 stp_state 0`,
    planAddress(bridge.name, bridge.address),
    `link set ${bridge.name} up`,
  ];
}

/** A bridge that leads nowhere, up. */
export function planEmptyBridge(name: string): string[] {
  checkLinkName(name);
  return [`link add name ${name} type bridge forward_delay 0 stp_state 0`, `link set ${name} up`];
}

/** Whoever gives an IPv6 address out knows that nobody else has it: without a look for duplicates it serves at once. */
const planAddress = (link: string, address: string): string =>
  `address add ${address} dev ${link}${address.includes(':') ? ' nodad' : ''}`;

/** A further address of a link, mostly of its other family; with a gateway the way out as well. */
export function planFurtherAddress(further: {
  link: string;
  address: string;
  gateway?: string | undefined;
}): string[] {
  return [
    planAddress(further.link, further.address),
    ...(further.gateway === undefined ? [] : [`route add default via ${further.gateway}`]),
  ];
}

/** A pair of links: one end on the bridge, the other in another network namespace under another name. */
export function planVeth(veth: {
  name: string;
  bridge: string;
  mtu: number;
  /** The file that pins the other namespace. */
  peerNamespace: string;
  peerName: string;
}): string[] {
  checkLinkName(veth.name);
  checkLinkName(veth.peerName);
  return [
    `link add name ${veth.name} mtu ${veth.mtu} type veth peer name ${veth.peerName} mtu ${veth.mtu} netns ${veth.peerNamespace}`,
    `link set ${veth.name} master ${veth.bridge}`,
    `link set ${veth.name} up`,
  ];
}

/** Inside a fresh network namespace: loopback, the link's address, the way out. */
export function planInside(inside: { link: string; address: string; gateway: string }): string[] {
  return [
    'link set lo up',
    planAddress(inside.link, inside.address),
    `link set ${inside.link} up`,
    `route add default via ${inside.gateway}`,
  ];
}

/** Runs the lines in order; the first that fails ends it. `namespace`: the file that pins a network namespace to run them in. */
export async function applyLinks(exec: Exec, lines: readonly string[], namespace?: string): Promise<void> {
  if (lines.length === 0) return;
  const ip = ['ip', '-batch', '-'];
  await exec.run(namespace === undefined ? ip : ['nsenter', `--net=${namespace}`, ...ip], {
    input: `${lines.join('\n')}\n`,
    timeoutMs: 20_000,
  });
}

/** Removes a link and, of a veth pair, the other end; none is fine. */
export async function removeLink(exec: Exec, name: string): Promise<void> {
  checkLinkName(name);
  const { code, stderr } = await exec.run(['ip', 'link', 'delete', name], { mayFail: true });
  if (code === 0) return;
  if ((await readLinks(exec)).some((link) => link.name === name))
    throw new CommandError('failed', ['ip', 'link', 'delete', name], {
      exitCode: code,
      stderr,
      what: `exit code ${code}`,
    });
}

/** The plug pulled: nothing passes any more. None is fine. */
export async function cutLink(exec: Exec, name: string): Promise<void> {
  checkLinkName(name);
  await exec.run(['ip', 'link', 'set', name, 'down'], { mayFail: true });
}

export async function readLinks(exec: Exec): Promise<Link[]> {
  return parseLinks((await exec.run(['ip', '-json', 'address', 'show'])).stdout);
}

/** Routes of the main table, of IPv4 unless something else is asked for. */
export async function readRoutes(exec: Exec, families: readonly IpVersion[] = [4]): Promise<Route[]> {
  const all: Route[] = [];
  for (const family of families)
    all.push(...parseRoutes((await exec.run(['ip', '-json', `-${family}`, 'route', 'show'])).stdout));
  return all;
}

interface IpLink {
  ifname: string;
  mtu: number;
  flags: string[];
  master?: string;
  addr_info: { local?: string; prefixlen: number }[];
}

interface IpRoute {
  dst: string;
  gateway?: string;
  dev?: string;
}

export function parseLinks(json: string): Link[] {
  // `ip` prints nothing at all for an empty list.
  const list = (json.trim() === '' ? [] : JSON.parse(json)) as Partial<IpLink>[];
  return list
    .filter((link) => link.ifname !== undefined)
    .map((link) => ({
      name: link.ifname!,
      mtu: link.mtu ?? 1500,
      up: link.flags?.includes('UP') === true,
      master: link.master,
      addresses: (link.addr_info ?? [])
        .filter((address) => address.local !== undefined)
        .map((address) => `${address.local}/${address.prefixlen}`),
    }));
}

export function parseRoutes(json: string): Route[] {
  const list = (json.trim() === '' ? [] : JSON.parse(json)) as IpRoute[];
  return list.map((route) => ({ destination: route.dst, gateway: route.gateway, device: route.dev }));
}
