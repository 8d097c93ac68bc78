// `jotasu status` and `jotasu node list`: what runs, read from the machine and asked of the server. Changes nothing.
import type { StatusFlags } from '../../cli/index.ts';
import { type ControlApi, connectControlApi, type NodeFacts } from './control-api.ts';
import type { Machine } from './machine.ts';
import { isNodeAlive } from './node-machine.ts';
import { nodeRuns, serverRuns, serverUrl } from './places.ts';
import { isServerAlive } from './server-process.ts';
import { type ClusterState, type NodeState, needState } from './state.ts';
import { type Runs, readRuns } from './supervisor.ts';

export interface NodeStatus {
  readonly name: string;
  /** null when it is not known yet. */
  readonly address: string | null;
  /** Its cable on this machine; null of a node that is simulated or elsewhere. */
  readonly link: string | null;
  /** Off = its processes do not run. Ready and NotReady are the server's word; Unknown when it cannot be asked. */
  readonly state: 'Ready' | 'NotReady' | 'Off' | 'Unknown';
  /** In the process of the server, without containers. */
  readonly simulated: boolean;
  /** Restarting = it has ended and its supervisor starts it again. null where this machine does not run it. */
  readonly agent: ProcessState | null;
  /** How often the agent was started again since the node was; null as `agent`. */
  readonly restarts: number | null;
  /** Of the agent; null while it is being started again too. */
  readonly pid: number | null;
  /** Containers that run, by the server's word; null when it cannot be asked. */
  readonly containers: number | null;
  readonly version: string | null;
}

export type ProcessState = 'Running' | 'Restarting' | 'Off';

export interface ClusterStatus {
  readonly name: string;
  readonly dataDir: string;
  readonly kubeconfig: { readonly file: string; readonly context: string };
  readonly server: {
    readonly url: string;
    /** Running = its process is there but it does not answer. Restarting = its supervisor starts it again. */
    readonly state: 'Ready' | ProcessState;
    readonly pid: number | null;
    /** How often it was started again since `up` started it. */
    readonly restarts: number;
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

export async function readStatus(machine: Machine, state: ClusterState): Promise<ClusterStatus> {
  const alive = isServerAlive(state);
  const said = alive ? await ask(machine, state) : undefined;
  const runs = readRuns(serverRuns(state));
  const ours = state.nodes.map((node) =>
    planNodeStatus(
      node,
      isNodeAlive(node) ? readRuns(nodeRuns(state, node)) : undefined,
      said && { facts: said.nodes.get(node.name), containers: said.containers },
    ),
  );
  const others = [...(said?.nodes.values() ?? [])].filter(
    ({ name }) => !state.nodes.some((node) => node.name === name),
  );
  return {
    name: state.name,
    dataDir: state.dataDir,
    kubeconfig: { file: state.kubeconfig.file, context: state.kubeconfig.context },
    server: {
      url: serverUrl(state),
      state: said !== undefined ? 'Ready' : processState(alive ? runs : undefined),
      pid: alive ? (runs.pid ?? null) : null,
      restarts: alive ? runs.restarts : 0,
      version: said?.version ?? null,
    },
    nodes: [...ours, ...(await readOthers(others, said?.containers ?? new Map()))],
  };
}

async function readOthers(
  others: readonly NodeFacts[],
  containers: ReadonlyMap<string, number>,
): Promise<NodeStatus[]> {
  if (others.length === 0) return [];
  // Most clusters have none, and need not wait for the names.
  const { powerAnnotation, simulatedLabel } = await import('../../simulation/index.ts');
  return others.map((facts) => {
    const simulated = facts.labels?.[simulatedLabel] !== undefined;
    return planOtherNodeStatus(facts, {
      simulated,
      off: simulated && facts.annotations?.[powerAnnotation] === 'off',
      containers: containers.get(facts.name) ?? 0,
    });
  });
}

const processState = (runs: Runs | undefined): ProcessState =>
  runs === undefined ? 'Off' : runs.pid === undefined ? 'Restarting' : 'Running';

/** `runs` of one whose supervisor lives. */
export function planNodeStatus(
  node: NodeState,
  runs: Runs | undefined,
  said: { facts: NodeFacts | undefined; containers: ReadonlyMap<string, number> } | undefined,
): NodeStatus {
  const ready = said?.facts?.ready === true ? 'Ready' : 'NotReady';
  return {
    name: node.name,
    address: node.address,
    link: node.link,
    state: runs === undefined ? 'Off' : said === undefined ? 'Unknown' : ready,
    simulated: false,
    agent: processState(runs),
    restarts: runs?.restarts ?? 0,
    pid: runs?.pid ?? null,
    // What the server last heard of a node that is off is no longer so.
    containers: runs === undefined ? 0 : said === undefined ? null : (said.containers.get(node.name) ?? 0),
    version: said?.facts?.version ?? null,
  };
}

/** A node that the server knows and this machine does not run: simulated, or of another machine. */
export function planOtherNodeStatus(
  facts: NodeFacts,
  { simulated, off, containers }: { simulated: boolean; off: boolean; containers: number },
): NodeStatus {
  return {
    name: facts.name,
    address: facts.address ?? null,
    link: null,
    state: off ? 'Off' : facts.ready ? 'Ready' : 'NotReady',
    simulated,
    agent: null,
    restarts: null,
    pid: null,
    containers: off ? 0 : containers,
    version: facts.version ?? null,
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
  const again =
    server.restarts === 0
      ? ''
      : `, started again ${server.restarts === 1 ? 'once' : `${server.restarts} times`}`;
  return [
    `cluster    ${found.name}`,
    `server     ${server.state}${pid}${again}${server.version === null ? '' : `, ${server.version}`}`,
    `API        ${server.url}`,
    `context    ${found.kubeconfig.context} in ${found.kubeconfig.file}`,
    `data       ${found.dataDir}`,
    '',
    ...nodeLines(found.nodes),
  ];
}

export function nodeLines(nodes: readonly NodeStatus[]): string[] {
  return tableLines(
    ['NODE', 'STATE', 'ADDRESS', 'LINK', 'AGENT', 'PID', 'RESTARTS', 'CONTAINERS', 'VERSION'],
    nodes.map((node) => [
      node.name,
      node.state,
      node.address ?? '-',
      node.link ?? '-',
      node.simulated ? 'simulated' : (node.agent ?? 'elsewhere'),
      String(node.pid ?? '-'),
      String(node.restarts ?? '-'),
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
