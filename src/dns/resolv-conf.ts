// The name servers of the node, from its resolv.conf, which is read again when it has changed.
import { readFileSync, statSync } from 'node:fs';
import type { Clock } from '../base/index.ts';
import { addressBytes } from './name.ts';
import type { UpstreamServer } from './upstream.ts';

const dnsPort = 53;
const lookAgainMs = 2_000;

/** In the order of the file, those at our own addresses left out: we would ask ourselves. Pure. */
export function parseServers(text: string, own: readonly string[]): UpstreamServer[] {
  const ours = new Set(own.map(canonical));
  const servers: UpstreamServer[] = [];
  for (const line of text.split('\n')) {
    const [word, address] = line.trim().split(/\s+/);
    if (word !== 'nameserver' || address === undefined || addressBytes(address) === undefined) continue;
    if (ours.has(canonical(address)) || servers.some((server) => server.address === address)) continue;
    servers.push({ address, port: dnsPort });
  }
  return servers;
}

const canonical = (address: string): string => addressBytes(address)?.toString('hex') ?? address;

/** Looks at the file at most every two seconds; a file that cannot be read names no servers. */
export function serversOfFile(
  file: string,
  { own, clock }: { own: readonly string[]; clock: Clock },
): () => readonly UpstreamServer[] {
  let servers: readonly UpstreamServer[] = [];
  let lookedMs = Number.NEGATIVE_INFINITY;
  let seen = '';
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - lookedMs < lookAgainMs) return servers;
    lookedMs = nowMs;
    try {
      const { mtimeMs, size, ino } = statSync(file);
      const now = `${mtimeMs} ${size} ${ino}`;
      if (now !== seen) servers = parseServers(readFileSync(file, 'utf8'), own);
      seen = now;
    } catch {
      servers = [];
      seen = '';
    }
    return servers;
  };
}
