// Subresources that are streams between the client and a node: the API server finds the node and passes bytes on.
// log is an HTTP answer; exec, attach and port-forward are upgraded connections whose bytes are not looked at.

import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import type { Node, Pod } from '../../api/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import {
  badRequest,
  internalError,
  type KindDef,
  notFound,
  StatusError,
  type Verb,
} from '../../machinery/index.ts';
import { type Place, type RegistryCore, refOf, requireEntry } from '../registry/core.ts';
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
  /** What of the path is for the node. Without a leading slash. */
  readonly rest: string;
}

/** Where on a node a call goes. */
interface NodeTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

export interface Connection {
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** The client asks for another protocol (WebSocket, SPDY) on this connection. */
  readonly upgrades: boolean;
  /** Method, body, status and headers are handed on as they are; otherwise the node is only read from. */
  readonly relays?: boolean;
  /** What discovery calls its options. Default: the kind. */
  readonly options?: string;
  appliesTo(kind: KindDef): boolean;
  locate(call: ConnectionCall): NodeTarget;
}

const isPod = (kind: KindDef): boolean => kind.group === '' && kind.kind === 'Pod';

/** Every connection. Adding one = one entry here. */
export const connections: readonly Connection[] = [
  { name: 'log', verbs: ['get'], upgrades: false, appliesTo: isPod, locate: locateLog },
  { name: 'attach', verbs: ['create', 'get'], upgrades: true, appliesTo: isPod, locate: locateAttach },
  { name: 'exec', verbs: ['create', 'get'], upgrades: true, appliesTo: isPod, locate: locateExec },
  {
    name: 'portforward',
    verbs: ['create', 'get'],
    upgrades: true,
    appliesTo: isPod,
    locate: locatePortForward,
  },
  {
    name: 'proxy',
    verbs: ['create', 'delete', 'get', 'patch', 'update'],
    upgrades: false,
    relays: true,
    options: 'NodeProxyOptions',
    appliesTo: (kind) => kind.group === '' && kind.kind === 'Node',
    locate: locateNode,
  },
];

export const findConnection = (kind: KindDef, name: string): Connection | undefined =>
  connections.find((c) => c.name === name && c.appliesTo(kind));

function locateLog(call: ConnectionCall): NodeTarget {
  const pod = objectOf<Pod>(requireEntry(call.core, call.at));
  const container = chooseContainer(pod, call.query.get('container'), 'log');
  const passed = new URLSearchParams();
  for (const name of [
    'follow',
    'previous',
    'sinceSeconds',
    'sinceTime',
    'timestamps',
    'tailLines',
    'limitBytes',
    'stream',
  ]) {
    const value = call.query.get(name);
    if (value !== null && value !== '') passed.set(name, value);
  }
  const target = nodeOf(call, pod);
  const query = passed.toString();
  return {
    ...target,
    path: `/containerLogs/${pod.metadata.namespace}/${pod.metadata.name}/${container}${query === '' ? '' : `?${query}`}`,
  };
}

/** Any page of the node's own server: `nodes/NAME/proxy/stats/summary`. */
function locateNode(call: ConnectionCall): NodeTarget {
  const query = call.query.toString();
  return {
    ...addressOf(call, call.at.name, `node ${call.at.name} is simulated: nothing listens on it`),
    path: `/${call.rest}${query === '' ? '' : `?${query}`}`,
  };
}

function locateExec(call: ConnectionCall): NodeTarget {
  const command = call.query.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least 1 command for exec');
  return locateSession(call, 'exec', command);
}

function locateAttach(call: ConnectionCall): NodeTarget {
  return locateSession(call, 'attach', []);
}

/** Which ports is told by the streams inside; browsers' clients name them in the query. */
function locatePortForward(call: ConnectionCall): NodeTarget {
  const pod = objectOf<Pod>(requireEntry(call.core, call.at));
  const passed = new URLSearchParams();
  for (const port of call.query.getAll('ports')) passed.append('ports', port);
  const query = passed.toString();
  return {
    ...nodeOf(call, pod),
    path: `/portForward/${pod.metadata.namespace}/${pod.metadata.name}${query === '' ? '' : `?${query}`}`,
  };
}

