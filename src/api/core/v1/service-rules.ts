// Rules of services: which fields go with which type, ports, addresses, and what an update may not change.
import {
  at,
  type Causes,
  checkCidr,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkIp,
  checkNonSpecialIp,
  checkPortName,
  checkPortNumber,
  checkQualifiedName,
  immutableMessage,
  inclusiveRangeMessage,
  parseIp,
  validateLabels,
} from '../../../machinery/index.ts';
import type { Service, ServicePort } from '../../generated/core-v1.ts';
import { validateClusterIps, validateFamilyUpdate } from './service-ip-rules.ts';
import { isExternallyAccessible, isHeadless, needsHealthCheckPort } from './service-needs.ts';

export const portProtocols: readonly string[] = ['SCTP', 'TCP', 'UDP'];
const types: readonly string[] = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const affinities: readonly string[] = ['ClientIP', 'None'];
const trafficPolicies: readonly string[] = ['Cluster', 'Local'];
const distributions: readonly string[] = ['PreferClose', 'PreferSameNode', 'PreferSameZone'];
const maxAffinitySeconds = 86400;
const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const hintsAnnotation = 'service.kubernetes.io/topology-aware-hints';
const modeAnnotation = 'service.kubernetes.io/topology-mode';
const loadBalancerOnly = "may only be used when `type` is 'LoadBalancer'";

export function validateService(service: Service, causes: Causes): void {
  const { spec } = service;
  const annotations = service.metadata.annotations ?? {};
  const mode = annotations[modeAnnotation];
  const hints = annotations[hintsAnnotation];
  if (mode !== undefined && hints !== undefined && mode !== hints)
    causes.invalid(
      at.key('metadata.annotations', modeAnnotation),
      mode,
      `must match annotations[${hintsAnnotation}] when both are specified`,
    );
  if ((spec.ports?.length ?? 0) === 0 && !isHeadless(service) && spec.type !== 'ExternalName')
    causes.required('spec.ports');
  validateType(service, causes);
  validatePorts(spec.ports ?? [], causes);
  validateLabels(spec.selector, 'spec.selector', causes);
  validateAffinity(spec, causes);
  validateClusterIps(service, causes);
  spec.externalIPs?.forEach((ip, i) => {
    const path = at.index('spec.externalIPs', i);
    const messages = checkIp(ip);
    for (const message of messages.length > 0 ? messages : checkNonSpecialIp(ip))
      causes.invalid(path, ip, message);
  });
  if (!spec.type) causes.required('spec.type');
  else if (!types.includes(spec.type)) causes.notSupported('spec.type', spec.type, types);
  validatePortClashes(spec, causes);
  validateSourceRanges(service, causes);
  validateLoadBalancerFields(spec, causes);
  validateTraffic(service, causes);
}

