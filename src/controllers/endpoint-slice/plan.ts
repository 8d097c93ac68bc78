// Which endpoints a service has and how they are spread over slices. Pure. Few slices change at a time, because every node's proxy
// hears of each that does.
import {
  type discoveryV1,
  type EndpointSlice,
  isReady,
  managedByLabel,
  type Node,
  type Pod,
  type Service,
  serviceNameLabel,
} from '../../api/index.ts';
import { controllerRef, type Draft, semanticEqual } from '../../machinery/index.ts';
import {
  addressOf,
  type Family,
  familiesOf,
  hasEndpoint,
  headlessLabel,
  hostnameOf,
  isHeadless,
  portNumber,
  triggerTimeAnnotation,
} from '../service-endpoints.ts';

import { planZoneHints, wantsZoneHints, type ZoneShares } from './topology-hints.ts';

export const managedByUs = 'endpointslice-controller.k8s.io';
/** As Kubernetes' --max-endpoints-per-slice. */
export const endpointsPerSlice = 100;

type Endpoint = discoveryV1.Endpoint;
type Port = discoveryV1.EndpointPort;

export interface SlicePlan {
  readonly create: readonly Draft<EndpointSlice>[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
}

export interface ServicePlan extends SlicePlan {
  /** Why no endpoint of a family could be meant for a zone, of services that ask for it; undefined = they are. */
  readonly zoneHints: readonly { readonly family: Family; readonly problem: string | undefined }[];
}

export interface SliceView {
  readonly service: Service;
  /** Those the service selects. */
  readonly pods: readonly Pod[];
  readonly nodeOf: (name: string) => Node | undefined;
  /** Read only for services that ask for zone hints. */
  readonly shares?: ZoneShares | undefined;
  /** Those of the service that this controller made. */
  readonly slices: readonly EndpointSlice[];
  /** When what led to the change happened: what is written says so. */
  readonly triggeredAt?: string | undefined;
}

/** Pods that have the same ports for the service: they may share a slice, one for each family. */
interface PortGroup {
  readonly ports: readonly Port[];
  /** By uid of the pod. */
  readonly endpoints: Map<string, Endpoint>;
}

export function planSlices(view: SliceView): ServicePlan {
  const { service, slices, pods, triggeredAt } = view;
  const create: Draft<EndpointSlice>[] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  const families = familiesOf(service, pods);
  const live = slices.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  // A family that the service no longer has.
  remove.push(...live.filter(({ addressType }) => !families.some((family) => family === addressType)));
  const zoneHints: { family: Family; problem: string | undefined }[] = [];
  for (const family of families) {
    const own = live.filter(({ addressType }) => addressType === family);
    const groups = groupByPorts(view, family);
    if (wantsZoneHints(service))
      zoneHints.push({ family, problem: hintZones(groups, { slices: own, shares: view.shares }) });
    const plan = planFamily(service, { family, groups }, own);
    create.push(...plan.create);
    update.push(...plan.update);
    remove.push(...plan.remove);
  }
  return {
    create: create.map((draft) => ({ ...draft, metadata: triggered(draft.metadata, triggeredAt) })),
    update: update.map((slice) => ({ ...slice, metadata: triggered(slice.metadata, triggeredAt) })),
    remove,
    zoneHints,
  };
}

/** Gives each ready endpoint the zone it is meant for. Returns why none of them has one. */
function hintZones(
  groups: readonly PortGroup[],
  { slices, shares }: Pick<SliceView, 'slices' | 'shares'>,
): string | undefined {
  const before = new Map<string, string | undefined>();
  for (const slice of slices)
    for (const { targetRef, hints } of slice.endpoints ?? [])
      before.set(targetRef?.uid ?? '', hints?.forZones?.[0]?.name);
  const ready = groups.flatMap(({ endpoints }) =>
    [...endpoints]
      .filter(([, { conditions }]) => conditions?.ready === true)
      .map(([id, { zone }]) => ({ id, zone, before: before.get(id) })),
  );
  const plan = planZoneHints(ready, shares);
  if ('problem' in plan) return plan.problem;
  for (const { endpoints } of groups)
    for (const [id, endpoint] of endpoints) {
      const zone = plan.zones.get(id);
      if (zone !== undefined) endpoints.set(id, { ...endpoint, hints: { forZones: [{ name: zone }] } });
    }
  return undefined;
}

function triggered<T extends { annotations?: Readonly<Record<string, string>> | undefined }>(
  metadata: T,
  triggeredAt: string | undefined,
): T {
  const { [triggerTimeAnnotation]: before, ...rest } = metadata.annotations ?? {};
  if (before === triggeredAt) return metadata;
  const annotations = triggeredAt === undefined ? rest : { ...rest, [triggerTimeAnnotation]: triggeredAt };
  return { ...metadata, annotations };
}

function planFamily(
  service: Service,
  { family, groups }: { readonly family: Family; readonly groups: readonly PortGroup[] },
  slices: readonly EndpointSlice[],
): SlicePlan {
  const labels = labelsOf(service);
  if (groups.length === 0) return planEmpty({ service, family, labels }, slices);
  const create: Draft<EndpointSlice>[] = [];
  const update: EndpointSlice[] = [];
  const remove: EndpointSlice[] = [];
  const left = new Set(slices);
  for (const group of groups) {
    const ours = [...left].filter((slice) => semanticEqual(slice.ports ?? [], group.ports));
    for (const slice of ours) left.delete(slice);
    const filled = fill(ours, group.endpoints);
    for (const { slice, endpoints } of filled.kept) {
      const next = { ...slice, metadata: { ...slice.metadata, labels }, endpoints };
      if (endpoints.length === 0) remove.push(slice);
      else if (!semanticEqual(next, slice)) update.push(next);
    }
    for (const endpoints of filled.more)
      create.push(draftSlice({ service, family, labels }, group.ports, endpoints));
  }
  remove.push(...left);
  return { create, update, remove };
}

/** What all new slices of a service and a family have in common. */
interface SliceParts {
  readonly service: Service;
  readonly family: Family;
  readonly labels: Record<string, string>;
}

/** A service without endpoints has one empty slice a family, so that its existence shows. */
function planEmpty(parts: SliceParts, slices: readonly EndpointSlice[]): SlicePlan {
  const { labels } = parts;
  const [keep] = slices;
  if (keep === undefined) return { create: [draftSlice(parts, [], [])], update: [], remove: [] };
  const next = { ...keep, metadata: { ...keep.metadata, labels }, endpoints: [], ports: [] };
  const same = semanticEqual(next, { ...keep, endpoints: keep.endpoints ?? [], ports: keep.ports ?? [] });
  return { create: [], update: same ? [] : [next], remove: slices.slice(1) };
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

function groupByPorts({ service, pods, nodeOf }: SliceView, family: Family): readonly PortGroup[] {
  const groups = new Map<string, PortGroup>();
  for (const pod of pods) {
    const address = hasEndpoint(pod, 'with') ? addressOf(pod, family) : undefined;
    if (address === undefined) continue;
    const node = nodeOf(pod.spec.nodeName ?? '');
    // The node is gone and its pods follow; who wants unready addresses gets them all the same.
    if (node === undefined && service.spec.publishNotReadyAddresses !== true) continue;
    const ports = portsOf(service, pod);
    const key = JSON.stringify(ports);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { ports, endpoints: new Map() }));
    group.endpoints.set(pod.metadata.uid, endpointOf(service, pod, { address, node }));
  }
  return [...groups.values()];
}

