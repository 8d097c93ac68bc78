export { dnsService, ensureDnsService } from './dns-service.ts';
export { ensureAddresses } from './local-address.ts';
export { type NodeDns, type NodeDnsOptions, startNodeDns } from './node-dns.ts';
export { parseServers, serversOfFile } from './resolv-conf.ts';
export type { UpstreamServer } from './upstream.ts';
