// What a service needs from the cluster's pools: addresses of which families, and node ports. Pure; the allocators of the
// API server own the pools, ask here what is wanted and write the result with these functions.
import { type Causes, type IpFamily, parseIp, semanticEqual } from '../../../machinery/index.ts';
import type { Service, ServicePort } from '../../generated/core-v1.ts';
import { validateClusterIps } from './service-ip-rules.ts';
import { isHeadless, needsNodePorts, serviceNeedsClusterIp, usesNodePorts } from './service-needs.ts';

/** The families of the cluster's service ranges; the first is the default. */
export type ServiceFamilies = readonly [IpFamily, ...IpFamily[]];

/**
 * Settles ipFamilyPolicy and ipFamilies from what the author wrote and what the cluster has. Runs before addresses are
 * taken; on causes nothing may be taken. Mutates `service`.
 */
export function settleFamilies(
  update: { service: Service; old: Service | undefined; families: ServiceFamilies },
  causes: Causes,
): void {
  const { service, old, families } = update;
  const { spec } = service;
  if (spec.type === 'ExternalName') return;
  // a service that preferred two families stays as it is when the cluster's families change
  if (
    old !== undefined &&
    spec.ipFamilyPolicy === 'PreferDualStack' &&
    (['ipFamilyPolicy', 'ipFamilies', 'clusterIP', 'clusterIPs'] as const).every((f) =>
      semanticEqual(spec[f], old.spec[f]),
    )
  )
    return;
  const selectorless = Object.keys(spec.selector ?? {}).length === 0;
  const free = spec.clusterIP === 'None' && selectorless;
  spec.ipFamilyPolicy ??= old?.spec.ipFamilyPolicy ?? (free ? 'RequireDualStack' : 'SingleStack');
  const before = causes.list.length;
  validateClusterIps(service, causes);
  if (causes.list.length > before) return;

  const single = spec.ipFamilyPolicy === 'SingleStack';
  const policy = (why: string): void => causes.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, why);
  if (old !== undefined) reconsiderSecond(service, old, policy);
  const many = (what: string): string =>
    `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;
  if (single && spec.clusterIPs?.length === 2) policy(many('cluster IPs'));
  if (single && spec.ipFamilies?.length === 2) policy(many('IP families'));
  const wanted = [...(spec.ipFamilies ?? [])];
  for (const [i, ip] of (spec.clusterIPs ?? []).entries()) {
    const family = parseIp(ip)?.family;
    if (family === undefined) break;
    if (i < wanted.length) continue;
    if (families.includes(family)) wanted.push(family);
    else
      causes.invalid(`spec.clusterIPs[${i}]`, spec.clusterIPs, `${family} is not configured on this cluster`);
  }
  if (causes.list.length > before) return;
  const other = (family: string): IpFamily => (family === 'IPv4' ? 'IPv6' : 'IPv4');
  if (!free) {
    if (spec.ipFamilyPolicy === 'RequireDualStack' && families.length < 2)
      policy('this cluster is not configured for dual-stack services');
    wanted.forEach((family, i) => {
      if (!families.includes(family as IpFamily))
        causes.invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster');
    });
    if (causes.list.length > before) return;
  }
  if (wanted.length === 0) wanted.push(families[0]);
  if (!single && wanted.length === 1 && (free || families.length === 2)) wanted.push(other(wanted[0]!));
  spec.ipFamilies = wanted;
}

function reconsiderSecond(service: Service, old: Service, policy: (why: string) => void): void {
  const { spec } = service;
  for (const [field, what] of [
    ['clusterIPs', 'cluster IP'],
    ['ipFamilies', 'IP family'],
  ] as const) {
    const now = spec[field] ?? [];
    const before = old.spec[field] ?? [];
    if (spec.ipFamilyPolicy === 'SingleStack') {
      // to say SingleStack and leave the rest is to ask for the first alone
      if (now.length > 1 && semanticEqual(now, before)) spec[field] = now.slice(0, 1);
    } else if (before.length > 1 && now.length === 1 && now[0] === before[0])
      policy(`must be 'SingleStack' to release the secondary ${what}`);
  }
}

/** The addresses a settled service must have, in order; `ip` is '' where any free one will do. Empty for headless ones. */
export function wantedClusterIps(service: Service): { family: IpFamily; ip: string }[] {
  if (!serviceNeedsClusterIp(service) || isHeadless(service)) return [];
  return (service.spec.ipFamilies ?? []).map((family, i) => ({
    family: family as IpFamily,
    ip: service.spec.clusterIPs?.[i] ?? '',
  }));
}

export function setClusterIps(service: Service, ips: readonly string[]): void {
  if (ips.length === 0) return;
  service.spec.clusterIPs = [...ips];
  service.spec.clusterIP = ips[0]!;
}

/** A node port to take: for each of `ports` (indexes into spec.ports, all of one port number). `nodePort` 0 = any free one. */
export interface WantedNodePort {
  readonly ports: readonly number[];
  readonly nodePort: number;
}

/**
 * The node ports a service wants. Ports of one number in several protocols share one, so that a DNS service has the same
 * node port for UDP and TCP; a port with a node port of its own keeps it.
 */
export function wantedNodePorts(service: Service): WantedNodePort[] {
  if (!usesNodePorts(service)) return [];
  const any = needsNodePorts(service);
  const groups: { number: number; nodePort: number; ports: number[]; protocols: Set<string> }[] = [];
  const protocolOf = (port: ServicePort): string => port.protocol ?? 'TCP';
  const ports = service.spec.ports ?? [];
  ports.forEach((port, i) => {
    if (!port.nodePort) return;
    const group = groups.find((g) => g.nodePort === port.nodePort);
    if (group === undefined)
      groups.push({
        number: port.port,
        nodePort: port.nodePort,
        ports: [i],
        protocols: new Set([protocolOf(port)]),
      });
    else {
      group.ports.push(i);
      group.protocols.add(protocolOf(port));
    }
  });
  if (any)
    ports.forEach((port, i) => {
      if (port.nodePort) return;
      const group = groups.find((g) => g.number === port.port && !g.protocols.has(protocolOf(port)));
      if (group === undefined)
        groups.push({ number: port.port, nodePort: 0, ports: [i], protocols: new Set([protocolOf(port)]) });
      else {
        group.ports.push(i);
        group.protocols.add(protocolOf(port));
      }
    });
  return groups.map((group) => ({ ports: group.ports, nodePort: group.nodePort }));
}

export function setNodePort(service: Service, wanted: WantedNodePort, nodePort: number): void {
  for (const i of wanted.ports) service.spec.ports![i]!.nodePort = nodePort;
}
