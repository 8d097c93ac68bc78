// A pod's /etc/hosts. Pure.
import type { Pod } from '../../api/index.ts';

const header = '# Kubernetes-managed hosts file';

function aliases(pod: Pod): string {
  const list = pod.spec.hostAliases ?? [];
  if (list.length === 0) return '';
  const lines = list.map((a) => `${a.ip}\t${(a.hostnames ?? []).join('\t')}\n`);
  return `\n# Entries added by HostAliases.\n${lines.join('')}`;
}

/** Its name as other machines see it, when it has one: HOSTNAME.SUBDOMAIN.NAMESPACE.svc.DOMAIN. */
export function podNames(pod: Pod, clusterDomain: string): { hostname: string; domain: string } {
  const { spec, metadata } = pod;
  const hostname = spec.hostnameOverride || spec.hostname || truncate(metadata.name);
  const domain =
    spec.subdomain && !spec.hostnameOverride
      ? `${spec.subdomain}.${metadata.namespace}.svc.${clusterDomain}`
      : '';
  return { hostname, domain };
}

/** A host's name has at most 63 letters and does not end in a separator. */
const truncate = (name: string): string => name.slice(0, 63).replace(/[-.]+$/, '');

export function hostsFile(
  pod: Pod,
  input: { podIps: readonly string[]; clusterDomain: string; nodeHostsFile: string },
): string {
  if (pod.spec.hostNetwork === true)
    return `${header} (host network).\n${input.nodeHostsFile}${aliases(pod)}`;
  const { hostname, domain } = podNames(pod, input.clusterDomain);
  const own = input.podIps
    .map((ip) => (domain === '' ? `${ip}\t${hostname}\n` : `${ip}\t${hostname}.${domain}\t${hostname}\n`))
    .join('');
  return `${header}.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
${own}${aliases(pod)}`;
}
