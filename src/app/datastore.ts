// Which store a server keeps its objects in, as `--datastore-endpoint` names it, and how to open it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type BackendOptions,
  createMemoryBackend,
  isHalfCopied,
  type NotedBackend,
  openEtcdBackend,
  openLmdbBackend,
} from '../storage/index.ts';

export interface DatastoreOptions {
  readonly dataDir: string;
  /** `lmdb`, `memory` or `etcd=URL,URL…` */
  readonly datastoreEndpoint: string;
  /** Under which everything is kept in etcd. */
  readonly etcdPrefix: string;
  /** PEM files for https endpoints, named as kube-apiserver names them. */
  readonly etcdCafile: string | undefined;
  readonly etcdCertfile: string | undefined;
  readonly etcdKeyfile: string | undefined;
  /** How long lists of the past can be asked for, and, in etcd, how often history is compacted. 0 = never */
  readonly etcdCompactionIntervalMs: number;
}

export const datastoreDefaults = {
  datastoreEndpoint: 'lmdb',
  etcdPrefix: '/jotasu',
  etcdCafile: undefined,
  etcdCertfile: undefined,
  etcdKeyfile: undefined,
  etcdCompactionIntervalMs: 300_000,
} as const;

/** What is wrong with the options: for the person who gave them. */
export class DatastoreError extends Error {}

const startTimeoutMs = 15_000;

export type Datastore =
  | { readonly kind: 'lmdb' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'etcd'; readonly endpoints: readonly string[] };

/** Throws DatastoreError. */
export function parseDatastore(text: string): Datastore {
  if (text === 'lmdb' || text === 'memory') return { kind: text };
  const list = /^etcd=(.+)$/s.exec(text)?.[1];
  if (list === undefined)
    throw new DatastoreError(
      `the datastore endpoint ${JSON.stringify(text)} is none of lmdb, memory and etcd=http://HOST:PORT,…`,
    );
  return { kind: 'etcd', endpoints: list.split(',').map(endpointOf) };
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url !== undefined && url.pathname === '/' && url.search === '' && url.username === '';
  if (!plain || url.hostname === '' || !['http:', 'https:'].includes(url.protocol))
    throw new DatastoreError(`the etcd endpoint ${JSON.stringify(text)} is no URL such as http://HOST:2379`);
  // Written as given: URL leaves out a port that is the scheme's own, and etcd's is another.
  const port = url.port !== '' ? url.port : /:(80|443)\/?$/.test(text) ? /:(\d+)\/?$/.exec(text)![1] : '2379';
  return `${url.protocol}//${url.hostname}:${port}`;
}

/** What a server may use. Rejects as `openPlace` does, and with DatastoreError for what a copy that broke off has left. */
export async function openDatastore(
  options: DatastoreOptions,
  surroundings: BackendOptions,
): Promise<NotedBackend> {
  const backend = await openPlace(options, surroundings);
  try {
    if (!(await isHalfCopied(backend))) return backend;
    const etcd = options.datastoreEndpoint.startsWith('etcd=');
    const emptied = etcd
      ? `etcdctl del --prefix ${options.etcdPrefix}/`
      : `remove ${join(options.dataDir, 'db')}`;
    throw new DatastoreError(
      `a copy into ${etcd ? `etcd under ${options.etcdPrefix}` : options.dataDir} was not finished: empty it (${emptied}) and copy again`,
    );
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** Rejects with DatastoreError for wrong options, BackendUnavailable when etcd does not answer, DirectoryInUse. */
export async function openPlace(
  options: DatastoreOptions,
  surroundings: BackendOptions,
): Promise<NotedBackend> {
  const datastore = parseDatastore(options.datastoreEndpoint);
  const files = [options.etcdCafile, options.etcdCertfile, options.etcdKeyfile];
  const secure = datastore.kind === 'etcd' && datastore.endpoints.some((url) => url.startsWith('https:'));
  if (!secure && files.some((file) => file !== undefined))
    throw new DatastoreError('certificates for etcd are of use with an https endpoint only');
  if (datastore.kind === 'memory') return createMemoryBackend(surroundings);
  if (datastore.kind === 'lmdb') return openLmdbBackend(join(options.dataDir, 'db'), surroundings);
  if ((options.etcdCertfile === undefined) !== (options.etcdKeyfile === undefined))
    throw new DatastoreError('--etcd-certfile and --etcd-keyfile go together');
  if (!/^\/[^/]/.test(options.etcdPrefix))
    throw new DatastoreError(
      `the etcd prefix ${JSON.stringify(options.etcdPrefix)} must begin with a / and a name`,
    );
  const [ca, cert, key] = files.map((file) => (file === undefined ? undefined : readFileSync(file)));
  return openEtcdBackend({
    ...surroundings,
    endpoints: datastore.endpoints,
    prefix: options.etcdPrefix.replace(/\/+$/, ''),
    tls: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
    compactionIntervalMs: options.etcdCompactionIntervalMs,
    startTimeoutMs,
  });
}
