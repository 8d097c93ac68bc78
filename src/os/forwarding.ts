// Whether the kernel passes packets on between links, and speaks IPv6 on one at all. The choice: before it does for IPv6, links that have their routes from a router
// are told to go on listening to it, since a kernel that is a router itself otherwise forgets them, and with them the way out.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Exec } from './exec.ts';
import type { IpVersion } from './links.ts';

const fileOf: Readonly<Record<IpVersion, string>> = {
  4: '/proc/sys/net/ipv4/ip_forward',
  6: '/proc/sys/net/ipv6/conf/all/forwarding',
};

const advertisementsFile = (link: string): string => `/proc/sys/net/ipv6/conf/${link}/accept_ra`;

/** Throws an Error that says so when the kernel lacks the family. */
export const isForwarding = (version: IpVersion): boolean => read(version).trim() === '1';

function read(version: IpVersion): string {
  try {
    return readFileSync(fileOf[version], 'latin1');
  } catch (error) {
    throw new Error(`this kernel has no IPv${version}`, { cause: error });
  }
}

export const setForwarding = (version: IpVersion, value: '0' | '1'): void =>
  writeFileSync(fileOf[version], value);

/** False also when it was left out at the kernel's start. */
export const hasIpv6 = (): boolean => existsSync('/proc/sys/net/ipv6/conf/all');

/** On a link of our own, whatever the machine has for others: many have IPv6 turned off for all new links. */
export const allowIpv6 = (link: string): void =>
  writeFileSync(`/proc/sys/net/ipv6/conf/${link}/disable_ipv6`, '0');

/** Of `ip -json -6 route show`: links with routes that a router told of. */
export function parseAdvertisedLinks(json: string): string[] {
  const list = (json.trim() === '' ? [] : JSON.parse(json)) as { dev?: string; protocol?: string }[];
  return [...new Set(list.flatMap(({ dev, protocol }) => (protocol === 'ra' && dev ? [dev] : [])))];
}

/** Idempotent. Returns the links that were told to go on listening to routers, for `forgetRouters`. */
export async function ensureForwarding(exec: Exec, version: IpVersion): Promise<readonly string[]> {
  if (version === 4) {
    setForwarding(4, '1');
    return [];
  }
  if (isForwarding(6)) return [];
  const { stdout } = await exec.run(['ip', '-json', '-6', 'route', 'show']);
  const told = parseAdvertisedLinks(stdout).filter(
    (link) => readFileSync(advertisementsFile(link), 'latin1').trim() === '1',
  );
  for (const link of told) writeFileSync(advertisementsFile(link), '2');
  setForwarding(6, '1');
  return told;
}

/** Undoes what `ensureForwarding` told the links. A link that is gone is fine. */
export function forgetRouters(links: readonly string[]): void {
  for (const link of links)
    try {
      writeFileSync(advertisementsFile(link), '1');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
}