function validateType(service: Service, causes: Causes): void {
  const { spec } = service;
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && isHeadless(service))
    causes.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`);
  if (spec.type !== 'ExternalName') return;
  const why = 'may not be set for ExternalName services';
  if ((spec.clusterIPs?.length ?? 0) > 0) causes.forbidden('spec.clusterIPs', why);
  if ((spec.ipFamilies?.length ?? 0) > 0) causes.forbidden('spec.ipFamilies', why);
  if (spec.ipFamilyPolicy !== undefined) causes.forbidden('spec.ipFamilyPolicy', why);
  // a DNS name may end in a dot to say that it is complete
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') causes.required('spec.externalName');
  else for (const message of checkDns1123Subdomain(name)) causes.invalid('spec.externalName', name, message);
}

function validatePorts(ports: readonly ServicePort[], causes: Causes): void {
  const names = new Set<string>();
  ports.forEach((port, i) => {
    const path = at.index('spec.ports', i);
    if (port.name) {
      const here = at.child(path, 'name');
      for (const message of checkDns1123Label(port.name)) causes.invalid(here, port.name, message);
      if (names.has(port.name)) causes.duplicate(here, port.name);
      names.add(port.name);
    } else if (ports.length > 1) causes.required(at.child(path, 'name'));
    for (const message of checkPortNumber(port.port))
      causes.invalid(at.child(path, 'port'), port.port, message);
    if (!port.protocol) causes.required(at.child(path, 'protocol'));
    else if (!portProtocols.includes(port.protocol))
      causes.notSupported(at.child(path, 'protocol'), port.protocol, portProtocols);
    const target = port.targetPort ?? 0;
    const messages = typeof target === 'number' ? checkPortNumber(target) : checkPortName(target);
    for (const message of messages) causes.invalid(at.child(path, 'targetPort'), target, message);
    if (port.appProtocol !== undefined)
      for (const message of checkQualifiedName(port.appProtocol))
        causes.invalid(at.child(path, 'appProtocol'), port.appProtocol, message);
  });
}

function validateAffinity(spec: Service['spec'], causes: Causes): void {
  const { sessionAffinity, sessionAffinityConfig: config } = spec;
  if (!sessionAffinity) causes.required('spec.sessionAffinity');
  else if (!affinities.includes(sessionAffinity))
    causes.notSupported('spec.sessionAffinity', sessionAffinity, affinities);
  const path = 'spec.sessionAffinityConfig';
  if (sessionAffinity === 'None' && config !== undefined)
    causes.forbidden(path, 'must not be set when session affinity is None');
  if (sessionAffinity !== 'ClientIP') return;
  const seconds = config?.clientIP?.timeoutSeconds;
  if (config === undefined) causes.required(path, 'when session affinity type is ClientIP');
  else if (config.clientIP === undefined)
    causes.required(`${path}.clientIP`, 'when session affinity type is ClientIP');
  else if (seconds === undefined)
    causes.required(`${path}.clientIP.timeoutSeconds`, 'when session affinity type is ClientIP');
  else if (seconds <= 0 || seconds > maxAffinitySeconds)
    causes.invalid(
      `${path}.clientIP.timeoutSeconds`,
      seconds,
      `must be greater than 0 and less than ${maxAffinitySeconds}`,
    );
}

function validatePortClashes(spec: Service['spec'], causes: Causes): void {
  const nodePorts = new Set<string>();
  const numbers = new Set<string>();
  const ports = spec.ports ?? [];
  ports.forEach(({ nodePort }, i) => {
    if (spec.type === 'ClusterIP' && nodePort)
      causes.forbidden(`spec.ports[${i}].nodePort`, "may not be used when `type` is 'ClusterIP'");
  });
  ports.forEach(({ nodePort, protocol }, i) => {
    if (!nodePort) return;
    const key = `${protocol} ${nodePort}`;
    if (nodePorts.has(key)) causes.duplicate(`spec.ports[${i}].nodePort`, nodePort);
    nodePorts.add(key);
  });
  ports.forEach(({ port, protocol }, i) => {
    const key = `${protocol} ${port}`;
    if (numbers.has(key)) causes.duplicate(`spec.ports[${i}]`, { protocol, port });
    numbers.add(key);
  });
}

function validateSourceRanges(service: Service, causes: Causes): void {
  const { spec } = service;
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const annotated = service.metadata.annotations?.[sourceRangesAnnotation];
  // older clients wrote these with spaces around them
  const check = (path: string, text: string): void => {
    const range = text.trim();
    for (const message of checkCidr(range)) causes.invalid(path, range, message);
  };
  if (ranges.length > 0) {
    const path = 'spec.LoadBalancerSourceRanges';
    if (spec.type !== 'LoadBalancer') causes.forbidden(path, loadBalancerOnly);
    ranges.forEach((range, i) => {
      check(at.index(path, i), range);
    });
  } else if (annotated !== undefined) {
    const path = at.key('metadata.annotations', sourceRangesAnnotation);
    if (spec.type !== 'LoadBalancer') causes.forbidden(path, loadBalancerOnly);
    if (annotated.trim() !== '') for (const range of annotated.split(',')) check(path, range);
  }
}

function validateLoadBalancerFields(spec: Service['spec'], causes: Causes): void {
  const balanced = spec.type === 'LoadBalancer';
  if (spec.allocateLoadBalancerNodePorts !== undefined && !balanced)
    causes.forbidden('spec.allocateLoadBalancerNodePorts', loadBalancerOnly);
  if (spec.allocateLoadBalancerNodePorts === undefined && balanced)
    causes.required('allocateLoadBalancerNodePorts');
  if (spec.loadBalancerClass === undefined) return;
  if (!balanced) causes.forbidden('spec.loadBalancerClass', loadBalancerOnly);
  else
    for (const message of checkQualifiedName(spec.loadBalancerClass))
      causes.invalid('spec.loadBalancerClass', spec.loadBalancerClass, message);
}

function validateTraffic(service: Service, causes: Causes): void {
  const {
    externalTrafficPolicy: outer = '',
    internalTrafficPolicy: inner,
    healthCheckNodePort = 0,
  } = service.spec;
  const path = 'spec.externalTrafficPolicy';
  if (!isExternallyAccessible(service)) {
    if (outer !== '') causes.invalid(path, outer, 'may only be set for externally-accessible services');
  } else if (outer === '') causes.required(path);
  else if (!trafficPolicies.includes(outer)) causes.notSupported(path, outer, trafficPolicies);

  const healthPath = 'spec.healthCheckNodePort';
  if (!needsHealthCheckPort(service)) {
    if (healthCheckNodePort !== 0)
      causes.invalid(
        healthPath,
        healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      );
  } else if (healthCheckNodePort === 0) causes.required(healthPath);
  else if (healthCheckNodePort < 1 || healthCheckNodePort > 65535)
    causes.invalid(healthPath, healthCheckNodePort, inclusiveRangeMessage(1, 65535));

  const { type, trafficDistribution } = service.spec;
  if (inner === undefined) {
    if (type !== 'ExternalName' && types.includes(type ?? '')) causes.required('spec.internalTrafficPolicy');
  } else if (!trafficPolicies.includes(inner))
    causes.notSupported('spec.internalTrafficPolicy', inner, trafficPolicies);
  if (trafficDistribution !== undefined && !distributions.includes(trafficDistribution))
    causes.notSupported('spec.trafficDistribution', trafficDistribution, distributions);
}

export function validateServiceUpdate(service: Service, old: Service, causes: Causes): void {
  validateFamilyUpdate(service, old, causes);
  if (
    old.spec.type === 'LoadBalancer' &&
    service.spec.type === 'LoadBalancer' &&
    old.spec.loadBalancerClass !== service.spec.loadBalancerClass
  )
    causes.invalid(
      'spec.loadBalancerClass',
      service.spec.loadBalancerClass ?? null,
      'may not change once set',
    );
  if (
    needsHealthCheckPort(old) &&
    needsHealthCheckPort(service) &&
    old.spec.healthCheckNodePort !== service.spec.healthCheckNodePort
  )
    causes.forbidden('spec.healthCheckNodePort', immutableMessage);
}

export function validateLoadBalancerStatus(service: Service, _old: Service, causes: Causes): void {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const path = 'status.loadBalancer.ingress';
  if (service.spec.type !== 'LoadBalancer') {
    if (ingress.length > 0) causes.forbidden(path, 'may only be used when `spec.type` is "LoadBalancer"');
    return;
  }
  ingress.forEach(({ ip, ipMode, hostname }, i) => {
    const here = at.index(path, i);
    if (ip) for (const message of checkIp(ip)) causes.invalid(at.child(here, 'ip'), ip, message);
    if (ipMode === undefined) {
      if (ip) causes.required(at.child(here, 'ipMode'), 'must be specified when `ip` is set');
    } else if (!ip) causes.forbidden(at.child(here, 'ipMode'), 'may not be specified when `ip` is not set');
    else if (ipMode !== 'VIP' && ipMode !== 'Proxy')
      causes.notSupported(at.child(here, 'ipMode'), ipMode, ['Proxy', 'VIP']);
    if (!hostname) return;
    for (const message of checkDns1123Subdomain(hostname))
      causes.invalid(at.child(here, 'hostname'), hostname, message);
    if (parseIp(hostname) !== undefined)
      causes.invalid(at.child(here, 'hostname'), hostname, 'must be a DNS name, not an IP address');
  });
}