/** A session with a container: its streams are named on the node as the kubelet names them. */
function locateSession(
  call: ConnectionCall,
  what: 'exec' | 'attach',
  command: readonly string[],
): NodeTarget {
  const pod = objectOf<Pod>(requireEntry(call.core, call.at));
  const { query } = call;
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
    throw badRequest(
      `cannot ${what === 'exec' ? 'exec into' : 'attach'} a container in a completed pod; current phase is ${pod.status.phase}`,
    );
  }
  const container = chooseContainer(pod, query.get('container'), what);
  const passed = new URLSearchParams();
  for (const part of command) passed.append('command', part);
  for (const [ours, theirs] of [
    ['stdin', 'input'],
    ['stdout', 'output'],
    ['stderr', 'error'],
    ['tty', 'tty'],
  ] as const) {
    const value = query.get(ours);
    if (value === 'true' || value === '1') passed.set(theirs, '1');
  }
  return {
    ...nodeOf(call, pod),
    path: `/${what}/${pod.metadata.namespace}/${pod.metadata.name}/${container}?${passed}`,
  };
}

function chooseContainer(pod: Pod, asked: string | null, what: string): string {
  const containers = pod.spec.containers.map((c) => c.name);
  const others = [...(pod.spec.initContainers ?? []), ...(pod.spec.ephemeralContainers ?? [])].map(
    (c) => c.name,
  );
  if (asked !== null && asked !== '') {
    if (containers.includes(asked) || others.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
  }
  const preferred = pod.metadata.annotations?.['kubectl.kubernetes.io/default-container'];
  if (what !== 'log' && preferred !== undefined && containers.includes(preferred)) return preferred;
  if (containers.length === 1) return containers[0]!;
  const init = (pod.spec.initContainers ?? []).map((c) => c.name);
  const choices = `choose one of: [${containers.join(' ')}]${init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : ''}`;
  throw badRequest(`a container name must be specified for pod ${pod.metadata.name}, ${choices}`);
}

/** What nodes without containers say of their runtime. */
const simulatedRuntime = 'simulation://';

function nodeOf(call: ConnectionCall, pod: Pod): Pick<NodeTarget, 'host' | 'port'> {
  const nodeName = pod.spec.nodeName ?? '';
  if (nodeName === '') throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const simulated = `pod ${pod.metadata.name} is on the simulated node ${nodeName}: it has no containers`;
  return addressOf(call, nodeName, simulated);
}

function addressOf(
  { core, kinds }: ConnectionCall,
  nodeName: string,
  simulated: string,
): Pick<NodeTarget, 'host' | 'port'> {
  const nodes = kinds.byKind('', 'Node')!;
  const entry = core.store.get(keyFor(nodes, undefined, nodeName));
  if (entry === undefined) throw notFound(refOf(nodes), nodeName);
  const { status } = objectOf<Node>(entry);
  // Nothing listens at such a node's address; better to say so than to dial it until it is too late.
  if (status?.nodeInfo?.containerRuntimeVersion?.startsWith(simulatedRuntime) === true)
    throw badRequest(simulated);
  const address = (['InternalIP', 'ExternalIP', 'Hostname'] as const)
    .map((type) => status?.addresses?.find((a) => a.type === type)?.address)
    .find((a) => a !== undefined);
  if (address === undefined)
    throw internalError(new Error(`no preferred addresses found; known addresses: []`));
  return { host: address, port: status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250 };
}

const connectTimeoutMs = 5000;

/** A TLS connection to a node. Rejects with a 500 whose message says which node could not be reached, as `kubectl logs` shows it. */
function dial(target: NodeTarget, credentials: NodeCredentials): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: target.host,
      port: target.port,
      cert: credentials.cert,
      key: credentials.key,
      ca: credentials.ca,
      // Nodes are dialled by address; the CA vouches for them.
      checkServerIdentity: () => undefined,
      ALPNProtocols: ['http/1.1'],
      timeout: connectTimeoutMs,
    });
    const fail = (error: Error) => {
      socket.destroy();
      const url = `https://${target.host}:${target.port}${target.path}`;
      reject(
        new StatusError(
          500,
          'InternalError',
          `Get ${JSON.stringify(url)}: dial tcp ${target.host}:${target.port}: ${error.message}`,
          undefined,
          error,
        ),
      );
    };
    socket.once('error', fail);
    socket.once('timeout', () => fail(new Error('i/o timeout')));
    socket.once('secureConnect', () => {
      socket.removeListener('error', fail);
      socket.removeAllListeners('timeout');
      socket.setTimeout(0);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** Serves a connection that is a plain HTTP answer (log). */
export async function serveStream(
  connection: Connection,
  call: ConnectionCall,
  request: HttpRequest,
  response: HttpResponse,
): Promise<void> {
  const target = connection.locate(call);
  const { request: send } = await import('node:https');
  await new Promise<void>((resolve, reject) => {
    const upstream = send(
      {
        host: target.host,
        port: target.port,
        path: target.path,
        method: connection.relays === true ? request.method : 'GET',
        ...(connection.relays === true && { headers: relayed(request.headers) }),
        ...call.credentials,
        checkServerIdentity: () => undefined,
        timeout: connectTimeoutMs,
      },
      (answer) => {
        const code = answer.statusCode ?? 500;
        if (connection.relays === true) response.writeHead(code, relayed(answer.headers));
        else if (code !== 200) {
          collect(answer).then((message) => reject(nodeRefusal(code, message)), reject);
          return;
        }
        upstream.setTimeout(0);
        if (!response.headersSent)
          response.writeHead(200, { 'content-type': answer.headers['content-type'] ?? 'text/plain' });
        response.flushHeaders();
        answer.pipe(response);
        answer.on('end', resolve);
        answer.on('error', () => {
          response.destroy();
          resolve();
        });
      },
    );
    upstream.on('timeout', () => upstream.destroy(new Error('i/o timeout')));
    upstream.on('error', (error) => {
      if (response.headersSent) resolve();
      else
        reject(
          new StatusError(
            500,
            'InternalError',
            `Get "https://${target.host}:${target.port}${target.path}": dial tcp ${target.host}:${target.port}: ${error.message}`,
            undefined,
            error,
          ),
        );
    });
    response.on('close', () => upstream.destroy());
    if (connection.relays === true) request.pipe(upstream);
    else {
      request.resume();
      upstream.end();
    }
  });
}

async function collect(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8').trim();
}

/** The node's refusal in the words that it used. */
function nodeRefusal(code: number, message: string): StatusError {
  if (code === 400) return badRequest(message);
  if (code === 404)
    return new StatusError(
      404,
      'NotFound',
      `the server could not find the requested resource (${message})`,
      {},
    );
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`);
}

const hopHeaders = new Set([
  'host',
  'authorization',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'content-length',
  'transfer-encoding',
]);

/** Headers that are about the message and not about the connection it came on. */
const relayed = (headers: HttpRequest['headers']): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      hopHeaders.has(name) || name.startsWith(':') || name.startsWith('impersonate-') || value === undefined
        ? []
        : [[name, value]],
    ),
  );

/** Tunnels an upgraded connection: the handshake goes to the node as it came, then bytes flow both ways until one side ends. */
export async function serveUpgrade(
  connection: Connection,
  call: ConnectionCall,
  request: HttpRequest,
  client: Duplex,
  head: Buffer,
): Promise<void> {
  const target = connection.locate(call);
  const node = await dial(target, call.credentials);
  const lines = [
    `${request.method} ${target.path} HTTP/1.1`,
    `Host: ${target.host}:${target.port}`,
    'Connection: Upgrade',
    `Upgrade: ${String(request.headers.upgrade ?? '')}`,
  ];
  for (const [name, value] of Object.entries(request.headers)) {
    if (hopHeaders.has(name) || name.startsWith('impersonate-') || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${one}`);
  }
  node.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) node.write(head);
  const close = () => {
    node.destroy();
    client.destroy();
  };
  node.on('error', close);
  client.on('error', close);
  node.on('close', () => client.end());
  client.on('close', () => node.destroy());
  node.pipe(client);
  client.pipe(node);
}
