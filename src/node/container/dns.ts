// A pod's resolv.conf from its dnsPolicy and dnsConfig. Pure; the node's own file is parsed once by the caller.
import type { Pod } from '../../api/index.ts';
import type { DnsConfig } from '../../os/index.ts';

export interface NodeDns {
  /** The addresses of the cluster's DNS; none = pods get the node's. */
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly node: DnsConfig;
}

const maxServers = 3;
const maxSearches = 32;
const maxSearchLetters = 2048;

export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (word === 'nameserver' && rest[0] !== undefined) servers.push(rest[0]);
    else if (word === 'search') searches = rest.map((s) => (s === '.' ? s : s.replace(/\.$/, '')));
    else if (word === 'options') options = rest;
  }
  return { servers, searches, options };
}

function limited(config: DnsConfig): DnsConfig {
  const searches: string[] = [];
  let letters = 0;
  for (const search of config.searches) {
    letters += search.length + 1;
    if (searches.length === maxSearches || letters > maxSearchLetters) break;
    searches.push(search);
  }
  return { servers: config.servers.slice(0, maxServers), searches, options: config.options };
}

/** Options by name: a later one replaces an earlier one in its place. */
function mergeOptions(base: readonly string[], extra: readonly string[]): string[] {
  const merged = new Map(base.map((o) => [o.split(':')[0]!, o]));
  for (const option of extra) merged.set(option.split(':')[0]!, option);
  return [...merged.values()];
}

const unique = (list: readonly string[]): string[] => [...new Set(list)];

export function podDns(pod: Pod, dns: NodeDns): DnsConfig {
  const { spec } = pod;
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  let base: DnsConfig;
  const cluster =
    policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && spec.hostNetwork !== true);
  if (policy === 'None') base = { servers: [], searches: [], options: [] };
  else if (cluster && dns.clusterDns.length > 0) {
    const domain = dns.clusterDomain;
    base = {
      servers: dns.clusterDns,
      searches: unique([
        `${pod.metadata.namespace}.svc.${domain}`,
        `svc.${domain}`,
        domain,
        ...dns.node.searches,
      ]),
      options: ['ndots:5'],
    };
  } else base = dns.node;
  const extra = spec.dnsConfig;
  if (extra === undefined) return limited(base);
  return limited({
    servers: unique([...base.servers, ...(extra.nameservers ?? [])]),
    searches: unique([...base.searches, ...(extra.searches ?? [])]),
    options: mergeOptions(
      base.options,
      (extra.options ?? []).map((o) => (o.value ? `${o.name}:${o.value}` : (o.name ?? ''))),
    ),
  });
}
