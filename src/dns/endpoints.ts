// What the parts of services and slices mean in DNS, worked out once per object and forgotten with it: objects never change, a change is
// another object.
import type { EndpointSlice, Service } from '../api/index.ts';
import { addressBytes } from './name.ts';

export interface NamedPort {
  /** `_http`, or '' of a port without a name; in lower case. */
  readonly label: string;
  /** `_tcp` */
  readonly protocol: string;
  readonly port: number;
}

export interface ReadyEndpoint {
  /** The label below the service's name, in lower case. */
  readonly host: string;
  /** 4 or 16 bytes each. */
  readonly addresses: readonly Buffer[];
}

export interface SliceEndpoints {
  readonly ready: readonly ReadyEndpoint[];
  readonly byHost: ReadonlyMap<string, readonly Buffer[]>;
  /** Ports that have a number. */
  readonly ports: readonly NamedPort[];
}

export interface ServiceMeaning {
  /** None of a headless service. */
  readonly addresses: readonly Buffer[];
  readonly ports: readonly NamedPort[];
}

const slices = new WeakMap<EndpointSlice, SliceEndpoints>();
const services = new WeakMap<Service, ServiceMeaning>();

export function endpointsOf(slice: EndpointSlice): SliceEndpoints {
  let known = slices.get(slice);
  if (known === undefined) slices.set(slice, (known = readSlice(slice)));
  return known;
}

export function meaningOf(service: Service): ServiceMeaning {
  let known = services.get(service);
  if (known === undefined) services.set(service, (known = readService(service)));
  return known;
}

export const isHeadless = ({ spec }: Service): boolean => spec.clusterIP === 'None';

/** Of all families, in bytes as a string: the keys of the indexes by address. */
export const serviceAddressKeys = (service: Service): string[] =>
  meaningOf(service).addresses.map(addressKey);

/** Those of ready endpoints. */
export const sliceAddressKeys = (slice: EndpointSlice): string[] => [
  ...new Set(endpointsOf(slice).ready.flatMap(({ addresses }) => addresses.map(addressKey))),
];

export const addressKey = (bytes: Buffer): string => bytes.toString('latin1');

function readService({ spec }: Service): ServiceMeaning {
  const ips = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  return {
    addresses: ips.flatMap((ip) => addressBytes(ip) ?? []),
    ports: (spec.ports ?? []).map(({ name, protocol, port }) => ({
      label: name ? `_${name.toLowerCase()}` : '',
      protocol: `_${(protocol ?? 'TCP').toLowerCase()}`,
      port,
    })),
  };
}

function readSlice(slice: EndpointSlice): SliceEndpoints {
  const ready: ReadyEndpoint[] = [];
  const byHost = new Map<string, readonly Buffer[]>();
  const isAddress = slice.addressType === 'IPv4' || slice.addressType === 'IPv6';
  for (const endpoint of isAddress ? (slice.endpoints ?? []) : []) {
    // What is not known counts as ready (the API says so).
    if (endpoint.conditions?.ready === false) continue;
    for (const address of endpoint.addresses ?? []) {
      const bytes = addressBytes(address);
      if (bytes === undefined) continue;
      const host = (endpoint.hostname || address.replace(/[.:]/g, '-')).toLowerCase();
      ready.push({ host, addresses: [bytes] });
      byHost.set(host, [...(byHost.get(host) ?? []), bytes]);
    }
  }
  const ports = (slice.ports ?? []).flatMap(({ name, protocol, port }) =>
    port === undefined
      ? []
      : [
          {
            label: name ? `_${name.toLowerCase()}` : '',
            protocol: `_${(protocol ?? 'TCP').toLowerCase()}`,
            port,
          },
        ],
  );
  return { ready, byHost, ports };
}
