// The OpenAPI documents of other API servers. v3: where the document lies is learnt from the server's index, and the document itself is
// fetched by whoever wants it. v2: the one document that there is has theirs in it, so it is fetched here.
import { aggregatorUser } from './identity.ts';
import { type GroupVersion, type RemoteApi, shownVersion } from './remote-apis.ts';
import type { RemoteClients } from './remote-clients.ts';
import { cutSpec, type SpecPart } from './spec-parts.ts';

/** What is known of the documents of one version of a group. Replaced as a whole when something in it changes. */
export interface RemoteSpec {
  readonly at: GroupVersion;
  /** Where the server's own v3 document lies, with its hash; undefined = it has none. */
  readonly v3: string | undefined;
  readonly v2: SpecPart | undefined;
  /** Of the v2 document, for asking whether there is a newer one. */
  readonly etag: string | undefined;
}

/** Where it lies below /openapi/v3/. */
export const placeOf = (at: GroupVersion): string => `apis/${shownVersion(at)}`;

const timeoutMs = 30_000;

/** As it is now; `before` itself when nothing has changed. Rejects when the server does not answer. */
export async function fetchSpec(
  clients: RemoteClients,
  remote: RemoteApi,
  before: RemoteSpec | undefined,
): Promise<RemoteSpec> {
  const v3 = await fetchPlace(clients, remote);
  const { status, headers, body } = await clients.request(
    { remote, user: aggregatorUser },
    {
      method: 'GET',
      path: '/openapi/v2',
      headers: {
        accept: 'application/json',
        ...(before?.etag !== undefined && { 'if-none-match': before.etag }),
      },
      timeoutMs,
    },
  );
  const { group, version } = remote;
  const at = { group, version };
  if (status === 304 && before !== undefined) return before.v3 === v3 ? before : { ...before, v3 };
  if (status !== 200) return { at, v3, v2: undefined, etag: undefined };
  const v2 = cutSpec(JSON.parse(body.toString('utf8')), at);
  const { etag } = headers;
  if (etag === undefined && before !== undefined && before.v3 === v3 && same(before.v2, v2)) return before;
  return { at, v3, v2, etag };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

async function fetchPlace(clients: RemoteClients, remote: RemoteApi): Promise<string | undefined> {
  const { status, body } = await clients.request(
    { remote, user: aggregatorUser },
    { method: 'GET', path: '/openapi/v3', headers: { accept: 'application/json' }, timeoutMs },
  );
  if (status !== 200) return undefined;
  const index = JSON.parse(body.toString('utf8')) as {
    readonly paths?: Readonly<Record<string, { readonly serverRelativeURL?: string } | undefined>>;
  };
  const url = index.paths?.[placeOf(remote)]?.serverRelativeURL;
  // Only a place that leads back here can be handed on.
  return url?.startsWith(`/openapi/v3/${placeOf(remote)}`) === true ? url : undefined;
}
