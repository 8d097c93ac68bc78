// Who holds an address, as the API shows it: IPAddress objects that name the service. Pure.
import type { IPAddress, Service } from '../../api/index.ts';
import { type Draft, parseIp } from '../../machinery/index.ts';

/** A service by namespace and name. */
export interface Holder {
  readonly namespace: string;
  readonly name: string;
}

export const holderOf = ({ metadata }: Service): Holder => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});

/** The addresses that a service has of its own. */
export const clusterIpsOf = ({ spec }: Service): string[] =>
  (spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])).filter((ip) => ip !== 'None' && ip !== '');

export const isHeldBy = ({ spec }: IPAddress, { namespace, name }: Holder): boolean => {
  const { group = '', resource, namespace: where = '', name: who } = spec?.parentRef ?? {};
  return group === '' && resource === 'services' && where === namespace && who === name;
};

/** The object that says so; labelled as kube-apiserver labels what its allocator made. */
export const addressFor = (ip: string, { namespace, name }: Holder): Draft<IPAddress> => ({
  metadata: {
    name: ip,
    labels: {
      'ipaddress.kubernetes.io/ip-family': parseIp(ip)!.family,
      'ipaddress.kubernetes.io/managed-by': managedBy,
    },
  },
  spec: { parentRef: { resource: 'services', namespace, name } },
});

const managedBy = 'ipallocator.k8s.io';

/** What is put right at a start. */
export interface RepairPlan {
  /** Addresses that services have and no object shows. */
  readonly missing: readonly { readonly ip: string; readonly holder: Holder }[];
  /** Objects of addresses that no service has. */
  readonly leaked: readonly IPAddress[];
}

/**
 * An object that is younger than `graceMs` may belong to a service that another server is about to write. Objects that users made
 * for themselves are left alone.
 */
export function planRepair(
  services: readonly Service[],
  addresses: readonly IPAddress[],
  { nowMs, graceMs }: { nowMs: number; graceMs: number },
): RepairPlan {
  const known = new Map(addresses.map((address) => [address.metadata.name, address]));
  const held = new Map(services.flatMap((s) => clusterIpsOf(s).map((ip) => [ip, holderOf(s)] as const)));
  const missing = [...held].flatMap(([ip, holder]) => (known.has(ip) ? [] : [{ ip, holder }]));
  const leaked = addresses.filter(
    (address) =>
      address.metadata.labels?.['ipaddress.kubernetes.io/managed-by'] === managedBy &&
      nowMs - Date.parse(address.metadata.creationTimestamp) > graceMs &&
      !isStillHeld(address, held.get(address.metadata.name)),
  );
  return { missing, leaked };
}

const isStillHeld = (address: IPAddress, holder: Holder | undefined): boolean =>
  holder !== undefined && isHeldBy(address, holder);
