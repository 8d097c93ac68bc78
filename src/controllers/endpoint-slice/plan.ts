// Which endpoints a service has and how they are spread over slices. Pure. Slices that can stay as they are stay.
import type { discoveryV1, EndpointSlice, Node, Pod, Service } from '../../api/index.ts';
import { controllerRef, type Draft, semanticEqual } from '../../machinery/index.ts';
import { isReady } from '../pod-facts.ts';

export const serviceNameLabel = 'kubernetes.io/service-name';
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
export const managedByUs = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';
const maxEndpoints = 100;

type Endpoint = discoveryV1.Endpoint;
type Port = discoveryV1.EndpointPort;

export interface SlicePlan {
  readonly create: readonly Draft<EndpointSlice>[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

interface Group {
  readonly ports: readonly Port[];
  readonly endpoints: Map<string, Endpoint>;
}

/** `pods`: those the service selects. `slices`: those of the service that this controller made. */
export function planSlices(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
  slices: readonly EndpointSlice[],
): SlicePlan {
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    if (!hasEndpoint(pod)) continue;
    const ports = portsOf(service, pod);
    if (ports === undefined) continue;
    const key = JSON.stringify(ports);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { ports, endpoints: new Map() }));
    group.endpoints.set(pod.metadata.uid, endpointOf(service, pod, nodeOf));
  }
  // A service without pods has one empty slice, so that its existence shows.
  if (groups.size === 0) groups.set('', { ports: [], endpoints: new Map() });

  const create: Draft<EndpointSlice>[] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  const labels = labelsOf(service);
  const left = new Set(slices);
  for (const group of groups.values()) {
    const ours = slices.filter(
      (s) =>
        left.has(s) &&
        s.addressType === 'IPv4' &&
        (group.endpoints.size === 0 && slices.length === 1
          ? true
          : semanticEqual(s.ports ?? [], group.ports)),
    );
    const missing = new Map(group.endpoints);
    const kept = ours.map((slice) => {
      left.delete(slice);
      const endpoints: Endpoint[] = [];
      for (const endpoint of slice.endpoints ?? []) {
        const wanted = missing.get(endpoint.targetRef?.uid ?? '');
        if (wanted === undefined) continue;
        missing.delete(endpoint.targetRef!.uid!);
        endpoints.push(wanted);
      }
      return { slice, endpoints };
    });
    for (const { endpoints } of kept) fill(endpoints, missing);
    while (missing.size > 0) {
      const endpoints: Endpoint[] = [];
      fill(endpoints, missing);
      create.push(draft(service, labels, group.ports, endpoints));
    }
    kept.forEach(({ slice, endpoints }, i) => {
      const needed = endpoints.length > 0 || (group.endpoints.size === 0 && i === 0 && create.length === 0);
      if (!needed) {
        remove.push(slice);
        return;
      }
      const next: EndpointSlice = {
        ...slice,
        metadata: { ...slice.metadata, labels: { ...slice.metadata.labels, ...labels } },
        endpoints,
        ports: [...group.ports],
      };
      if (!semanticEqual(next, slice)) update.push(next);
    });
    if (group.endpoints.size === 0 && kept.length === 0) create.push(draft(service, labels, group.ports, []));
  }
  remove.push(...left);
  return { create, update, remove };
}

function fill(endpoints: Endpoint[], missing: Map<string, Endpoint>): void {
  for (const [uid, endpoint] of missing) {
    if (endpoints.length >= maxEndpoints) return;
    endpoints.push(endpoint);
    missing.delete(uid);
  }
}

function hasEndpoint({ status, metadata }: Pod): boolean {
  if (!status?.podIP) return false;
  return (
    (status.phase !== 'Succeeded' && status.phase !== 'Failed') || metadata.deletionTimestamp !== undefined
  );
}

/** The service's ports as this pod has them; undefined = it has none of them. */
function portsOf(service: Service, pod: Pod): Port[] | undefined {
  const out: Port[] = [];
  for (const { name, protocol, port, targetPort, appProtocol } of service.spec.ports ?? []) {
    const number =
      typeof targetPort === 'string' && !/^\d+$/.test(targetPort)
        ? namedPort(pod, targetPort, protocol ?? 'TCP')
        : Number(targetPort ?? port);
    if (number === undefined) continue;
    out.push({
      name: name ?? '',
      protocol: protocol ?? 'TCP',
      port: number === 0 ? port : number,
      ...(appProtocol !== undefined && { appProtocol }),
    });
  }
  return out.length === 0 && (service.spec.ports?.length ?? 0) > 0 ? undefined : out;
}

function namedPort(pod: Pod, name: string, protocol: string): number | undefined {
  const sidecars = (pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  for (const container of [...pod.spec.containers, ...sidecars]) {
    for (const port of container.ports ?? [])
      if (port.name === name && (port.protocol ?? 'TCP') === protocol) return port.containerPort;
  }
  return undefined;
}

function endpointOf(service: Service, pod: Pod, nodeOf: (name: string) => Node | undefined): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod);
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const nodeName = pod.spec.nodeName ?? '';
  const zone = nodeOf(nodeName)?.metadata.labels?.['topology.kubernetes.io/zone'];
  const { hostname, subdomain } = pod.spec;
  return {
    addresses: [pod.status!.podIP!],
    conditions: { ready, serving, terminating },
    ...(hostname && subdomain === service.metadata.name && { hostname }),
    ...(nodeName !== '' && { nodeName }),
    ...(zone !== undefined && { zone }),
    targetRef: {
      kind: 'Pod',
      namespace: pod.metadata.namespace,
      name: pod.metadata.name,
      uid: pod.metadata.uid,
    },
  };
}

function labelsOf(service: Service): Record<string, string> {
  const labels: Record<string, string> = {
    ...service.metadata.labels,
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: managedByUs,
  };
  if (service.spec.clusterIP === 'None') labels[headlessLabel] = '';
  else delete labels[headlessLabel];
  return labels;
}

function draft(
  service: Service,
  labels: Record<string, string>,
  ports: readonly Port[],
  endpoints: Endpoint[],
): Draft<EndpointSlice> {
  const reference = { ...controllerRef(service) };
  return {
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace,
      labels,
      ownerReferences: [reference],
    },
    addressType: 'IPv4',
    endpoints,
    ports: [...ports],
  };
}
