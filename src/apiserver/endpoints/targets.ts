// Where a call goes on that the API server does not answer itself: what is asked, and the address behind it. Nothing is dialled here.
import type { ConnectionOptions } from 'node:tls';
import type { Node } from '../../api/index.ts';
import { badRequest, internalError, notFound } from '../../machinery/index.ts';
import { type Place, type RegistryCore, refOf } from '../registry/core.ts';
import type { KindTable } from '../registry/kind-table.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { Query } from './query.ts';

/** How the API server proves itself to nodes, and whom it trusts. PEM. */
export interface NodeCredentials {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface ConnectionCall {
  readonly core: RegistryCore;
  readonly kinds: KindTable;
  readonly credentials: NodeCredentials;
  readonly at: Place;
  readonly query: Query;
  /** Path and query as they came. */
  readonly url: string;
  /** What of the path is for the target. Without a leading slash. */
  readonly rest: string;
}

/** Where a call goes on. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly path: string;
  /**
   * A node is shown our certificate and vouched for by its CA; a workload is shown none and may have any (`https`), or speaks plainly.
   * Another API server says itself how it is known.
   */
  readonly trust: 'node' | 'https' | 'http' | ConnectionOptions;
  /** Who asks, for a target that believes us: goes in the place of whatever a client sent under such names. */
  readonly identity?: Readonly<Record<string, string | string[]>>;
  /** How long it may be silent once it is reached; undefined = as long as it likes. */
  readonly silenceMs?: number;
}

/** What nodes without containers say of their runtime. */
const simulatedRuntime = 'simulation://';

/**
 * The address of a node's own server. Throws 404 without such a node, and 400 with `simulated` when nothing listens there: better to say
 * so than to dial until it is too late.
 */
export function addressOfNode(
  { core, kinds }: ConnectionCall,
  nodeName: string,
  simulated: string,
): Pick<Target, 'host' | 'port'> {
  const nodes = kinds.byKind('', 'Node')!;
  const entry = core.store.get(keyFor(nodes, undefined, nodeName));
  if (entry === undefined) throw notFound(refOf(nodes), nodeName);
  const { status } = objectOf<Node>(entry);
  if (status?.nodeInfo?.containerRuntimeVersion?.startsWith(simulatedRuntime) === true)
    throw badRequest(simulated);
  const address = (['InternalIP', 'ExternalIP', 'Hostname'] as const)
    .map((type) => status?.addresses?.find((a) => a.type === type)?.address)
    .find((a) => a !== undefined);
  if (address === undefined)
    throw internalError(new Error(`no preferred addresses found; known addresses: []`));
  return { host: address, port: status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250 };
}
