// What an update of a service keeps, follows and drops, so that clients need not repeat what the server allocated.
import { semanticEqual } from '../../../machinery/index.ts';
import type { Service } from '../../generated/core-v1.ts';
import {
  isExternallyAccessible,
  needsHealthCheckPort,
  serviceNeedsClusterIp,
  usesNodePorts,
} from './service-needs.ts';

/**
 * Before an update: puts back what was allocated and left out, keeps clusterIP and clusterIPs in step, and drops what the
 * new type has no use for unless the author changed it too. Mutates `service`.
 */
export function keepAllocated(service: Service, old: Service): void {
  putBack(service, old);
  alignClusterIps(service, old);
  dropUnused(service, old);
}

function putBack(service: Service, old: Service): void {
  const { spec } = service;
  if (serviceNeedsClusterIp(old) && serviceNeedsClusterIp(service)) {
    if (!spec.clusterIP && old.spec.clusterIP) spec.clusterIP = old.spec.clusterIP;
    if ((spec.clusterIPs?.length ?? 0) === 0 && spec.clusterIP === old.spec.clusterIP && old.spec.clusterIPs)
      spec.clusterIPs = [...old.spec.clusterIPs];
  }
  if (usesNodePorts(old) && usesNodePorts(service)) {
    const before = new Map((old.spec.ports ?? []).map((p) => [p.name ?? '', p.nodePort ?? 0]));
    const used = new Set((spec.ports ?? []).map((p) => p.nodePort ?? 0));
    for (const port of spec.ports ?? []) {
      if (port.nodePort) continue;
      const known = before.get(port.name ?? '') ?? 0;
      if (known !== 0 && !used.has(known)) port.nodePort = known;
    }
  }
  if (needsHealthCheckPort(old) && needsHealthCheckPort(service) && !spec.healthCheckNodePort)
    spec.healthCheckNodePort = old.spec.healthCheckNodePort;
}

/** Old clients know only clusterIP: what they do to it is done to clusterIPs. */
function alignClusterIps({ spec }: Service, old: Service): void {
  const before = old.spec.clusterIPs ?? [];
  const now = spec.clusterIPs ?? [];
  const same = (spec.clusterIP ?? '') === (old.spec.clusterIP ?? '');
  if (before.length > 0 && now.length === 0 && same) spec.clusterIPs = [...before];
  if (same || !semanticEqual(before, now)) return;
  if (old.spec.clusterIP && !spec.clusterIP) delete spec.clusterIPs;
  else if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
}

function dropUnused(service: Service, old: Service): void {
  const { spec } = service;
  const same = (field: keyof Service['spec']): boolean => semanticEqual(spec[field], old.spec[field]);
  if (serviceNeedsClusterIp(old) && !serviceNeedsClusterIp(service)) {
    if (same('clusterIP') && same('clusterIPs')) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (same('ipFamilies')) delete spec.ipFamilies;
    if (same('ipFamilyPolicy')) delete spec.ipFamilyPolicy;
  }
  if (usesNodePorts(old) && !usesNodePorts(service) && addsNoNodePort(service, old))
    for (const port of spec.ports ?? []) delete port.nodePort;
  if (needsHealthCheckPort(old) && !needsHealthCheckPort(service) && same('healthCheckNodePort'))
    delete spec.healthCheckNodePort;
  if (old.spec.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    if (same('allocateLoadBalancerNodePorts')) delete spec.allocateLoadBalancerNodePorts;
    if (same('loadBalancerClass')) delete spec.loadBalancerClass;
  }
  if (isExternallyAccessible(old) && !isExternallyAccessible(service) && same('externalTrafficPolicy'))
    delete spec.externalTrafficPolicy;
}

const nodePortsOf = (service: Service): number[] =>
  (service.spec.ports ?? []).flatMap((p) => (p.nodePort ? [p.nodePort] : []));

const addsNoNodePort = (service: Service, old: Service): boolean => {
  const before = new Set(nodePortsOf(old));
  return nodePortsOf(service).every((port) => before.has(port));
};
