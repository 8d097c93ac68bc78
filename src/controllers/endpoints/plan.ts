// The Endpoints of a service with a selector: the old, unsplit form of its slices. Pure. Kubernetes orders subsets by a hash of their
// memory; here the order is that of the service's ports.
import { type coreV1, type Endpoints, isReady, type Pod, type Service } from '../../api/index.ts';
import { type Draft, semanticEqual } from '../../machinery/index.ts';
import {
  addressOf,
  familiesOf,
  hasEndpoint,
  headlessLabel,
  hostnameOf,
  isHeadless,
  portNumber,
  triggerTimeAnnotation,
} from '../service-endpoints.ts';

type Subset = coreV1.EndpointSubset;
type Address = coreV1.EndpointAddress;
type Port = coreV1.EndpointPort;

/** More addresses than these are cut off: the kind was never made for them. */
export const maxAddresses = 1000;
const overCapacity = 'endpoints.kubernetes.io/over-capacity';
export const managedBy = ['endpoints.kubernetes.io/managed-by', 'endpoint-controller'] as const;

export interface EndpointsView {
  readonly service: Service;
  /** Those the service selects. */
  readonly pods: readonly Pod[];
  readonly current: Endpoints | undefined;
  /** When what led to the change happened. */
  readonly triggeredAt: string | undefined;
}

/** What is to be written; undefined = all is as it should be. */
export function planEndpoints({
  service,
  pods,
  current,
  triggeredAt,
}: EndpointsView): Draft<Endpoints> | undefined {
  const all = planSubsets(service, pods);
  const subsets = truncate(all);
  const isCut = subsets !== all;
  const labels = labelsOf(service);
  if (
    current !== undefined &&
    semanticEqual(withoutVersions(current.subsets ?? []), subsets) &&
    semanticEqual(current.metadata.labels ?? {}, labels) &&
    (current.metadata.annotations?.[overCapacity] === 'truncated') === isCut
  )
    return undefined;
  const { [overCapacity]: _, [triggerTimeAnnotation]: __, ...others } = current?.metadata.annotations ?? {};
  const annotations = {
    ...others,
    ...(triggeredAt !== undefined && { [triggerTimeAnnotation]: triggeredAt }),
    ...(isCut && { [overCapacity]: 'truncated' }),
  };
  const { name, namespace } = service.metadata;
  return { ...current, metadata: { ...current?.metadata, name, namespace, labels, annotations }, subsets };
}

function labelsOf(service: Service): Record<string, string> {
  const labels: Record<string, string> = { ...service.metadata.labels, [managedBy[0]]: managedBy[1] };
  if (isHeadless(service)) labels[headlessLabel] = '';
  else delete labels[headlessLabel];
  return labels;
}

/** Each pod under each of the ports it has; ports that the same pods have, equally ready, share a subset. */
export function planSubsets(service: Service, pods: readonly Pod[]): Subset[] {
  const [family = 'IPv4'] = familiesOf(service, pods);
  const everReady = service.spec.publishNotReadyAddresses === true;
  const byPort = new Map<string, { port: Port | undefined; ready: Address[]; notReady: Address[] }>();
  const put = (port: Port | undefined, address: Address, ready: boolean) => {
    const key = JSON.stringify(port) ?? '';
    let group = byPort.get(key);
    if (group === undefined) byPort.set(key, (group = { port, ready: [], notReady: [] }));
    (ready ? group.ready : group.notReady).push(address);
  };
  const sorted = pods.flatMap((pod) => {
    const ip = hasEndpoint(pod, everReady ? 'with' : 'without') ? addressOf(pod, family) : undefined;
    return ip === undefined ? [] : [{ pod, address: addressFor(service, pod, ip) }];
  });
  sorted.sort((a, b) => compareAddresses(a.address, b.address));
  const ports = service.spec.ports ?? [];
  for (const { pod, address } of sorted) {
    const ready = everReady || isReady(pod);
    if (ports.length === 0 && service.spec.clusterIP === 'None') put(undefined, address, ready);
    for (const servicePort of ports) {
      const number = portNumber(pod, servicePort);
      if (number !== undefined) put(endpointPort(servicePort, number), address, ready);
    }
  }
  return repack([...byPort.values()]);
}

