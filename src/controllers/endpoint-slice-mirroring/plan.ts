// Endpoints that somebody keeps by hand, as slices: one slice for each set of ports and family. Pure.
import {
  type coreV1,
  type discoveryV1,
  type EndpointSlice,
  type Endpoints,
  managedByLabel,
  serviceNameLabel,
} from '../../api/index.ts';
import { controllerRef, type Draft, semanticEqual } from '../../machinery/index.ts';
import { type Family, familyOf, triggerTimeAnnotation } from '../service-endpoints.ts';

export const managedByUs = 'endpointslicemirroring-controller.k8s.io';
/** As Kubernetes' --mirroring-max-endpoints-per-subset. */
export const maxPerSubset = 1000;

type Endpoint = discoveryV1.Endpoint;
type Port = discoveryV1.EndpointPort;

export interface MirrorPlan {
  readonly create: readonly Draft<EndpointSlice>[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
  /** Addresses that are none. */
  readonly invalid: number;
  /** Addresses left out because there are too many. */
  readonly skipped: number;
}

interface Group {
  readonly family: Family;
  readonly ports: readonly Port[];
  /** By what makes an endpoint the same one. */
  readonly endpoints: Map<string, Endpoint>;
}

/** `endpoints` undefined = nothing is to be mirrored. `slices` are those that this controller made for them. */
export function planMirror(endpoints: Endpoints | undefined, slices: readonly EndpointSlice[]): MirrorPlan {
  if (endpoints === undefined) return { create: [], update: [], remove: slices, invalid: 0, skipped: 0 };
  const { groups, invalid, skipped } = groupsOf(endpoints);
  const labels = labelsOf(endpoints);
  const annotations = annotationsOf(endpoints);
  const free = new Set(slices);
  const update: EndpointSlice[] = [];
  const homeless: Group[] = [];
  const fill = (slice: EndpointSlice, { ports, endpoints: wanted }: Group) => {
    free.delete(slice);
    const next: EndpointSlice = {
      ...slice,
      metadata: { ...slice.metadata, labels, annotations },
      endpoints: inOrder(slice.endpoints ?? [], wanted),
      ports: [...ports],
    };
    const same = semanticEqual(
      [next.metadata.labels, next.metadata.annotations, next.endpoints, next.ports],
      [slice.metadata.labels, slice.metadata.annotations ?? {}, slice.endpoints ?? [], slice.ports ?? []],
    );
    if (!same) update.push(next);
  };
  for (const group of groups) {
    const own = [...free].find(
      (slice) => slice.addressType === group.family && semanticEqual(slice.ports ?? [], group.ports),
    );
    if (own === undefined) homeless.push(group);
    else fill(own, group);
  }
  const create: Draft<EndpointSlice>[] = [];
  // A slice that is no longer needed is used again before one is deleted and another made.
  for (const group of homeless) {
    const spare = [...free].find((slice) => slice.addressType === group.family);
    if (spare !== undefined) fill(spare, group);
    else create.push(draftOf(endpoints, { labels, annotations }, group));
  }
  return { create, update, remove: [...free], invalid, skipped };
}

/** What is there stays where it is; new ones follow. */
function inOrder(present: readonly Endpoint[], wanted: ReadonlyMap<string, Endpoint>): Endpoint[] {
  const rest = new Map(wanted);
  const out: Endpoint[] = [];
  for (const endpoint of present) {
    const key = idOf(endpoint);
    const next = rest.get(key);
    if (next === undefined) continue;
    rest.delete(key);
    out.push(next);
  }
  return [...out, ...rest.values()];
}

const idOf = ({ addresses, hostname, nodeName, targetRef }: Endpoint): string =>
  JSON.stringify([addresses, hostname, nodeName, targetRef?.uid]);

function groupsOf({ subsets = [] }: Endpoints): { groups: Group[]; invalid: number; skipped: number } {
  const groups = new Map<string, Group>();
  let invalid = 0;
  let skipped = 0;
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const slicePorts = ports.map(portOf);
    let added = 0;
    const add = (address: coreV1.EndpointAddress, ready: boolean) => {
      if (added >= maxPerSubset) {
        skipped++;
        return;
      }
      if (!isAddress(address.ip)) {
        invalid++;
        return;
      }
      added++;
      const family = familyOf(address.ip);
      const key = JSON.stringify([family, slicePorts]);
      let group = groups.get(key);
      if (group === undefined) groups.set(key, (group = { family, ports: slicePorts, endpoints: new Map() }));
      const endpoint = endpointOf(address, ready);
      group.endpoints.set(idOf(endpoint), endpoint);
    };
    for (const address of addresses) add(address, true);
    for (const address of notReadyAddresses) add(address, false);
  }
  return { groups: [...groups.values()], invalid, skipped };
}

const isAddress = (text: string): boolean => /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) || text.includes(':');

function endpointOf({ ip, hostname, nodeName, targetRef }: coreV1.EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname && { hostname }),
    ...(nodeName !== undefined && { nodeName }),
    ...(targetRef !== undefined && { targetRef }),
  };
}

const portOf = ({ name = '', port, protocol = 'TCP', appProtocol }: coreV1.EndpointPort): Port => ({
  name,
  port,
  protocol,
  ...(appProtocol !== undefined && { appProtocol }),
});

const labelsOf = ({ metadata }: Endpoints): Record<string, string> => ({
  ...metadata.labels,
  [serviceNameLabel]: metadata.name,
  [managedByLabel]: managedByUs,
});

function annotationsOf({ metadata }: Endpoints): Record<string, string> {
  const {
    [triggerTimeAnnotation]: _,
    'kubectl.kubernetes.io/last-applied-configuration': __,
    ...rest
  } = metadata.annotations ?? {};
  return rest;
}

function draftOf(
  owner: Endpoints,
  { labels, annotations }: { labels: Record<string, string>; annotations: Record<string, string> },
  { family, ports, endpoints }: Group,
): Draft<EndpointSlice> {
  return {
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      labels: { ...labels },
      ...(Object.keys(annotations).length > 0 && { annotations: { ...annotations } }),
      ownerReferences: [controllerRef(owner)],
    },
    addressType: family,
    endpoints: [...endpoints.values()],
    ports: [...ports],
  };
}
