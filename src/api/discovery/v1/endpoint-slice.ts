// EndpointSlice: some of the addresses behind a service.
import {
  at,
  type Causes,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkIpv4,
  checkIpv6,
  checkLabelValue,
  checkNonSpecialIp,
  checkQualifiedName,
  defineKind,
  immutableMessage,
  semanticEqual,
  validateLabels,
  warnIp,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, shortList } from '../../columns.ts';
import type {
  Endpoint,
  EndpointHints,
  EndpointPort,
  EndpointSlice as EndpointSliceObject,
} from '../../generated/discovery-v1.ts';
import { shape } from '../../shape.ts';

export type EndpointSlice = EndpointSliceObject;

/** The label that names the service of a slice. */
export const serviceNameLabel = 'kubernetes.io/service-name';
/** The label that names who keeps a slice. */
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by';

export const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20000;
const maxTopologyLabels = 16;
const maxHints = 8;
const addressTypes: readonly string[] = ['FQDN', 'IPv4', 'IPv6'];
const protocols: readonly string[] = ['SCTP', 'TCP', 'UDP'];

export const EndpointSlice = defineKind<EndpointSliceObject>({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  scope: 'Namespaced',
  schema: shape('discovery.v1.EndpointSlice'),
  generationFields: ['addressType', 'endpoints', 'ports'],
  columns: [
    nameColumn,
    {
      name: 'AddressType',
      type: 'string',
      description: 'What its addresses are.',
      cell: (slice) => slice.addressType ?? '',
    },
    {
      name: 'Ports',
      type: 'string',
      description: 'The ports of every endpoint.',
      cell: (slice) =>
        shortList(
          (slice.ports ?? []).map(({ port, name }) => (port === undefined ? (name ?? '*') : String(port))),
        ) || '<unset>',
    },
    {
      name: 'Endpoints',
      type: 'string',
      description: 'The addresses.',
      cell: (slice) => shortList((slice.endpoints ?? []).flatMap((e) => e.addresses ?? [])) || '<unset>',
    },
    ageColumn,
  ],
  indexes: {
    byService: ({ metadata }) => {
      const name = metadata.labels?.[serviceNameLabel];
      return name === undefined ? [] : [`${metadata.namespace}/${name}`];
    },
  },

  defaults(slice) {
    for (const port of slice.ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },

  prepareCreate: dropTopology,
  prepareUpdate(slice, old) {
    if (!semanticEqual(slice.endpoints, old.endpoints)) dropTopology(slice);
    // labels say what a slice is for, so they count as desired state
    if (!semanticEqual(slice.metadata.labels, old.metadata.labels))
      slice.metadata.generation = (old.metadata.generation ?? 0) + 1;
  },

  validate(slice, old, causes) {
    if (!slice.addressType) causes.required('addressType');
    else if (!addressTypes.includes(slice.addressType))
      causes.notSupported('addressType', slice.addressType, addressTypes);
    validateEndpoints(slice, causes);
    validatePorts(slice.ports ?? [], causes);
    if (old !== undefined && slice.addressType !== old.addressType)
      causes.invalid('addressType', slice.addressType, immutableMessage);
  },

  warn: (slice) =>
    slice.addressType === 'FQDN'
      ? ['addressType: FQDN endpoints are deprecated']
      : (slice.endpoints ?? []).flatMap((endpoint, i) =>
          (endpoint.addresses ?? []).flatMap((ip, j) => warnIp(`endpoints[${i}].addresses[${j}]`, ip)),
        ),
});

/** Topology labels went with v1beta1; nodeName and zone say it now. */
function dropTopology(slice: EndpointSliceObject): void {
  for (const endpoint of slice.endpoints ?? []) delete endpoint.deprecatedTopology;
}

function validateEndpoints(slice: EndpointSliceObject, causes: Causes): void {
  const endpoints = slice.endpoints ?? [];
  if (endpoints.length > maxEndpoints) {
    causes.tooMany('endpoints', endpoints.length, maxEndpoints);
    return;
  }
  endpoints.forEach((endpoint, i) => {
    validateEndpoint(endpoint, { addressType: slice.addressType, path: at.index('endpoints', i) }, causes);
  });
}

function validateEndpoint(
  endpoint: Endpoint,
  where: { addressType: string; path: string },
  causes: Causes,
): void {
  const { addressType, path } = where;
  const { hostname, nodeName, hints, deprecatedTopology } = endpoint;
  // always written, and so null when nothing was given
  const addresses = endpoint.addresses ?? [];
  const list = at.child(path, 'addresses');
  if (addresses.length === 0) causes.required(list, 'must contain at least 1 address');
  else if (addresses.length > maxAddresses) causes.tooMany(list, addresses.length, maxAddresses);
  addresses.forEach((address, i) => {
    if (address === '' && addressType === 'FQDN') causes.required(at.index(list, i));
    else
      for (const message of checkAddress(address, addressType))
        causes.invalid(at.index(list, i), address, message);
  });
  if (nodeName !== undefined)
    for (const message of checkDns1123Subdomain(nodeName))
      causes.invalid(at.child(path, 'nodeName'), nodeName, message);
  const topologyPath = at.child(path, 'deprecatedTopology');
  const labels = Object.keys(deprecatedTopology ?? {}).length;
  if (labels > maxTopologyLabels) causes.tooMany(topologyPath, labels, maxTopologyLabels);
  validateLabels(deprecatedTopology, topologyPath, causes);
  if (hostname !== undefined)
    for (const message of checkDns1123Label(hostname))
      causes.invalid(at.child(path, 'hostname'), hostname, message);
  if (hints !== undefined) validateHints(hints, at.child(path, 'hints'), causes);
}

/** Addresses of an unknown type are not looked at: the type itself is the mistake. */
function checkAddress(address: string, type: string): readonly string[] {
  switch (type) {
    case 'IPv4':
      return [...checkIpv4(address), ...checkNonSpecialIp(address)];
    case 'IPv6':
      return [...checkIpv6(address), ...checkNonSpecialIp(address)];
    case 'FQDN': {
      const name = address.replace(/\.$/, '');
      const messages = checkDns1123Subdomain(name);
      if (messages.length > 0) return [messages.join(',')];
      if (!name.includes('.')) return ['should be a domain with at least two segments separated by dots'];
      return name.split('.').flatMap(checkDns1123Label).slice(0, 1);
    }
    default:
      return [];
  }
}

function validateHints(hints: EndpointHints, path: string, causes: Causes): void {
  for (const [field, check] of [
    ['forZones', checkLabelValue],
    ['forNodes', checkDns1123Subdomain],
  ] as const) {
    const items = hints[field] ?? [];
    const list = at.child(path, field);
    if (items.length > maxHints) {
      causes.tooMany(list, items.length, maxHints);
      continue;
    }
    const seen = new Set<string>();
    items.forEach(({ name }, i) => {
      const here = at.child(at.index(list, i), 'name');
      if (seen.has(name)) causes.duplicate(here, name);
      seen.add(name);
      for (const message of check(name)) causes.invalid(here, name, message);
    });
  }
}

function validatePorts(ports: readonly EndpointPort[], causes: Causes): void {
  if (ports.length > maxPorts) {
    causes.tooMany('ports', ports.length, maxPorts);
    return;
  }
  const names = new Set<string>();
  ports.forEach(({ name = '', protocol, appProtocol }, i) => {
    const path = at.index('ports', i);
    if (name !== '')
      for (const message of checkDns1123Label(name)) causes.invalid(at.child(path, 'name'), name, message);
    if (names.has(name)) causes.duplicate(at.child(path, 'name'), name);
    names.add(name);
    if (protocol === undefined) causes.required(at.child(path, 'protocol'));
    else if (!protocols.includes(protocol))
      causes.notSupported(at.child(path, 'protocol'), protocol, protocols);
    if (appProtocol !== undefined)
      for (const message of checkQualifiedName(appProtocol))
        causes.invalid(at.child(path, 'appProtocol'), appProtocol, message);
  });
}
