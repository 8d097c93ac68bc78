// Service: a stable address for a set of pods. Addresses and node ports come from the API server's allocators before
// validation (see service-allocation.ts); an update that leaves them out keeps them.
import { defineKind, nameIsDns1035Label } from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import type { Service as ServiceObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { isExternallyAccessible } from './service-needs.ts';
import { validateLoadBalancerStatus, validateService, validateServiceUpdate } from './service-rules.ts';
import { keepAllocated } from './service-update.ts';
import { warnService } from './service-warnings.ts';

export type Service = ServiceObject;

/** On a service with addresses from the pool: the node that answers for them on its link. */
export const announcedByAnnotation = 'servicelb.jotasu.dev/announced-by';

const loadBalancerAddresses = (service: ServiceObject): string[] => {
  const found = new Set<string>();
  for (const { ip, hostname } of service.status?.loadBalancer?.ingress ?? [])
    if (ip) found.add(ip);
    else if (hostname) found.add(hostname);
  return [...found].sort();
};

function externalAddress(service: ServiceObject): string {
  const external = service.spec?.externalIPs ?? [];
  switch (service.spec?.type) {
    case 'ClusterIP':
    case 'NodePort':
      return external.join(',') || '<none>';
    case 'LoadBalancer':
      return [...loadBalancerAddresses(service), ...external].join(',') || '<pending>';
    case 'ExternalName':
      return service.spec.externalName ?? '';
    default:
      return '<unknown>';
  }
}

const ports = (service: ServiceObject): string =>
  (service.spec?.ports ?? [])
    .map(({ port, nodePort, protocol }) =>
      nodePort ? `${port}:${nodePort}/${protocol ?? ''}` : `${port}/${protocol ?? ''}`,
    )
    .join(',') || '<none>';

const selector = (service: ServiceObject): string =>
  Object.entries(service.spec?.selector ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',') || '<none>';

export const Service = defineKind<ServiceObject>({
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  shortNames: ['svc'],
  categories: ['all'],
  scope: 'Namespaced',
  schema: shape('core.v1.Service'),
  subresources: { status: true },
  nameRule: nameIsDns1035Label,
  createOnUpdate: true,
  columns: [
    nameColumn,
    {
      name: 'Type',
      type: 'string',
      description: 'How it is exposed.',
      cell: (service) => service.spec?.type ?? '',
    },
    {
      name: 'Cluster-IP',
      type: 'string',
      description: 'Its address inside the cluster.',
      cell: (service) => service.spec?.clusterIPs?.[0] ?? '<none>',
    },
    {
      name: 'External-IP',
      type: 'string',
      description: 'Its addresses for the outside.',
      cell: externalAddress,
    },
    { name: 'Port(s)', type: 'string', description: 'Its ports, with their node ports.', cell: ports },
    ageColumn,
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description: 'The labels of the pods behind it.',
      cell: selector,
    },
  ],
  selectableFields: {
    'spec.clusterIP': (service) => service.spec?.clusterIP ?? '',
    'spec.type': (service) => service.spec?.type ?? '',
  },
  defaults: defaultService,
  prepareCreate(service) {
    const { spec } = service;
    if (spec.clusterIP && (spec.clusterIPs?.length ?? 0) === 0) spec.clusterIPs = [spec.clusterIP];
  },
  prepareUpdate: keepAllocated,
  validate(service, old, causes) {
    if (old !== undefined) validateServiceUpdate(service, old, causes);
    validateService(service, causes);
  },
  validateStatus: validateLoadBalancerStatus,
  warn: (service) => warnService(service),
});

function defaultService(service: ServiceObject): void {
  const { spec, status } = service;
  spec.sessionAffinity ||= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (
    spec.sessionAffinity === 'ClientIP' &&
    spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined
  )
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10800 } };
  spec.type ||= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    if (!port.targetPort && port.port) port.targetPort = port.port;
  }
  const { type } = spec;
  if (isExternallyAccessible(service)) spec.externalTrafficPolicy ||= 'Cluster';
  if (type === 'NodePort' || type === 'LoadBalancer' || type === 'ClusterIP')
    spec.internalTrafficPolicy ??= 'Cluster';
  if (type !== 'ExternalName') defaultFamilies(spec);
  if (type !== 'LoadBalancer') return;
  spec.allocateLoadBalancerNodePorts ??= true;
  for (const ingress of status?.loadBalancer?.ingress ?? []) if (ingress.ip) ingress.ipMode ??= 'VIP';
}

/** What follows from the object alone; the rest depends on the cluster's ranges (service-allocation.ts). */
function defaultFamilies(spec: ServiceObject['spec']): void {
  if (spec.ipFamilyPolicy === undefined && (spec.clusterIPs?.length === 2 || spec.ipFamilies?.length === 2))
    spec.ipFamilyPolicy = 'RequireDualStack';
  if (spec.ipFamilyPolicy === 'RequireDualStack' && spec.ipFamilies?.length === 1)
    spec.ipFamilies.push(spec.ipFamilies[0] === 'IPv4' ? 'IPv6' : 'IPv4');
}
