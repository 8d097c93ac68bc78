// What every cluster has from its first second: the system namespaces, the system priority classes and the service by which
// pods reach the API. Each is made when missing and otherwise left as users changed it.
import { Namespace, PriorityClass, ServiceCIDR } from '../api/index.ts';
import type { Client } from '../client/index.ts';
import {
  type Draft,
  isAlreadyExists,
  isConflict,
  type KindDef,
  type KubeObject,
} from '../machinery/index.ts';
import { ensureFlowControl } from './bootstrap-flow-control.ts';
import { type ClientAuthentication, keepClientAuthentication } from './client-authentication.ts';
import type { KubernetesService } from './kubernetes-service.ts';
import type { RegistryCore } from './registry/core.ts';

export interface BootstrapOptions {
  readonly core: RegistryCore;
  readonly kubernetesService: KubernetesService;
  /** By what others know this cluster's clients, and this server. */
  readonly clientAuthentication: () => ClientAuthentication;
  /** The ranges of services, the default family first. */
  readonly serviceCidrs: readonly string[];
  /** Makes the addresses of services and the objects that show them agree. */
  readonly repairServiceIps: () => Promise<void>;
}

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

const priorityClasses = [
  [
    'system-node-critical',
    2_000_001_000,
    'Used for system critical pods that must not be moved from their current node.',
  ],
  [
    'system-cluster-critical',
    2_000_000_000,
    'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  ],
] as const;

/** One step of a server's start. Until it is done the health check `poststarthook/NAME` fails. */
export interface PostStartHook {
  /** As kube-apiserver names what does the same. */
  readonly name: string;
  run(client: Client, options: BootstrapOptions): Promise<void>;
}

/** In this order: the later ones need the namespaces. */
export const postStartHooks: readonly PostStartHook[] = [
  { name: 'start-system-namespaces-controller', run: ensureNamespaces },
  { name: 'rbac/bootstrap-roles', run: ensureRoles },
  { name: 'scheduling/bootstrap-system-priority-classes', run: ensurePriorityClasses },
  { name: 'priority-and-fairness-config-producer', run: ensureFlowControl },
  { name: 'start-kubernetes-service-cidr-controller', run: ensureServiceCidr },
  { name: 'start-service-ip-repair-controllers', run: (_client, options) => options.repairServiceIps() },
  { name: 'bootstrap-controller', run: (_client, options) => options.kubernetesService.start() },
  { name: 'start-cluster-authentication-info-controller', run: ensureClientAuthentication },
];

async function ensureNamespaces(client: Client): Promise<void> {
  for (const name of namespaces) await ensure(client, Namespace, { metadata: { name } } as Draft<Namespace>);
}

/** Loaded here: the tables are large, and other commands of the program have no use for them. */
async function ensureRoles(client: Client, { core }: BootstrapOptions): Promise<void> {
  const { ensureRbacPolicy } = await import('./bootstrap-policy/ensure.ts');
  await ensureRbacPolicy({ client, core });
}

async function ensurePriorityClasses(client: Client): Promise<void> {
  for (const [name, value, description] of priorityClasses)
    await ensure(client, PriorityClass, { metadata: { name }, value, description, globalDefault: false });
}

/** The ranges of the flags as an object, which other servers may make at the same moment. */
async function ensureServiceCidr(client: Client, { serviceCidrs }: BootstrapOptions): Promise<void> {
  const cidrs = [...serviceCidrs];
  await ensure(client, ServiceCIDR, { metadata: { name: 'kubernetes' }, spec: { cidrs } });
  try {
    await settleServiceCidr(client, cidrs);
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
}

/** A second family may join the first; else what is there is left as it is. */
async function settleServiceCidr(client: Client, cidrs: string[]): Promise<void> {
  let current = await client(ServiceCIDR).get('kubernetes');
  const had = current.spec?.cidrs ?? [];
  if (had.length === 1 && cidrs.length === 2 && had[0] === cidrs[0])
    current = await client(ServiceCIDR).update({ ...current, spec: { cidrs } });
  const matches = (current.spec?.cidrs ?? []).join() === cidrs.join();
  if (!matches || current.status?.conditions?.some(({ type }) => type === 'Ready')) return;
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: '',
    message: 'Kubernetes default Service CIDR is ready',
    lastTransitionTime: current.metadata.creationTimestamp,
  };
  await client(ServiceCIDR).updateStatus({ ...current, status: { conditions: [ready] } });
}

async function ensureClientAuthentication(client: Client, options: BootstrapOptions): Promise<void> {
  await keepClientAuthentication(client, options.clientAuthentication());
}

async function ensure<T extends KubeObject>(
  client: Client,
  kind: KindDef<T>,
  draft: Draft<T>,
): Promise<void> {
  try {
    await client(kind).create(draft);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
