// The service `kube-dns`: it holds the address of the cluster's DNS and says to tools where that is. Without selector and endpoints, since
// every node answers at this address by itself (docs/design/0015-dns.md).
import { Service } from '../api/index.ts';
import type { Log } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import { type Draft, isAlreadyExists, isStatus } from '../machinery/index.ts';

const name = 'kube-dns';
const namespace = 'kube-system';

export function dnsService(addresses: readonly string[]): Draft<Service> {
  return {
    metadata: {
      name,
      namespace,
      labels: {
        'k8s-app': 'kube-dns',
        'kubernetes.io/cluster-service': 'true',
        'kubernetes.io/name': 'CoreDNS',
      },
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: addresses[0],
      clusterIPs: [...addresses],
      ipFamilies: addresses.map((address) => (address.includes(':') ? 'IPv6' : 'IPv4')),
      ipFamilyPolicy: addresses.length > 1 ? 'RequireDualStack' : 'SingleStack',
      ports: [
        { name: 'dns', protocol: 'UDP', port: 53, targetPort: 53 },
        { name: 'dns-tcp', protocol: 'TCP', port: 53, targetPort: 53 },
      ],
    },
  } as Draft<Service>;
}

/** At a server's start. What is there stays as users have it; an address that another service has is told and no failure. */
export async function ensureDnsService(
  client: Client,
  { addresses, log }: { addresses: readonly string[]; log: Log },
): Promise<void> {
  // A range too small for a tenth address.
  if (addresses.length === 0) return;
  try {
    await client(Service).create(dnsService(addresses));
  } catch (error) {
    if (isAlreadyExists(error)) return;
    if (!isStatus(error, 'Invalid')) throw error;
    log.warn('the service kube-dns could not be made', { addresses: addresses.join(), error });
  }
}
