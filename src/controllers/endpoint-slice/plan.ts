// Which endpoints a service has and how they are spread over slices. Pure. Few slices change at a time, because every node's proxy
// hears of each that does.
import {
  type coreV1,
  type discoveryV1,
  type EndpointSlice,
  isReady,
  isSidecar,
  isTerminal,
  managedByLabel,
  type Node,
  type Pod,
  type Service,
  serviceNameLabel,
} from '../../api/index.ts';
import { controllerRef, type Draft, semanticEqual } from '../../machinery/index.ts';

export const managedByUs = 'endpointslice-controller.k8s.io';
const headlessLabel = 'service.kubernetes.io/headless';
/** As Kubernetes' --max-endpoints-per-slice. */
export const endpointsPerSlice = 100;

type Endpoint = discoveryV1.Endpoint;
type Port = discoveryV1.EndpointPort;

export interface SlicePlan {
  readonly create: readonly Draft<EndpointSlice>[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

export interface SliceView {
  readonly service: Service;
  /** Those the service selects. */
  readonly pods: readonly Pod[];
  readonly nodeOf: (name: string) => Node | undefined;
  /** Those of the service that this controller made. */
  readonly slices: readonly EndpointSlice[];
}

/** Pods that have the same ports for the service: they may share a slice. */
interface PortGroup {
  readonly ports: readonly Port[];
  /** By uid of the pod. */
  readonly endpoints: Map<string, Endpoint>;
}

export function planSlices(view: SliceView): SlicePlan {
  const { service, slices } = view;
  const groups = groupByPorts(view);
  if (groups.length === 0) return planEmpty(service, slices);
  const labels = labelsOf(service);
  const create: Draft<EndpointSlice>[] = [];
  const update: EndpointSlice[] = [];
  const left = new Set(slices.filter((slice) => slice.addressType === 'IPv4'));
  const remove = slices.filter((slice) => !left.has(slice));
  for (const group of groups) {
    const ours = [...left].filter((slice) => semanticEqual(slice.ports ?? [], group.ports));
    for (const slice of ours) left.delete(slice);
    const filled = fill(ours, group.endpoints);
    for (const { slice, endpoints } of filled.kept) {
      const next = { ...slice, metadata: { ...slice.metadata, labels }, endpoints };
      if (endpoints.length === 0) remove.push(slice);
      else if (!semanticEqual(next, slice)) update.push(next);
    }
    for (const endpoints of filled.more) create.push(draftSlice(service, labels, group.ports, endpoints));
  }
  remove.push(...left);
  return { create, update, remove };
}

/** A service without endpoints has one empty slice, so that its existence shows. */
function planEmpty(service: Service, slices: readonly EndpointSlice[]): SlicePlan {
  const labels = labelsOf(service);
  const keep = slices.find((slice) => slice.addressType === 'IPv4');
  if (keep === undefined)
    return { create: [draftSlice(service, labels, [], [])], update: [], remove: slices };
  const next = { ...keep, metadata: { ...keep.metadata, labels }, endpoints: [], ports: [] };
  const same = semanticEqual(next, { ...keep, endpoints: keep.endpoints ?? [], ports: keep.ports ?? [] });
  return { create: [], update: same ? [] : [next], remove: slices.filter((slice) => slice !== keep) };
}

interface Filled {
  readonly slice: EndpointSlice;
  readonly endpoints: Endpoint[];
  /** Has lost or changed an endpoint: it is written anyway. */
  changed: boolean;
}

/**
 * Endpoints stay in the slice they are in. New ones go into slices that change anyway; what remains goes into the one unchanged
 * slice that it fills best, else into new slices.
 */
function fill(
  slices: readonly EndpointSlice[],
  wanted: ReadonlyMap<string, Endpoint>,
): { kept: readonly Filled[]; more: readonly Endpoint[][] } {
  const missing = new Map(wanted);
  const kept = slices.map((slice): Filled => {
    const endpoints: Endpoint[] = [];
    let changed = false;
    for (const endpoint of slice.endpoints ?? []) {
      const uid = endpoint.targetRef?.uid ?? '';
      const next = missing.get(uid);
      if (next === undefined || endpoints.length === endpointsPerSlice) {
        changed = true;
        continue;
      }
      missing.delete(uid);
      changed ||= !semanticEqual(next, endpoint);
      endpoints.push(next);
    }
    return { slice, endpoints, changed };
  });
  const rest = [...missing.values()];
  const room = ({ endpoints }: Filled) => endpointsPerSlice - endpoints.length;
  for (const one of kept) if (one.changed) one.endpoints.push(...rest.splice(0, room(one)));
  const more: Endpoint[][] = [];
  while (rest.length >= endpointsPerSlice) more.push(rest.splice(0, endpointsPerSlice));
  if (rest.length > 0) {
    const roomy = kept.filter((one) => !one.changed && room(one) >= rest.length);
    const best = roomy.sort((a, b) => room(a) - room(b))[0];
    if (best !== undefined) best.endpoints.push(...rest);
    else more.push(rest);
  }
  return { kept, more };
}

function groupByPorts({ service, pods, nodeOf }: SliceView): readonly PortGroup[] {
  const groups = new Map<string, PortGroup>();
  for (const pod of pods) {
    if (isTerminal(pod) || !pod.status?.podIP) continue;
    const node = nodeOf(pod.spec.nodeName ?? '');
    // The node is gone and its pods follow; who wants unready addresses gets them all the same.
    if (node === undefined && service.spec.publishNotReadyAddresses !== true) continue;
    const ports = portsOf(service, pod);
    const key = JSON.stringify(ports);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { ports, endpoints: new Map() }));
    group.endpoints.set(pod.metadata.uid, endpointOf(service, pod, node));
  }
  return [...groups.values()];
}

