// What another API server says it serves, in the form of aggregated discovery: asked for as such, else made of the older documents, one
// for each version.

import { aggregatorUser } from './identity.ts';
import { type GroupVersion, type RemoteApi, shownVersion } from './remote-apis.ts';
import type { RemoteClients, RemoteQuestion } from './remote-clients.ts';

/** A resource as aggregated discovery has it. What is passed on is not looked at. */
export type DiscoveredResource = Readonly<Record<string, unknown>> & { readonly resource: string };

export interface RemoteVersion extends GroupVersion {
  readonly freshness: 'Current' | 'Stale';
  readonly resources: readonly DiscoveredResource[];
}

const aggregatedTypes = ['v2', 'v2beta1']
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(',');
const timeoutMs = 5000;

/** Rejects with an Error that says why it is not known. */
export async function fetchResources(
  clients: RemoteClients,
  remote: RemoteApi,
): Promise<readonly DiscoveredResource[]> {
  const question = { remote, user: aggregatorUser };
  return (await fetchAggregated(clients, question)) ?? fetchClassic(clients, question);
}

/** undefined = the server does not speak it, or says nothing of this version. */
async function fetchAggregated(
  clients: RemoteClients,
  question: RemoteQuestion,
): Promise<readonly DiscoveredResource[] | undefined> {
  const { status, headers, body } = await clients.request(question, {
    method: 'GET',
    path: '/apis',
    headers: { accept: `${aggregatedTypes},application/json` },
    timeoutMs,
  });
  if (status === 404 || status === 406) return undefined;
  if (status !== 200) throw new Error(`the server answered ${status}`);
  if (!String(headers['content-type'] ?? '').includes('as=APIGroupDiscoveryList')) return undefined;
  return resourcesIn(JSON.parse(body.toString('utf8')), question.remote);
}

interface AggregatedDocument {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly {
      readonly version?: string;
      readonly resources?: readonly DiscoveredResource[] | null;
    }[];
  }[];
}

/** undefined = the document has no such version. */
export function resourcesIn(
  document: AggregatedDocument,
  { group, version }: GroupVersion,
): readonly DiscoveredResource[] | undefined {
  const found = document.items
    ?.find(({ metadata }) => metadata?.name === group)
    ?.versions?.find((one) => one.version === version);
  return found === undefined ? undefined : (found.resources ?? []);
}

/** A resource as the older documents have it. */
export interface ClassicResource {
  readonly name: string;
  readonly singularName?: string;
  readonly namespaced: boolean;
  readonly group?: string;
  readonly version?: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

async function fetchClassic(
  clients: RemoteClients,
  question: RemoteQuestion,
): Promise<readonly DiscoveredResource[]> {
  const { remote } = question;
  const path = `/apis/${shownVersion(remote)}`;
  const { status, body } = await clients.request(question, {
    method: 'GET',
    path,
    headers: { accept: 'application/json' },
    timeoutMs,
  });
  if (status !== 200) throw new Error(`the server answered ${status}`);
  const list = JSON.parse(body.toString('utf8')) as { resources?: readonly ClassicResource[] | null };
  return fromClassic(list.resources ?? [], remote);
}

/** What is below a resource goes into it, whether the resource itself is listed or not. */
export function fromClassic(
  resources: readonly ClassicResource[],
  at: GroupVersion,
): readonly DiscoveredResource[] {
  interface Made extends Record<string, unknown> {
    resource: string;
    subresources?: object[];
  }
  const made = new Map<string, Made>();
  const kindOf = ({ group, version, kind }: ClassicResource) => ({
    group: group || at.group,
    version: version || at.version,
    kind,
  });
  const scopeOf = ({ namespaced }: ClassicResource) => (namespaced ? 'Namespaced' : 'Cluster');
  for (const one of resources) {
    if (one.name.includes('/')) continue;
    made.set(one.name, {
      resource: one.name,
      responseKind: kindOf(one),
      scope: scopeOf(one),
      singularResource: one.singularName ?? '',
      verbs: one.verbs,
      ...((one.shortNames?.length ?? 0) > 0 && { shortNames: one.shortNames }),
      ...((one.categories?.length ?? 0) > 0 && { categories: one.categories }),
    });
  }
  for (const one of resources) {
    const mark = one.name.indexOf('/');
    if (mark < 0) continue;
    const name = one.name.slice(0, mark);
    const above: Made = made.get(name) ?? {
      resource: name,
      responseKind: { group: '', version: '', kind: '' },
      scope: scopeOf(one),
      singularResource: '',
      verbs: [],
    };
    (above.subresources ??= []).push({
      subresource: one.name.slice(mark + 1),
      responseKind: kindOf(one),
      verbs: one.verbs,
    });
    made.set(name, above);
  }
  return [...made.values()];
}