/** The service's ports as this pod has them. */
function portsOf(service: Service, pod: Pod): Port[] {
  const out: Port[] = [];
  for (const servicePort of service.spec.ports ?? []) {
    const { name = '', protocol = 'TCP', appProtocol } = servicePort;
    const port = portNumber(pod, servicePort);
    if (port === undefined) continue;
    out.push({ name, protocol, port, ...(appProtocol !== undefined && { appProtocol }) });
  }
  return out;
}

function endpointOf(
  service: Service,
  pod: Pod,
  at: { readonly address: string; readonly node: Node | undefined },
): Endpoint {
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod);
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const zone = at.node?.metadata.labels?.['topology.kubernetes.io/zone'];
  const hostname = hostnameOf(pod, service);
  const { nodeName } = pod.spec;
  const { namespace, name, uid } = pod.metadata;
  // The annotation weighs more than the field.
  const near = ready && !wantsZoneHints(service);
  const hints = near ? hintsFor(service.spec.trafficDistribution, { zone, nodeName }) : undefined;
  return {
    addresses: [at.address],
    conditions: { ready, serving, terminating },
    ...(hostname !== undefined && { hostname }),
    ...(nodeName && { nodeName }),
    ...(zone && { zone }),
    ...(hints !== undefined && { hints }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

/** For whom an endpoint is meant, where the service wants its traffic to stay near; undefined = for everybody. */
function hintsFor(
  distribution: string | undefined,
  { zone, nodeName }: { readonly zone: string | undefined; readonly nodeName: string | undefined },
): discoveryV1.EndpointHints | undefined {
  if (distribution === undefined || !nearOnes.has(distribution)) return undefined;
  const forNode = distribution === 'PreferSameNode' && nodeName;
  if (!zone && !forNode) return undefined;
  return {
    ...(zone && { forZones: [{ name: zone }] }),
    ...(forNode && { forNodes: [{ name: forNode }] }),
  };
}

const nearOnes = new Set(['PreferClose', 'PreferSameZone', 'PreferSameNode']);

function labelsOf(service: Service): Record<string, string> {
  const labels: Record<string, string> = {
    ...service.metadata.labels,
    [serviceNameLabel]: service.metadata.name,
    [managedByLabel]: managedByUs,
  };
  if (isHeadless(service)) labels[headlessLabel] = '';
  else delete labels[headlessLabel];
  return labels;
}

function draftSlice(
  { service, family, labels }: SliceParts,
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
    addressType: family,
    endpoints,
    ports: [...ports],
  };
}
