// What a pod's sandbox is made from. Pure.
import type { Pod } from '../../api/index.ts';
import type { PortMapping, SandboxConfig } from '../../os/index.ts';
import { type NodeDns, podDns } from './dns.ts';
import { podNames } from './hosts-file.ts';
import { identityOf, podLabels, podLogDirectory } from './names.ts';
import { podCgroup } from './pod-cgroup.ts';
import { podNamespaces, securityProfile } from './security.ts';

export interface SandboxInput {
  readonly pod: Pod;
  readonly attempt: number;
  readonly dns: NodeDns;
  readonly logDir: string;
  /** Below which the pods of this node live. */
  readonly cgroupParent: string;
  readonly nodeName: string;
  readonly seccompDir?: string | undefined;
}

function portMappings(pod: Pod): PortMapping[] {
  if (pod.spec.hostNetwork === true) return [];
  const sidecars = (pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  return [...sidecars, ...pod.spec.containers].flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => ({
        protocol: (port.protocol ?? 'TCP') as PortMapping['protocol'],
        containerPort: port.containerPort,
        hostPort: port.hostPort!,
        hostIp: port.hostIP,
      })),
  );
}

/** What fits into the kernel's name of a machine. */
const longestHostname = 64;

function hostnameOf(pod: Pod, clusterDomain: string): string {
  const { spec } = pod;
  // On the node's network the node's name is the host's name, and the runtime must not set one.
  if (spec.hostNetwork === true && !spec.hostnameOverride) return '';
  const { hostname, domain } = podNames(pod, clusterDomain);
  if (spec.setHostnameAsFQDN !== true || domain === '') return hostname;
  const fqdn = `${hostname}.${domain}`;
  if (fqdn.length > longestHostname)
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${fqdn} is too long (${longestHostname} characters is the max, ${fqdn.length} characters requested)`,
    );
  return fqdn;
}

/** Throws, in the kubelet's words, when a pod asks to be named as no machine can be. */
export function buildSandboxConfig(input: SandboxInput): SandboxConfig {
  const { pod, dns } = input;
  const { spec } = pod;
  const shared = spec.securityContext ?? {};
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  return {
    metadata: { ...identityOf(pod), attempt: input.attempt },
    hostname: hostnameOf(pod, dns.clusterDomain),
    logDirectory: podLogDirectory(input.logDir, identityOf(pod)),
    dns: podDns(pod, dns),
    portMappings: portMappings(pod),
    labels: podLabels(pod),
    annotations: { ...pod.metadata.annotations, 'jotasu.node': input.nodeName },
    cgroupParent: podCgroup(input.cgroupParent, pod),
    sysctls: Object.fromEntries((shared.sysctls ?? []).map((s) => [s.name.replaceAll('/', '.'), s.value])),
    namespaces: podNamespaces(pod),
    privileged: containers.some((c) => c.securityContext?.privileged === true),
    ...(shared.runAsUser !== undefined && { runAsUser: shared.runAsUser }),
    ...(shared.runAsGroup !== undefined &&
      shared.runAsUser !== undefined && { runAsGroup: shared.runAsGroup }),
    supplementalGroups: [
      ...(shared.supplementalGroups ?? []),
      ...(shared.fsGroup !== undefined ? [shared.fsGroup] : []),
    ],
    seccomp: securityProfile(shared.seccompProfile, input.seccompDir) ?? { type: 'RuntimeDefault' },
    selinux: shared.seLinuxOptions,
  };
}
