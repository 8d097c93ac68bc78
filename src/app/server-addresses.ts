// Where a server is found: the address that it tells nodes and pods, and the URL for whoever is on the same machine.
import type { networkInterfaces } from 'node:os';

const isEverywhere = (address: string): boolean => address === '0.0.0.0' || address === '::';

/** The address of this machine that others most likely reach: what it is bound to, else the first outside one of IPv4. Pure. */
export function planAdvertiseAddress(
  bindAddress: string,
  links: ReturnType<typeof networkInterfaces>,
): string {
  if (!isEverywhere(bindAddress) && !bindAddress.startsWith('127.')) return bindAddress;
  for (const list of Object.values(links))
    for (const { address, family, internal } of list ?? [])
      if (family === 'IPv4' && !internal) return address;
  return '127.0.0.1';
}

/** `https://127.0.0.1:6443`, or with the one address at which it listens. */
export function localUrl(bindAddress: string, port: number): string {
  const host = isEverywhere(bindAddress) ? '127.0.0.1' : bindAddress;
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
