export { dnsService, ensureDnsService } from './dns-service.ts';
export { ensureAddresses, ensureSilence } from './local-address.ts';
export { serveDnsMetrics } from './metrics-server.ts';
export { type NodeDns, type NodeDnsOptions, startNodeDns } from './node-dns.ts';
export { parseServers, serversOfFile } from './resolv-conf.ts';
export type { UpstreamServer } from './upstream.ts';
