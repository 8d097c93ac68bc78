// Subresources that are streams between the client and a node or a workload: the API server finds the address (here) and passes
// bytes on (relay.ts). log is an HTTP answer; exec, attach and port-forward are upgraded connections whose bytes are not looked at;
// proxy is whatever the target speaks.

import type { Pod } from '../../api/index.ts';
import { badRequest, type KindDef, type Verb } from '../../machinery/index.ts';
import { requireEntry } from '../registry/core.ts';
import { objectOf } from '../registry/objects.ts';
import { logQuery } from './log-options.ts';
import { locateNode, locatePod, locateService } from './proxied.ts';
import { addressOfNode, type ConnectionCall, type Target } from './targets.ts';

export interface Connection {
  readonly name: string;
  readonly verbs: readonly Verb[];
  /** The client asks for another protocol (WebSocket, SPDY) on this connection. */
  readonly upgrades: 'never' | 'only' | 'also';
  /** Method, body, status and headers are handed on as they are; otherwise the node is only read from. */
  readonly relays?: boolean;
  /** The kind of its options, in discovery and for admission. Without one it is read as the kind, and admission is not asked. */
  readonly options?: string;
  appliesTo(kind: KindDef): boolean;
  locate(call: ConnectionCall): Target;
}

const isPod = (kind: KindDef): boolean => kind.group === '' && kind.kind === 'Pod';

const proxyOf = (kind: string, locate: Connection['locate']): Connection => ({
  name: 'proxy',
  verbs: ['create', 'delete', 'get', 'patch', 'update'],
  upgrades: 'also',
  relays: true,
  options: `${kind}ProxyOptions`,
  appliesTo: (known) => known.group === '' && known.kind === kind,
  locate,
});

const sessionOf = (name: string, options: string, locate: Connection['locate']): Connection => ({
  name,
  verbs: ['create', 'get'],
  upgrades: 'only',
  options,
  appliesTo: isPod,
  locate,
});

/** Every connection. Adding one = one entry here. */
export const connections: readonly Connection[] = [
  { name: 'log', verbs: ['get'], upgrades: 'never', appliesTo: isPod, locate: locateLog },
  sessionOf('attach', 'PodAttachOptions', locateAttach),
  sessionOf('exec', 'PodExecOptions', locateExec),
  sessionOf('portforward', 'PodPortForwardOptions', locatePortForward),
  proxyOf('Node', locateNode),
  proxyOf('Pod', locatePod),
  proxyOf('Service', locateService),
];

export const findConnection = (kind: KindDef, name: string): Connection | undefined =>
  connections.find((c) => c.name === name && c.appliesTo(kind));

function locateLog(call: ConnectionCall): Target {
  const query = logQuery(call.query, call.at.name).toString();
  const pod = objectOf<Pod>(requireEntry(call.core, call.at));
  const container = chooseContainer(pod, call.query.get('container'), 'log');
  const target = nodeOf(call, pod);
  return {
    ...target,
    path: `/containerLogs/${pod.metadata.namespace}/${pod.metadata.name}/${container}${query === '' ? '' : `?${query}`}`,
  };
}

function locateExec(call: ConnectionCall): Target {
  const command = call.query.getAll('command');
  if (command.length === 0) throw badRequest('you must specify at least 1 command for exec');
  return locateSession(call, 'exec', command);
}

function locateAttach(call: ConnectionCall): Target {
  return locateSession(call, 'attach', []);
}

/** Which ports is told by the streams inside; browsers' clients name them in the query. */
function locatePortForward(call: ConnectionCall): Target {
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
function locateSession(call: ConnectionCall, what: 'exec' | 'attach', command: readonly string[]): Target {
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

function nodeOf(call: ConnectionCall, pod: Pod): Pick<Target, 'host' | 'port' | 'trust'> {
  const nodeName = pod.spec.nodeName ?? '';
  if (nodeName === '') throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const simulated = `pod ${pod.metadata.name} is on the simulated node ${nodeName}: it has no containers`;
  return { ...addressOfNode(call, nodeName, simulated), trust: 'node' };
}
