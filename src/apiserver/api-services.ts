// The APIService of each version that this server serves itself, as kube-aggregator keeps them: `kubectl get apiservices` lists them as
// Local. Those of custom resources come and go with their definitions (custom-resources/).
import { APIService } from '../api/index.ts';
import type { Client } from '../client/index.ts';
import { type Draft, isAlreadyExists, isNotFound, type KindDef, semanticEqual } from '../machinery/index.ts';

/** Who keeps the object: made at each start, or as long as a definition is there. */
const automanaged = 'kube-aggregator.kubernetes.io/automanaged';

/** Where a group stands among the others, and a version among those of its group. Kubernetes' own numbers. */
const priorities: Readonly<Record<string, readonly [group: number, version: number]>> = {
  'v1.': [18000, 1],
  'v1.apps': [17800, 15],
  'v1.events.k8s.io': [17750, 15],
  'v1.authentication.k8s.io': [17700, 15],
  'v1.authorization.k8s.io': [17600, 15],
  'v1.autoscaling': [17500, 15],
  'v2.autoscaling': [17500, 30],
  'v1.batch': [17400, 15],
  'v1.certificates.k8s.io': [17300, 15],
  'v1.networking.k8s.io': [17200, 15],
  'v1.policy': [17100, 15],
  'v1.rbac.authorization.k8s.io': [17000, 15],
  'v1.storage.k8s.io': [16800, 15],
  'v1.apiextensions.k8s.io': [16700, 15],
  'v1.admissionregistration.k8s.io': [16700, 15],
  'v1.scheduling.k8s.io': [16600, 15],
  'v1.coordination.k8s.io': [16500, 15],
  'v1.node.k8s.io': [16300, 15],
  'v1.discovery.k8s.io': [16200, 15],
  'v1.flowcontrol.apiserver.k8s.io': [16100, 21],
  'v1.resource.k8s.io': [15200, 15],
  'v1beta1.metrics.k8s.io': [100, 100],
  'v1beta2.custom.metrics.k8s.io': [100, 200],
  'v1beta1.external.metrics.k8s.io': [100, 100],
};

/** What a version has that nothing is known of. */
const usual = [1000, 15] as const;

/** Where a version stands when no APIService says so. */
export const usualPriority = ({
  group,
  version,
}: Pick<KindDef, 'group' | 'version'>): readonly [group: number, version: number] =>
  priorities[`${version}.${group}`] ?? usual;

/**
 * The aggregator itself has none, as in Kubernetes. That of the metrics is for whoever installs a server of his own for them: charts do
 * not take over an object that is there already.
 */
const withoutService: readonly string[] = ['apiregistration.k8s.io', 'metrics.k8s.io'];

/** One for each group and version of the kinds. Those that an earlier start made, and this server has no more, go. */
export async function ensureLocalApiServices(client: Client, kinds: readonly KindDef[]): Promise<void> {
  const versions = new Map(
    kinds.filter(({ group }) => hasService(group)).map((kind) => [`${kind.version}.${kind.group}`, kind]),
  );
  await Promise.all([...versions.values()].map((kind) => ensureLocalApiService(client, kind)));
  const { items } = await client(APIService).list();
  for (const { metadata, spec } of items) {
    const ours = metadata.labels?.[automanaged] === 'onstart' && spec.service === undefined;
    if (ours && !versions.has(metadata.name)) await removeIfThere(client, metadata.name);
  }
}

/** Whether a version of the group that this server serves itself is listed. */
export const hasService = (group: string): boolean => !withoutService.includes(group);

/** For a version of built-in kinds. */
export const ensureLocalApiService = (
  client: Client,
  at: Pick<KindDef, 'group' | 'version'>,
): Promise<void> => ensure(client, draftOf(at, usualPriority(at), 'onstart'));

/** Whether the object is kept as it was made for a custom resource, and somebody changed it. */
export const isAstray = ({ metadata, spec }: APIService): boolean =>
  metadata.labels?.[automanaged] === 'true' && !semanticEqual(spec, customSpec(spec));

/** As it was made. */
export const customSpec = ({ group = '', version = '' }: APIService['spec']): APIService['spec'] =>
  draftOf({ group, version }, customPriority, 'true').spec as APIService['spec'];

const customPriority = [1000, 100] as const;

/** For a version of a custom resource. */
export const ensureCustomApiService = (
  client: Client,
  at: Pick<KindDef, 'group' | 'version'>,
): Promise<void> => ensure(client, draftOf(at, customPriority, 'true'));

/** Takes away what was made for a custom resource, and nothing that a user made. */
export async function removeCustomApiService(
  client: Client,
  { group, version }: Pick<KindDef, 'group' | 'version'>,
): Promise<void> {
  const name = `${version}.${group}`;
  try {
    const found = await client(APIService).get(name);
    if (found.metadata.labels?.[automanaged] === 'true') await client(APIService).delete(name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function removeIfThere(client: Client, name: string): Promise<void> {
  try {
    await client(APIService).delete(name);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

const draftOf = (
  { group, version }: Pick<KindDef, 'group' | 'version'>,
  [groupPriorityMinimum, versionPriority]: readonly [number, number],
  label: 'onstart' | 'true',
): Draft<APIService> => ({
  metadata: { name: `${version}.${group}`, labels: { [automanaged]: label } },
  spec: { ...(group !== '' && { group }), version, groupPriorityMinimum, versionPriority },
});

async function ensure(client: Client, draft: Draft<APIService>): Promise<void> {
  try {
    await client(APIService).create(draft);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