/** The service's ports as this pod has them. */
function portsOf(service: Service, pod: Pod): Port[] {
  const out: Port[] = [];
  for (const { name = '', protocol = 'TCP', port, targetPort, appProtocol } of service.spec.ports ?? []) {
    const number = typeof targetPort === 'string' ? namedPort(pod, targetPort, protocol) : targetPort || port;
    if (number === undefined) continue;
    out.push({ name, protocol, port: number, ...(appProtocol !== undefined && { appProtocol }) });
  }
  return out;
}

function namedPort({ spec }: Pod, name: string, protocol: string): number | undefined {
  const containers: readonly coreV1.Container[] = [
    ...spec.containers,
    ...(spec.initContainers ?? []).filter(isSidecar),
  ];
  for (const { ports } of containers) {
    for (const port of ports ?? [])
      if (port.name === name && (port.protocol ?? 'TCP') === protocol) return port.containerPort;
  }
  return undefined;
}

function endpointOf(service: Service, pod: Pod, node: Node | undefined): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod);
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const zone = node?.metadata.labels?.['topology.kubernetes.io/zone'];
  const { hostname, subdomain, nodeName } = pod.spec;
  const { namespace, name, uid } = pod.metadata;
  return {
    addresses: [pod.status!.podIP!],
    conditions: { ready, serving, terminating },
    ...(hostname && subdomain === service.metadata.name && { hostname }),
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

function labelsOf({ metadata, spec }: Service): Record<string, string> {
  const labels: Record<string, string> = {
    ...metadata.labels,
    [serviceNameLabel]: metadata.name,
    [managedByLabel]: managedByUs,
  };
  if (!spec.clusterIP || spec.clusterIP === 'None') labels[headlessLabel] = '';
  else delete labels[headlessLabel];
  return labels;
}

function draftSlice(
  service: Service,
  labels: Record<string, string>,
  ports: readonly Port[],
  endpoints: Endpoint[],
): Draft<EndpointSlice> {
  return {
    metadata: {
      generateName: `${service.metadata.name}-`,
      namespace: service.metadata.namespace,
      labels: { ...labels },
      ownerReferences: [controllerRef(service)],
    },
    addressType: 'IPv4',
    endpoints,
    ports: [...ports],
  };
}
