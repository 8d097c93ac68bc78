// Rules of names and addresses of a pod: its hostname, its resolver, the hosts it knows.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkDns1123SubdomainWithUnderscore,
  checkIp,
  type FieldAt,
} from '../../../../../machinery/index.ts';
import type { HostAlias, PodDNSConfig, PodSpec } from '../../../../generated/core-v1.ts';

const maxNameservers = 3;
const maxSearches = 32;
const maxSearchLength = 2048;
const maxHostnameLength = 64;

export function validateDns(spec: PodSpec, field: FieldAt): void {
  const { dnsConfig, dnsPolicy } = spec;
  const here = field.child('dnsConfig');
  if (dnsPolicy === 'None') {
    if (dnsConfig === undefined) {
      here.required('must provide `dnsConfig` when `dnsPolicy` is None');
      return;
    }
    if ((dnsConfig.nameservers ?? []).length === 0) {
      here.child('nameservers').required('must provide at least one DNS nameserver when `dnsPolicy` is None');
      return;
    }
  }
  if (dnsConfig !== undefined) validateDnsConfig(dnsConfig, here);
}

function validateDnsConfig(
  { nameservers = [], searches = [], options = [] }: PodDNSConfig,
  field: FieldAt,
): void {
  const servers = field.child('nameservers');
  if (nameservers.length > maxNameservers)
    servers.invalid(nameservers, `must not have more than ${maxNameservers} nameservers`);
  for (const [i, server] of nameservers.entries()) servers.index(i).refuse(server, checkIp(server));

  const list = field.child('searches');
  if (searches.length > maxSearches)
    list.invalid(searches, `must not have more than ${maxSearches} search paths`);
  if (Buffer.byteLength(searches.join(' ')) > maxSearchLength)
    list.invalid(
      searches,
      `must not have more than ${maxSearchLength} characters (including spaces) in the search list`,
    );
  for (const [i, search] of searches.entries()) {
    if (search === '.') continue;
    const name = search.endsWith('.') ? search.slice(0, -1) : search;
    list.index(i).refuse(name, checkDns1123SubdomainWithUnderscore(name));
  }
  for (const [i, option] of options.entries())
    if (!option.name) field.child('options').index(i).required('must not be empty');
}

export function validateHostnames(spec: PodSpec, field: FieldAt): void {
  const { hostname, subdomain, hostnameOverride } = spec;
  if (hostname) field.child('hostname').refuse(hostname, checkDns1123Label(hostname));
  if (subdomain) field.child('subdomain').refuse(subdomain, checkDns1123Label(subdomain));
  if (hostnameOverride === undefined) return;
  const override = field.child('hostnameOverride');
  if (hostnameOverride.length > maxHostnameLength) override.tooLong(maxHostnameLength);
  override.refuse(hostnameOverride, checkDns1123Subdomain(hostnameOverride));
  if (spec.hostNetwork === true) override.forbidden('may not be specified when `hostNetwork` is true');
  if (spec.setHostnameAsFQDN === true)
    override.forbidden('may not be specified when `setHostnameAsFQDN` is true');
}

export function validateHostAliases(aliases: readonly HostAlias[], field: FieldAt): void {
  for (const [i, alias] of aliases.entries()) {
    const here = field.index(i);
    here.child('ip').refuse(alias.ip ?? '', checkIp(alias.ip ?? ''));
    for (const [j, name] of (alias.hostnames ?? []).entries())
      here.child('hostnames').index(j).refuse(name, checkDns1123Subdomain(name));
  }
}

/** On the host's network a port is the host's port; templates may leave it out. */
export function validateHostNetworkPorts(spec: PodSpec, isPod: boolean, field: FieldAt): void {
  if (spec.hostNetwork !== true) return;
  for (const [i, container] of (spec.containers ?? []).entries())
    for (const [j, port] of (container.ports ?? []).entries()) {
      const hostPort = port.hostPort ?? 0;
      if ((isPod || hostPort !== 0) && hostPort !== port.containerPort)
        field
          .child('containers')
          .index(i)
          .child('ports')
          .index(j)
          .child('hostPort')
          .invalid(hostPort, 'must match `containerPort` when `hostNetwork` is true');
    }
}

export function validateHostUsers(spec: PodSpec, field: FieldAt): void {
  if (spec.hostUsers !== false) return;
  const why = 'when `pod.Spec.HostUsers` is false';
  if (spec.hostNetwork === true) field.child('hostNetwork').forbidden(why);
  if (spec.hostPID === true) field.child('HostPID').forbidden(why);
  if (spec.hostIPC === true) field.child('HostIPC').forbidden(why);
}
