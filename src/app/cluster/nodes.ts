// `jotasu node kill | stop | start | add | remove`.
import { CommandFailure, type NodeAddFlags, type NodeFlags } from '../../cli/index.ts';
import { ensurePodRoutes, forgetNode, nodesStep } from './cluster-steps.ts';
import { connectControlApi } from './control-api.ts';
import { lockDirectory } from './lock.ts';
import type { Machine } from './machine.ts';
import { isNodeAlive, killNode, shutNodeDown } from './node-machine.ts';
import { nodeNameOf } from './places.ts';
import { planNode } from './plan-allocation.ts';
import { runSteps } from './progress.ts';
import { needRoot } from './requirements.ts';
import { isServerAlive } from './server-process.ts';
import { addSimulated, changeSimulated } from './simulated-nodes.ts';
import { needState, StateHolder } from './state.ts';

/** Takes no lock: a power cut waits for nobody. */
export async function nodeKill(machine: Machine, flags: NodeFlags): Promise<void> {
  if (await isSimulated(machine, flags, 'kill')) return;
  needRoot(machine, 'node kill');
  const holder = new StateHolder(needState(machine.clustersDir, flags.name));
  const node = holder.node(flags.node);
  const beganMs = machine.clock.monotonicMs();
  const killed = await killNode(machine, holder.now, node);
  const tookMs = Math.round(machine.clock.monotonicMs() - beganMs);
  if (killed === 0) machine.say(`Node ${node.name} was off already.`);
  else
    machine.say(
      `Node ${node.name} is off: ${killed} processes ended and link ${node.link} down in ${tookMs} ms.`,
    );
}

export async function nodeStop(machine: Machine, flags: NodeFlags): Promise<void> {
  if (await isSimulated(machine, flags, 'stop')) return;
  needRoot(machine, 'node stop');
  await withCluster(machine, flags.name, async (holder) => {
    const node = holder.node(flags.node);
    const alive = isNodeAlive(node);
    if (alive) machine.say(`Ending the pods of node ${node.name}.`);
    await shutNodeDown(machine, holder.now, node);
    holder.changeNode(node.name, { process: null });
    machine.say(alive ? `Node ${node.name} is stopped.` : `Node ${node.name} was off already.`);
  });
}

export async function nodeStart(machine: Machine, flags: NodeFlags, signal: AbortSignal): Promise<void> {
  if (await isSimulated(machine, flags, 'start')) return;
  needRoot(machine, 'node start');
  await withCluster(machine, flags.name, async (holder) => {
    const node = holder.node(flags.node);
    if (isNodeAlive(node)) {
      machine.say(`Node ${node.name} is running.`);
      return;
    }
    needServer(holder);
    await startNode(machine, holder, { name: node.name, signal });
    machine.say(`Node ${node.name} is running again.`);
  });
}

export async function nodeAdd(machine: Machine, flags: NodeAddFlags, signal: AbortSignal): Promise<void> {
  const { simulate, ...rest } = flags;
  if (simulate !== undefined) {
    if (flags.kubeconfig === undefined) needRoot(machine, 'node add');
    await addSimulated(machine, { ...rest, count: simulate }, signal);
    return;
  }
  if (flags.kubeconfig !== undefined)
    throw new CommandFailure('--kubeconfig goes with --simulate', { exitCode: 2 });
  needRoot(machine, 'node add');
  await withCluster(machine, flags.name, async (holder) => {
    needServer(holder);
    const number = holder.now.lastNodeNumber + 1;
    const name = flags.node ?? nodeNameOf(flags.name, number);
    if ([...holder.now.nodes, ...(await listNodes(machine, holder))].some((node) => node.name === name))
      throw new CommandFailure(`cluster ${flags.name} has a node ${name} already`);
    const before = holder.now;
    holder.change({ nodes: [...before.nodes, planNode(before, number, name)], lastNodeNumber: number });
    await startNode(machine, holder, { name, signal, lastNumberBefore: before.lastNodeNumber });
    machine.say(`Node ${name} is part of cluster ${flags.name}.`);
  });
}

export async function nodeRemove(machine: Machine, flags: NodeFlags): Promise<void> {
  if (await isSimulated(machine, flags, 'remove')) return;
  needRoot(machine, 'node remove');
  await withCluster(machine, flags.name, async (holder) => {
    holder.node(flags.node);
    needServer(holder);
    await forgetNode(machine, holder, flags.node);
    machine.say(`Node ${flags.node} is removed, with its data.`);
    if (holder.now.nodes.length === 0)
      machine.say(`Cluster ${flags.name} has no node of this machine now; "jotasu node add" adds one.`);
  });
}

/** `lastNumberBefore` is there for a new node, which is forgotten again when it does not start. */
async function startNode(
  machine: Machine,
  holder: StateHolder,
  { name, signal, lastNumberBefore }: { name: string; signal: AbortSignal; lastNumberBefore?: number },
): Promise<void> {
  const { clock, say } = machine;
  const isNew = lastNumberBefore !== undefined;
  const node = nodesStep(machine, holder, {
    names: [name],
    added: isNew ? { names: [name], lastNumberBefore } : undefined,
  });
  const routes = {
    title: 'routes from this machine to pods',
    ensure: () => ensurePodRoutes(machine, holder.now),
  };
  await runSteps([node, routes], { clock, say, signal });
}

/** Nodes of this machine come first: they are known without a server, which a power cut does not wait for. */
async function isSimulated(
  machine: Machine,
  flags: NodeFlags,
  verb: 'kill' | 'stop' | 'start' | 'remove',
): Promise<boolean> {
  if (flags.kubeconfig !== undefined) return changeSimulated(machine, flags, verb);
  needRoot(machine, `node ${verb}`);
  const state = needState(machine.clustersDir, flags.name);
  if (!isServerAlive(state) || state.nodes.some(({ name }) => name === flags.node)) return false;
  return changeSimulated(machine, flags, verb);
}

/** Simulated ones and those of other machines too. */
async function listNodes(machine: Machine, holder: StateHolder): Promise<readonly { name: string }[]> {
  const api = connectControlApi(holder.now, machine.clock);
  try {
    return await api.listNodes();
  } finally {
    api.close();
  }
}

function needServer(holder: StateHolder): void {
  const { now: state } = holder;
  if (!isServerAlive(state))
    throw new CommandFailure(`the server of cluster ${state.name} does not run; "jotasu up" starts it`);
}

async function withCluster(
  machine: Machine,
  name: string,
  run: (holder: StateHolder) => Promise<void>,
): Promise<void> {
  needState(machine.clustersDir, name);
  const release = await lockDirectory(machine.clustersDir, () =>
    machine.say('Waiting for another jotasu command to finish.'),
  );
  try {
    await run(new StateHolder(needState(machine.clustersDir, name)));
  } finally {
    release();
  }
}
