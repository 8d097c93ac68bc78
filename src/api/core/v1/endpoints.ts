// Endpoints: the old, unsplit form of EndpointSlice. Kept for clients that still write it.
import {
  at,
  type Causes,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkIp,
  checkNonSpecialIp,
  checkPortNumber,
  checkQualifiedName,
  defineKind,
  warnIp,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, shortList } from '../../columns.ts';
import type { EndpointAddress, EndpointPort, Endpoints as EndpointsObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { portProtocols } from './service-rules.ts';

export type Endpoints = EndpointsObject;

const hostPort = (ip: string, port: number): string =>
  ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;

function listed(endpoints: EndpointsObject): string {
  if ((endpoints.subsets?.length ?? 0) === 0) return '<none>';
  const items: string[] = [];
  for (const { addresses = [], ports = [] } of endpoints.subsets!) {
    if (ports.length === 0) items.push(...addresses.map((a) => a.ip));
    for (const port of ports) items.push(...addresses.map((a) => hostPort(a.ip, port.port)));
  }
  return shortList(items);
}

export const Endpoints = defineKind<EndpointsObject>({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  shortNames: ['ep'],
  scope: 'Namespaced',
  schema: shape('core.v1.Endpoints'),
  createOnUpdate: true,
  columns: [
    nameColumn,
    { name: 'Endpoints', type: 'string', description: 'The addresses and ports behind it.', cell: listed },
    ageColumn,
  ],

  defaults(endpoints) {
    for (const subset of endpoints.subsets ?? [])
      for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },

  validate(endpoints, _old, causes) {
    endpoints.subsets?.forEach((subset, i) => {
      const here = at.index('subsets', i);
      const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
      if (addresses.length + notReadyAddresses.length === 0)
        causes.required(here, 'must specify `addresses` or `notReadyAddresses`');
      addresses.forEach((address, j) => {
        validateAddress(address, at.index(`${here}.addresses`, j), causes);
      });
      notReadyAddresses.forEach((address, j) => {
        validateAddress(address, at.index(`${here}.notReadyAddresses`, j), causes);
      });
      ports.forEach((port, j) => {
        validatePort(port, at.index(`${here}.ports`, j), { named: ports.length > 1 }, causes);
      });
    });
  },

  warn: (endpoints) => [
    'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
    ...(endpoints.subsets ?? []).flatMap((subset, i) =>
      (['addresses', 'notReadyAddresses'] as const).flatMap((list) =>
        (subset[list] ?? []).flatMap((a, j) => warnIp(`subsets[${i}].${list}[${j}].ip`, a.ip)),
      ),
    ),
  ],
});

function validateAddress(address: EndpointAddress, path: string, causes: Causes): void {
  const ip = at.child(path, 'ip');
  for (const message of checkIp(address.ip)) causes.invalid(ip, address.ip, message);
  if (address.hostname)
    for (const message of checkDns1123Label(address.hostname))
      causes.invalid(at.child(path, 'hostname'), address.hostname, message);
  if (address.nodeName !== undefined)
    for (const message of checkDns1123Subdomain(address.nodeName))
      causes.invalid(at.child(path, 'nodeName'), address.nodeName, message);
  for (const message of checkNonSpecialIp(address.ip)) causes.invalid(ip, address.ip, message);
}

function validatePort(port: EndpointPort, path: string, rule: { named: boolean }, causes: Causes): void {
  if (port.name) {
    for (const message of checkDns1123Label(port.name))
      causes.invalid(at.child(path, 'name'), port.name, message);
  } else if (rule.named) causes.required(at.child(path, 'name'));
  for (const message of checkPortNumber(port.port))
    causes.invalid(at.child(path, 'port'), port.port, message);
  if (!port.protocol) causes.required(at.child(path, 'protocol'));
  else if (!portProtocols.includes(port.protocol))
    causes.notSupported(at.child(path, 'protocol'), port.protocol, portProtocols);
  if (port.appProtocol !== undefined)
    for (const message of checkQualifiedName(port.appProtocol))
      causes.invalid(at.child(path, 'appProtocol'), port.appProtocol, message);
}
