// Discovery: which groups, versions and resources there are, in the classic documents and in the aggregated one (v2).
import { createHash } from 'node:crypto';
import type { KindDef, Verb } from '../../machinery/index.ts';
import { orderGroups, type PriorityOf } from '../aggregation/group-order.ts';
import type { RemoteVersion } from '../aggregation/remote-resources.ts';
import { subresources } from '../subresources/all.ts';
import { connections } from './connections.ts';

/** A KindTable, or what has more to show. */
export interface Discovered {
  /** What this server answers for. */
  readonly all: readonly KindDef[];
  /** What others do. */
  readonly remote?: readonly RemoteVersion[];
  /** Left out = groups stand in the order of their first kind. */
  readonly priorityOf?: PriorityOf;
}

interface ApiResource {
  name: string;
  singularName: string;
  namespaced: boolean;
  group?: string;
  version?: string;
  kind: string;
  verbs: readonly string[];
  shortNames?: readonly string[];
  categories?: readonly string[];
  storageVersionHash?: string;
}

/** What lies below a kind, whether it reads and writes objects or is a connection. */
function subresourcesOf(
  kind: KindDef,
): { name: string; verbs: readonly Verb[]; body: { group: string; version: string; kind: string } }[] {
  return [
    ...subresources
      .filter((s) => s.appliesTo(kind))
      .map((s) => ({
        name: s.name,
        verbs: s.verbs,
        body: s.body ?? { group: '', version: '', kind: kind.kind },
      })),
    ...connections
      .filter((c) => c.appliesTo(kind))
      .map((c) => ({
        name: c.name,
        verbs: c.verbs,
        body: { group: '', version: '', kind: c.options ?? kind.kind },
      })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** In which version the kind's objects are stored; undefined = none are, as of reviews and measurements. */
function storedAs(kind: KindDef, { all }: Discovered): Pick<KindDef, 'group' | 'version'> | undefined {
  if (!kind.verbs.includes('delete')) return undefined;
  if (kind.custom !== null) return { group: kind.group, version: kind.custom.storedVersion };
  if (kind.conversion === null) return kind;
  return all.find((one) => one.storagePrefix === kind.storagePrefix && one.conversion === null);
}

/** What tools that move objects to another version compare: the start of a SHA-256, as kube-apiserver makes it. */
const storageVersionHash = (group: string, version: string, kind: string): string =>
  createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64');

function resourcesOf(kind: KindDef, kinds: Discovered): ApiResource[] {
  const namespaced = kind.scope === 'Namespaced';
  const main: ApiResource = {
    name: kind.plural,
    singularName: kind.singular,
    namespaced,
    kind: kind.kind,
    verbs: kind.verbs,
  };
  if (kind.shortNames.length > 0) main.shortNames = kind.shortNames;
  if (kind.categories.length > 0) main.categories = kind.categories;
  const stored = storedAs(kind, kinds);
  if (stored !== undefined)
    main.storageVersionHash = storageVersionHash(stored.group, stored.version, kind.kind);
  return [
    main,
    ...subresourcesOf(kind).map((s) => {
      const resource: ApiResource = {
        name: `${kind.plural}/${s.name}`,
        singularName: '',
        namespaced,
        kind: s.body.kind,
        verbs: s.verbs,
      };
      if (s.body.version !== '' && (s.body.group !== kind.group || s.body.version !== kind.version)) {
        resource.group = s.body.group;
        resource.version = s.body.version;
      }
      return resource;
    }),
  ];
}

const inVersion = (kinds: Discovered, group: string, version: string) =>
  kinds.all.filter((k) => k.group === group && k.version === version);

/** Groups in their order, each with its versions. */
function groupVersions(kinds: Discovered): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { group, version } of [...kinds.all, ...(kinds.remote ?? [])]) {
    const versions = groups.get(group);
    if (versions === undefined) groups.set(group, [version]);
    else if (!versions.includes(version)) versions.push(version);
  }
  return kinds.priorityOf === undefined ? groups : orderGroups(groups, kinds.priorityOf);
}

/** `/api` */
export const coreVersions = (serverAddress: string) => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
});

function apiGroup(group: string, versions: readonly string[]) {
  const list = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: list, preferredVersion: list[0]! };
}

/** `/apis` */
export function groupList(kinds: Discovered) {
  const groups = [...groupVersions(kinds)]
    .filter(([group]) => group !== '')
    .map(([group, versions]) => apiGroup(group, versions));
  return { kind: 'APIGroupList', apiVersion: 'v1', groups };
}

/** `/apis/apps`; undefined = no such group */
export function groupDocument(kinds: Discovered, group: string) {
  const versions = group === '' ? undefined : groupVersions(kinds).get(group);
  return versions === undefined
    ? undefined
    : { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, versions) };
}

/** `/api/v1`, `/apis/apps/v1`; undefined = no such version */
export function resourceList(kinds: Discovered, group: string, version: string) {
  const list = inVersion(kinds, group, version);
  if (list.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    ...(group !== '' && { apiVersion: 'v1' }),
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources: list.flatMap((kind) => resourcesOf(kind, kinds)),
  };
}

/** The aggregated document of `/api` (core) or `/apis` (everything else), apidiscovery.k8s.io/v2. */
export function aggregated(kinds: Discovered, core: boolean, version: string) {
  const items = [...groupVersions(kinds)]
    .filter(([group]) => (group === '') === core)
    .map(([group, versions]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((v) => {
        const remote = kinds.remote?.find((one) => one.group === group && one.version === v);
        return {
          version: v,
          freshness: remote?.freshness ?? 'Current',
          resources: remote?.resources ?? inVersion(kinds, group, v).map(aggregatedResource),
        };
      }),
    }));
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items };
}

function aggregatedResource(kind: KindDef) {
  const below = subresourcesOf(kind);
  return {
    resource: kind.plural,
    responseKind: { group: kind.group, version: kind.version, kind: kind.kind },
    scope: kind.scope === 'Namespaced' ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: kind.verbs,
    ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
    ...(kind.categories.length > 0 && { categories: kind.categories }),
    ...(below.length > 0 && {
      subresources: below.map((s) => ({
        subresource: s.name,
        responseKind:
          s.body.version === '' ? { group: kind.group, version: kind.version, kind: s.body.kind } : s.body,
        verbs: s.verbs,
      })),
    }),
  };
}
