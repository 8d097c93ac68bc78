// `jotasu status` and `jotasu node list`: what runs, read from the machine and asked of the server. Changes nothing.
import type { StatusFlags } from '../../cli/index.ts';
import { type ControlApi, connectControlApi, type NodeFacts } from './control-api.ts';
import type { Machine } from './machine.ts';
import { isNodeAlive } from './node-machine.ts';
import { nodeRuns, serverRuns, serverUrl } from './places.ts';
import { isServerAlive } from './server-process.ts';
import { type ClusterState, type NodeState, needState } from './state.ts';
import { readRuns } from './supervisor.ts';

export interface NodeStatus {
  readonly name: string;
  readonly address: string;
  readonly link: string;
  /** Off = its processes do not run. Ready and NotReady are the server's word; Unknown when it cannot be asked. */
  readonly state: 'Ready' | 'NotReady' | 'Off' | 'Unknown';
  /** Of the agent; null while it is being started again too. */
  readonly pid: number | null;
  /** Containers that run, by the server's word; null when it cannot be asked. */
  readonly containers: number | null;
  readonly version: string | null;
}

export interface ClusterStatus {
  readonly name: string;
  readonly dataDir: string;
  readonly kubeconfig: { readonly file: string; readonly context: string };
  readonly server: {
    readonly url: string;
    /** Running = its process is there but it does not answer. */
    readonly state: 'Ready' | 'Running' | 'Off';
    readonly pid: number | null;
    readonly version: string | null;
  };
  readonly nodes: readonly NodeStatus[];
}

export async function status(machine: Machine, flags: StatusFlags): Promise<void> {
  const found = await readStatus(machine, needState(machine.clustersDir, flags.name));
  if (flags.output === 'json') machine.say(JSON.stringify(found, undefined, 2));
  else for (const line of statusLines(found)) machine.say(line);
}

export async function nodeList(machine: Machine, flags: StatusFlags): Promise<void> {
  const { nodes } = await readStatus(machine, needState(machine.clustersDir, flags.name));
  if (flags.output === 'json') machine.say(JSON.stringify(nodes, undefined, 2));
  else for (const line of nodeLines(nodes)) machine.say(line);
}

async function readStatus(machine: Machine, state: ClusterState): Promise<ClusterStatus> {
  const alive = isServerAlive(state);
  const said = alive ? await ask(machine, state) : undefined;
  return {
    name: state.name,
    dataDir: state.dataDir,
    kubeconfig: { file: state.kubeconfig.file, context: state.kubeconfig.context },
    server: {
      url: serverUrl(state),
      state: said !== undefined ? 'Ready' : alive ? 'Running' : 'Off',
      pid: alive ? (readRuns(serverRuns(state)).pid ?? null) : null,
      version: said?.version ?? null,
    },
    nodes: state.nodes.map((node) =>
      planNodeStatus(
        node,
        isNodeAlive(node) ? { agent: readRuns(nodeRuns(state, node)).pid } : undefined,
        said && { facts: said.nodes.get(node.name), containers: said.containers },
      ),
    ),
  };
}

export function planNodeStatus(
  node: NodeState,
  alive: { readonly agent: number | undefined } | undefined,
  said: { facts: NodeFacts | undefined; containers: ReadonlyMap<string, number> } | undefined,
): NodeStatus {
  const ready = said?.facts?.ready === true ? 'Ready' : 'NotReady';
  return {
    name: node.name,
    address: node.address,
    link: node.link,
    state: alive === undefined ? 'Off' : said === undefined ? 'Unknown' : ready,
    pid: alive?.agent ?? null,
    // What the server last heard of a node that is off is no longer so.
    containers: alive === undefined ? 0 : said === undefined ? null : (said.containers.get(node.name) ?? 0),
    version: said?.facts?.version ?? null,
  };
}

async function ask(machine: Machine, state: ClusterState) {
  let api: ControlApi | undefined;
  try {
    api = connectControlApi(state, machine.clock);
    if (!(await api.isReady())) return undefined;
    const [version, nodes, pods] = await Promise.all([api.version(), api.listNodes(), api.listPods()]);
    const containers = new Map<string, number>();
    for (const { node, running } of pods)
      if (node !== undefined) containers.set(node, (containers.get(node) ?? 0) + running);
    return { version, nodes: new Map(nodes.map((node) => [node.name, node])), containers };
  } catch {
    // That it cannot be asked is what the status says.
    return undefined;
  } finally {
    api?.close();
  }
}

export function statusLines(found: ClusterStatus): string[] {
  const { server } = found;
  const pid = server.pid === null ? '' : `, pid ${server.pid}`;
  return [
    `cluster    ${found.name}`,
    `server     ${server.state}${pid}${server.version === null ? '' : `, ${server.version}`}`,
    `API        ${server.url}`,
    `context    ${found.kubeconfig.context} in ${found.kubeconfig.file}`,
    `data       ${found.dataDir}`,
    '',
    ...nodeLines(found.nodes),
  ];
}

export function nodeLines(nodes: readonly NodeStatus[]): string[] {
  return tableLines(
    ['NODE', 'STATE', 'ADDRESS', 'LINK', 'PID', 'CONTAINERS', 'VERSION'],
    nodes.map((node) => [
      node.name,
      node.state,
      node.address,
      node.link,
      String(node.pid ?? '-'),
      String(node.containers ?? '?'),
      node.version ?? '-',
    ]),
  );
}

function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('   ')
      .trimEnd(),
  );
}
