// For tests: a cluster to ask about, and records as dig prints them.
import type { EndpointSlice, Service } from '../../api/index.ts';
import type { ClusterView } from '../cluster-zone.ts';
import { serviceAddressKeys, sliceAddressKeys } from '../endpoints.ts';
import { type ResourceRecord, type } from '../message.ts';
import { textOf } from '../name.ts';

export interface ServiceParts {
  readonly type?: string;
  readonly ips?: readonly string[];
  readonly ports?: readonly (readonly [name: string, port: number, protocol?: string])[];
  readonly externalName?: string;
}

/** `NAMESPACE/NAME`; without addresses it is headless. */
export function service(
  path: string,
  { type: of = 'ClusterIP', ips = [], ports = [], externalName }: ServiceParts,
): Service {
  const [namespace, name] = path.split('/');
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name, uid: `uid-${path}`, resourceVersion: '1' },
    spec: {
      type: of,
      ...(of === 'ExternalName'
        ? { externalName }
        : { clusterIP: ips[0] ?? 'None', clusterIPs: [...(ips.length > 0 ? ips : ['None'])] }),
      ports: ports.map(([portName, port, protocol = 'TCP']) => ({
        ...(portName && { name: portName }),
        port,
        protocol,
      })),
    },
  } as unknown as Service;
}

export interface EndpointParts {
  readonly ip: string;
  readonly hostname?: string;
  /** undefined = not said */
  readonly ready?: boolean | undefined;
}

export function slice(
  path: string,
  endpoints: readonly EndpointParts[],
  { ports = [], suffix = 'a' }: { ports?: ServiceParts['ports']; suffix?: string } = {},
): EndpointSlice {
  const [namespace, name] = path.split('/');
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace,
      name: `${name}-${suffix}`,
      uid: `uid-${path}-${suffix}`,
      resourceVersion: '1',
      labels: { 'kubernetes.io/service-name': name },
    },
    addressType: endpoints[0]?.ip.includes(':') === true ? 'IPv6' : 'IPv4',
    endpoints: endpoints.map(({ ip, hostname, ready }) => ({
      addresses: [ip],
      ...(hostname !== undefined && { hostname }),
      conditions: ready === undefined ? {} : { ready },
    })),
    ports: ports.map(([portName, port, protocol = 'TCP']) => ({ name: portName, port, protocol })),
  } as unknown as EndpointSlice;
}

export function viewOf(services: readonly Service[], slices: readonly EndpointSlice[]): ClusterView {
  const pathOf = (namespace: string, name: string) => `${namespace}/${name}`;
  return {
    serial: 7,
    service: (namespace, name) =>
      services.find(
        ({ metadata }) => pathOf(metadata.namespace ?? '', metadata.name) === pathOf(namespace, name),
      ),
    hasServices: (namespace) => services.some(({ metadata }) => metadata.namespace === namespace),
    slices: (namespace, name) =>
      slices.filter(
        ({ metadata }) =>
          metadata.namespace === namespace && metadata.labels?.['kubernetes.io/service-name'] === name,
      ),
    servicesByAddress: (key) => services.filter((one) => serviceAddressKeys(one).includes(key)),
    slicesByAddress: (key) => slices.filter((one) => sliceAddressKeys(one).includes(key)),
  };
}

const typeNames = new Map<number, string>(Object.entries(type).map(([name, number]) => [number, name]));

/** `NAME TTL IN TYPE DATA` */
export function recordText({ name, ttl, type: of, data }: ResourceRecord): string {
  return `${textOf(name)} ${ttl} IN ${typeNames.get(of) ?? of} ${dataText(of, data)}`;
}

function dataText(of: number, data: Buffer): string {
  const nameAt = (at: number) => {
    let end = at;
    while (data[end] !== 0) end += data[end]! + 1;
    return { text: textOf(data.toString('latin1', at, end + 1)), end: end + 1 };
  };
  switch (of) {
    case type.A:
      return [...data].join('.');
    case type.AAAA:
      return data
        .toString('hex')
        .match(/..../g)!
        .join(':')
        .replace(/(^|:)(0{1,3})(?=[0-9a-f])/g, '$1');
    case type.SRV:
      return `${data.readUInt16BE(0)} ${data.readUInt16BE(2)} ${data.readUInt16BE(4)} ${nameAt(6).text}`;
    case type.TXT:
    case type.HINFO:
      return JSON.stringify(data.toString('latin1', 1, 1 + data[0]!));
    case type.SOA: {
      const first = nameAt(0);
      const second = nameAt(first.end);
      const numbers = Array.from({ length: 5 }, (_, i) => data.readUInt32BE(second.end + 4 * i));
      return [first.text, second.text, ...numbers].join(' ');
    }
    case type.CNAME:
    case type.NS:
    case type.PTR:
      return nameAt(0).text;
    default:
      return data.toString('hex');
  }
}
