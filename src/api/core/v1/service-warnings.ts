// What an author of a service should know although it is accepted.
import { warnCidr, warnIp } from '../../../machinery/index.ts';
import type { Service } from '../../generated/core-v1.ts';
import { isHeadless } from './service-needs.ts';

const hintsAnnotation = 'service.kubernetes.io/topology-aware-hints';
const modeAnnotation = 'service.kubernetes.io/topology-mode';

export function warnService(service: Service): readonly string[] {
  const { spec } = service;
  const out: string[] = [];
  if (service.metadata.annotations?.[hintsAnnotation] !== undefined)
    out.push(`annotation ${hintsAnnotation} is deprecated, please use ${modeAnnotation} instead`);
  const headless = isHeadless(service);
  if (!headless && spec.type !== 'ExternalName')
    spec.clusterIPs?.forEach((ip, i) => {
      out.push(...warnIp(`spec.clusterIPs[${i}]`, ip));
    });
  if (headless) {
    if (spec.loadBalancerIP) out.push('spec.loadBalancerIP is ignored for headless services');
    if ((spec.externalIPs?.length ?? 0) > 0) out.push('spec.externalIPs is ignored for headless services');
    if (spec.sessionAffinity !== 'None') out.push('spec.SessionAffinity is ignored for headless services');
  }
  spec.externalIPs?.forEach((ip, i) => {
    out.push(...warnIp(`spec.externalIPs[${i}]`, ip));
  });
  if (spec.loadBalancerIP) out.push(...warnIp('spec.loadBalancerIP', spec.loadBalancerIP));
  spec.loadBalancerSourceRanges?.forEach((range, i) => {
    out.push(...warnCidr(`spec.loadBalancerSourceRanges[${i}]`, range.trim()));
  });
  if (spec.type === 'ExternalName') {
    if ((spec.externalIPs?.length ?? 0) > 0)
      out.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  } else if (spec.externalName) out.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  return out;
}
