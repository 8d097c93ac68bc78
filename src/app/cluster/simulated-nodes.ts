// `jotasu node kill | stop | start | remove | add --simulate` for nodes that a server simulates. They are reached through the API alone,
// by the annotations and the label that the simulation follows, so these commands work on any server one has a kubeconfig of.
import { type Clock, sleep } from '../../base/index.ts';
import { CommandFailure } from '../../cli/index.ts';
import { readKubeconfig } from '../../client/index.ts';
import { createHttpsClient } from '../../http/index.ts';
import { type ControlApi, connectControlApi, controlApiOver, type NodeFacts } from './control-api.ts';
import type { Machine } from './machine.ts';
import { readStateOf } from './state.ts';

/** Whom to ask: a server by its kubeconfig, else that of a cluster of this machine. */
export interface Whose {
  readonly name: string;
  readonly kubeconfig?: string | undefined;
}

/** Loaded when a node may be simulated: other commands need not know the simulation. */
const simulationNames = () => import('../../simulation/index.ts');

const readyTimeoutMs = 120_000;

export async function connectTo(
  machine: Machine,
  { name, kubeconfig }: Whose,
): Promise<ControlApi | undefined> {
  if (kubeconfig !== undefined) return connectByKubeconfig(kubeconfig, machine.clock);
  const state = readStateOf(machine.clustersDir, name);
  return state === undefined ? undefined : connectControlApi(state, machine.clock);
}

async function connectByKubeconfig(file: string, clock: Clock): Promise<ControlApi> {
  const { server, ca, cert, key } = await readKubeconfig(file);
  if (cert === undefined || key === undefined)
    throw new CommandFailure(`${file} must hold a client certificate with its key`);
  return controlApiOver(
    createHttpsClient({ server, ca, cert, key, userAgent: 'jotasu-cluster', timeoutMs: 5_000, clock }),
  );
}

/** What the verbs do to the node named, if it is a simulated one. false = it is not, or nobody knows. */
export async function changeSimulated(
  machine: Machine,
  whose: Whose & { readonly node: string },
  verb: 'kill' | 'stop' | 'start' | 'remove',
): Promise<boolean> {
  const api = await connectTo(machine, whose);
  if (api === undefined) return false;
  const { node: name } = whose;
  try {
    const found = (await api.listNodes()).find((node) => node.name === name);
    const { powerAnnotation, simulatedLabel } = await simulationNames();
    if (found?.labels?.[simulatedLabel] === undefined) {
      if (whose.kubeconfig === undefined) return false;
      throw new CommandFailure(
        found === undefined ? `there is no node ${name}` : `node ${name} is not simulated by the server`,
      );
    }
    if (verb === 'remove') {
      await api.deleteNode(name);
      machine.say(`Node ${name} is removed.`);
      return true;
    }
    await api.annotateNode(name, { [powerAnnotation]: verb === 'start' ? null : 'off' });
    if (verb === 'start') machine.say(`Node ${name} is running again.`);
    else machine.say(verb === 'kill' ? `Node ${name} is off.` : `Node ${name} is stopped.`);
    return true;
  } finally {
    api.close();
  }
}

/** Makes `count` nodes more, and waits until the server calls them ready. */
export async function addSimulated(
  machine: Machine,
  { count, node, ...whose }: Whose & { readonly count: number; readonly node?: string | undefined },
  signal: AbortSignal,
): Promise<void> {
  const api = await connectTo(machine, whose);
  if (api === undefined)
    throw new CommandFailure(`there is no cluster ${whose.name} on this machine; "jotasu up" starts one`);
  try {
    const { simulatedLabel } = await simulationNames();
    const names = planNames(await api.listNodes(), { count, node });
    for (const name of names)
      await api.createNode({ metadata: { name, labels: { [simulatedLabel]: 'true' } } });
    const wanted = new Set(names);
    const endMs = machine.clock.monotonicMs() + readyTimeoutMs;
    for (;;) {
      const ready = (await api.listNodes()).filter((one) => one.ready && wanted.has(one.name)).length;
      if (ready === names.length) break;
      if (machine.clock.monotonicMs() > endMs)
        throw new CommandFailure(
          `${names.length - ready} simulated nodes are not ready after ${readyTimeoutMs / 1000} s; does the server run with --simulate-nodes?`,
        );
      await sleep(machine.clock, 200, signal);
    }
    const [first] = names;
    machine.say(
      names.length === 1
        ? `Simulated node ${first} is ready.`
        : `${names.length} simulated nodes are ready: ${first} … ${names.at(-1)}.`,
    );
  } finally {
    api.close();
  }
}

/** Names that are free, counted on from those there are. Pure. Throws CommandFailure. */
export function planNames(
  nodes: readonly Pick<NodeFacts, 'name'>[],
  { count, node }: { readonly count: number; readonly node?: string | undefined },
): string[] {
  const taken = new Set(nodes.map(({ name }) => name));
  if (node !== undefined) {
    if (count !== 1) throw new CommandFailure('a name goes with --simulate 1 only', { exitCode: 2 });
    if (taken.has(node)) throw new CommandFailure(`there is a node ${node} already`);
    return [node];
  }
  const names: string[] = [];
  for (let number = 1; names.length < count; number++) {
    const name = `sim-${number}`;
    if (!taken.has(name)) names.push(name);
  }
  return names;
}