function repack(
  groups: readonly { port: Port | undefined; ready: Address[]; notReady: Address[] }[],
): Subset[] {
  const byAddresses = new Map<string, Subset & { ports: Port[] }>();
  const idOf = ({ ip, targetRef }: Address) => `${ip} ${targetRef?.uid}`;
  for (const { port, ready, notReady } of groups) {
    const key = JSON.stringify([ready.map(idOf), notReady.map(idOf)]);
    const known = byAddresses.get(key);
    if (known !== undefined) {
      if (port !== undefined) known.ports.push(port);
      continue;
    }
    byAddresses.set(key, {
      ...(ready.length > 0 && { addresses: ready }),
      ...(notReady.length > 0 && { notReadyAddresses: notReady }),
      ports: port === undefined ? [] : [port],
    });
  }
  return [...byAddresses.values()].map(({ ports, ...subset }) =>
    ports.length === 0 ? subset : { ...subset, ports },
  );
}

function addressFor(service: Service, pod: Pod, ip: string): Address {
  const { namespace, name, uid } = pod.metadata;
  const hostname = hostnameOf(pod, service);
  return {
    ip,
    ...(hostname !== undefined && { hostname }),
    ...(pod.spec.nodeName && { nodeName: pod.spec.nodeName }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}

const endpointPort = (
  { name = '', protocol = 'TCP', appProtocol }: coreV1.ServicePort,
  port: number,
): Port => ({
  ...(name !== '' && { name }),
  port,
  protocol,
  ...(appProtocol !== undefined && { appProtocol }),
});

function compareAddresses(a: Address, b: Address): number {
  if (a.ip !== b.ip) return a.ip < b.ip ? -1 : 1;
  return (a.targetRef?.uid ?? '') < (b.targetRef?.uid ?? '') ? -1 : 1;
}

/** Versions of pods, which older writers noted, are no difference. */
const withoutVersions = (subsets: readonly Subset[]): Subset[] =>
  subsets.map((subset) => {
    const strip = (list: Address[] | undefined) =>
      list?.map((address) => {
        if (address.targetRef === undefined) return address;
        const { resourceVersion: _, ...targetRef } = address.targetRef;
        return { ...address, targetRef };
      });
    const [addresses, notReadyAddresses] = [strip(subset.addresses), strip(subset.notReadyAddresses)];
    return {
      ...subset,
      ...(addresses !== undefined && { addresses }),
      ...(notReadyAddresses !== undefined && { notReadyAddresses }),
    };
  });

/**
 * At most `maxAddresses`, ready ones first, each subset in proportion to what it has of them. The same list when they are not too
 * many.
 */
export function truncate(subsets: Subset[]): Subset[] {
  const count = (list: 'addresses' | 'notReadyAddresses') =>
    subsets.reduce((sum, subset) => sum + (subset[list]?.length ?? 0), 0);
  const [ready, notReady] = [count('addresses'), count('notReadyAddresses')];
  if (ready + notReady <= maxAddresses) return subsets;
  const cut = ready > maxAddresses ? 'addresses' : 'notReadyAddresses';
  const room = cut === 'addresses' ? maxAddresses : maxAddresses - ready;
  const total = cut === 'addresses' ? ready : notReady;
  let left = room;
  const out: Subset[] = [];
  for (const subset of subsets) {
    const had = subset[cut] ?? [];
    const kept = had.slice(0, Math.min(left, Math.ceil((had.length / total) * room)));
    left -= kept.length;
    const next: Subset = { ...subset };
    if (cut === 'addresses') delete next.notReadyAddresses;
    if (kept.length > 0) next[cut] = kept;
    else delete next[cut];
    if (next.addresses !== undefined || next.notReadyAddresses !== undefined) out.push(next);
  }
  return out;
}
