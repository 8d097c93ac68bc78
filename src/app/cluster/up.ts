// `jotasu up`: the steps that make a cluster, each idempotent, in one readable order. The same steps start a cluster that is not
// there, resume one whose processes were killed or whose machine was restarted, and find one that runs.
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CommandFailure, type UpFlags } from '../../cli/index.ts';
import { mergeKubeconfig } from '../../client/index.ts';
import { readLinks, readRoutes } from '../../os/index.ts';
import { type AddedNodes, ensurePodRoutes, networkSteps, nodesStep } from './cluster-steps.ts';
import { removeCluster } from './down.ts';
import { checkArchives, loadImages } from './images.ts';
import { lockDirectory } from './lock.ts';
import type { Machine } from './machine.ts';
import { isNodeAlive } from './node-machine.ts';
import { contextName, nodeNameOf, pkiDir, serverUrl } from './places.ts';
import { planAllocation, planNode, planPool } from './plan-allocation.ts';
import { runSteps, type Step } from './progress.ts';
import { removeRemains } from './remains.ts';
import { ensureKernel, ensurePackages, needRoot } from './requirements.ts';
import { ensureServer, isPortFree, isServerAlive, stopServer } from './server-process.ts';
import {
  type ClusterState,
  listClusters,
  makeDataDir,
  makeDirectories,
  readFreeBytes,
  readState,
  readStateOf,
  StateHolder,
  writeState,
} from './state.ts';

const defaultNodes = 3;
const firstApiPort = 6443;
/** What a node and the server write at once. */
const neededMb = 20;

export async function up(machine: Machine, flags: UpFlags, signal: AbortSignal): Promise<void> {
  needRoot(machine, 'up');
  await checkArchives(flags.images);
  await ensurePackages(machine, {
    install: flags.install,
    without: flags.without ?? [],
    announces: flags.servicelbPool !== undefined,
  });
  await ensureKernel(machine);
  const release = await lockDirectory(machine.clustersDir, () =>
    machine.say('Waiting for another jotasu command to finish.'),
  );
  try {
    await upLocked(machine, flags, signal);
  } finally {
    release();
  }
}

async function upLocked(machine: Machine, flags: UpFlags, signal: AbortSignal): Promise<void> {
  const { clock, say } = machine;
  const beganMs = clock.monotonicMs();
  const before = readStateOf(machine.clustersDir, flags.name);
  if (before === undefined && (await removeRemains(machine, flags.name)))
    say(`Removed what was left of an earlier cluster ${flags.name} that has no record any more.`);
  const holder = new StateHolder(
    before === undefined ? await createCluster(machine, flags) : changedCluster(before, flags),
  );
  if (before === undefined)
    say(`Starting cluster ${flags.name} with ${count(holder.now.nodes.length, 'node')}.`);
  else if (isServerAlive(before) && before.nodes.every(isNodeAlive))
    say(`Cluster ${flags.name} is running; checking its parts.`);
  else say(`Cluster ${flags.name} is there; starting what does not run.`);

  const fresh: Step = {
    title: `data in ${holder.now.dataDir}`,
    ensure: async () => (before === undefined ? 'made' : 'there'),
    undo: async () => removeCluster(machine, holder),
  };
  // When a new cluster fails all of it goes; of one that was there, what this run added.
  const added: AddedNodes | undefined = before && {
    names: holder.now.nodes
      .map((node) => node.name)
      .filter((name) => !before.nodes.some((node) => node.name === name)),
    lastNumberBefore: before.lastNodeNumber,
  };
  let made: number;
  try {
    ({ made } = await runSteps([fresh, ...clusterSteps(machine, holder, { flags, added })], {
      clock,
      say,
      signal,
    }));
  } catch (error) {
    if (added !== undefined) {
      // Also those that no step came to.
      const nodes = holder.now.nodes.filter((node) => !added.names.includes(node.name));
      holder.change({ nodes, lastNodeNumber: added.lastNumberBefore });
      throw asFailure(error);
    }
    throw asFailure(error, 'Nothing was left behind.');
  }
  const seconds = ((clock.monotonicMs() - beganMs) / 1000).toFixed(1);
  const how = made === 0 ? 'is running' : `is ready after ${seconds} s`;
  for (const line of whatNext(holder.now, { how, command: machine.command })) say(line);
}

/** A failure of a step is what a person reads; with a stack only when it is one of ours. */
function asFailure(error: unknown, more = ''): unknown {
  if (!(error instanceof Error)) return error;
  const known =
    error instanceof CommandFailure || ['CommandError', 'AbortError', 'KubeconfigError'].includes(error.name);
  if (!known) return error;
  const exitCode = error instanceof CommandFailure ? error.exitCode : 1;
  const message = more === '' ? error.message : `${error.message}\n${more}`;
  return new CommandFailure(message, { exitCode, cause: error });
}

export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

export function whatNext(state: ClusterState, { how, command }: { how: string; command: string }): string[] {
  const option = state.name === 'jotasu' ? '' : ` --name ${state.name}`;
  const lastNode = state.nodes.at(-1);
  const standard = state.kubeconfig.file.endsWith('/.kube/config')
    ? ''
    : ` --kubeconfig ${state.kubeconfig.file}`;
  return [
    '',
    `Cluster ${state.name} ${how}: ${serverUrl(state)}, kubectl context ${state.kubeconfig.context} in ${state.kubeconfig.file}`,
    '',
    'Try:',
    `  kubectl${standard} get nodes -o wide`,
    `  ${command} status${option}`,
    lastNode === undefined
      ? `  ${command} node add${option}    # it has none`
      : `  ${command} node kill ${lastNode.name}${option}    # power-off; "node start" brings it back`,
    `  ${command} down${option}    # removes the cluster with its data`,
  ];
}

/** Chooses what a new cluster gets and writes it down, before anything else is made. */
async function createCluster(machine: Machine, flags: UpFlags): Promise<ClusterState> {
  const dataDir = resolve(flags.dataDir ?? join(machine.clustersDir, flags.name));
  checkDataDir(dataDir);
  const freeMb = Math.floor(readFreeBytes(dataDir) / 1e6);
  if (freeMb < neededMb)
    throw new CommandFailure(
      `the disk that holds ${dataDir} has ${freeMb} MB left, and a cluster needs ${neededMb} MB and room for images; make room or give another --data-dir`,
    );
  const clusters = listClusters(machine.clustersDir);
  const asked = `${flags.clusterCidr ?? ''}${flags.serviceCidr ?? ''}`;
  const allocation = planAllocation(
    {
      links: await readLinks(machine.exec),
      routes: await readRoutes(machine.exec, asked.includes(':') ? [4, 6] : [4]),
      clusters,
    },
    flags,
  );
  const apiPort = await chooseApiPort(clusters);
  const nodes = Array.from({ length: flags.nodes ?? defaultNodes }, (_, i) =>
    planNode(allocation, i + 1, nodeNameOf(flags.name, i + 1)),
  );
  const directories = makeDataDir(machine.clustersDir, flags.name, dataDir);
  const kubeconfig = resolve(flags.kubeconfig ?? machine.defaultKubeconfig);
  const madeForKubeconfig: string[] = [];
  makeDirectories(dirname(kubeconfig), madeForKubeconfig);
  const state: ClusterState = {
    format: 1,
    name: flags.name,
    ...allocation,
    dataDir,
    apiPort,
    kubeconfig: {
      file: kubeconfig,
      context: contextName(flags.name),
      isOurs: !existsSync(kubeconfig),
    },
    ...(flags.without !== undefined && { without: flags.without }),
    servicelbPool: poolOf(allocation, flags),
    version: machine.programVersion,
    server: null,
    nodes,
    lastNodeNumber: nodes.length,
    made: { directories: [...directories, ...madeForKubeconfig], forwardingWasOff: false },
  };
  writeState(state);
  return state;
}

const poolOf = (
  { nodeCidr }: Pick<ClusterState, 'nodeCidr'>,
  { servicelbPool }: UpFlags,
): readonly string[] | undefined => (servicelbPool?.[0] === 'auto' ? planPool(nodeCidr) : servicelbPool);

const notForData = ['/', '/run', '/proc', '/sys', '/dev', '/etc', '/usr', '/bin', '/sbin', '/lib', '/boot'];

function checkDataDir(dataDir: string): void {
  if (notForData.some((place) => dataDir === place || (place !== '/' && dataDir.startsWith(`${place}/`))))
    throw new CommandFailure(`${dataDir} is no place for data`);
  if (!existsSync(dataDir)) return;
  if (!lstatSync(dataDir).isDirectory()) throw new CommandFailure(`${dataDir} is not a directory`);
  const other = readState(dataDir);
  if (other !== undefined) throw new CommandFailure(`${dataDir} holds the data of cluster ${other.name}`);
  if (readdirSync(dataDir).length > 0)
    throw new CommandFailure(
      `${dataDir} is not empty, and "jotasu down" removes data; give an empty or a new directory`,
    );
}

async function chooseApiPort(clusters: readonly ClusterState[]): Promise<number> {
  for (let port = firstApiPort; port < firstApiPort + 1000; port++)
    if (!clusters.some((cluster) => cluster.apiPort === port) && (await isPortFree(port))) return port;
  throw new CommandFailure(`no port from ${firstApiPort} on is free`);
}

/** What flags may change of a cluster that exists: the number of nodes upwards, and where its context is written. */
function changedCluster(state: ClusterState, flags: UpFlags): ClusterState {
  if (flags.dataDir !== undefined && resolve(flags.dataDir) !== state.dataDir)
    throw new CommandFailure(
      `the data of cluster ${state.name} are in ${state.dataDir}, not in ${flags.dataDir}`,
    );
  if (flags.without !== undefined && flags.without.join() !== (state.without ?? []).join())
    throw new CommandFailure(
      `cluster ${state.name} was made ${(state.without ?? []).length > 0 ? `without ${state.without!.join()}` : 'with all its parts'}; "jotasu down" and "up" make it anew`,
    );
  for (const [flag, asked, has] of [
    ['cluster-cidr', flags.clusterCidr, state.podCidr],
    ['service-cidr', flags.serviceCidr, state.serviceCidr],
    ['servicelb-pool', poolOf(state, flags)?.join(), state.servicelbPool?.join()],
  ] as const)
    if (asked !== undefined && asked !== has)
      throw new CommandFailure(
        `cluster ${state.name} was made with${has === undefined ? 'out' : ''} --${flag}${has === undefined ? '' : ` ${has}`}; "jotasu down" and "up" make it anew`,
      );
  let { nodes, lastNodeNumber } = state;
  if (flags.nodes !== undefined && flags.nodes < nodes.length)
    throw new CommandFailure(
      `cluster ${state.name} has ${count(nodes.length, 'node')}; "jotasu node remove" takes one away`,
    );
  for (let missing = (flags.nodes ?? 0) - nodes.length; missing > 0; missing--) {
    lastNodeNumber++;
    nodes = [...nodes, planNode(state, lastNodeNumber, nodeNameOf(state.name, lastNodeNumber))];
  }
  const file = flags.kubeconfig === undefined ? state.kubeconfig.file : resolve(flags.kubeconfig);
  const written = [state.kubeconfig, ...(state.otherKubeconfigs ?? [])];
  const { context } = state.kubeconfig;
  const kubeconfig = written.find((one) => one.file === file) ?? { file, context, isOurs: !existsSync(file) };
  const otherKubeconfigs = written.filter((one) => one !== kubeconfig);
  const changed = { ...state, nodes, lastNodeNumber, kubeconfig, otherKubeconfigs };
  writeState(changed);
  return changed;
}

function clusterSteps(
  machine: Machine,
  holder: StateHolder,
  { flags, added }: { flags: UpFlags; added: AddedNodes | undefined },
): Step[] {
  const { now: state } = holder;
  return [
    ...networkSteps(machine, holder),
    {
      title: `server ${serverUrl(state)}`,
      ensure: (signal) => ensureServer(machine, holder, signal),
      undo: () => stopServer(machine, holder),
    },
    // Somebody may have removed the last one.
    ...(state.nodes.length === 0
      ? []
      : [nodesStep(machine, holder, { names: state.nodes.map((node) => node.name), added })]),
    {
      title: 'routes from this machine to pods',
      ensure: () => ensurePodRoutes(machine, holder.now),
    },
    ...(flags.images.length === 0
      ? []
      : [
          {
            title: `images ${flags.images.join(', ')}`,
            ensure: async () => {
              await loadImages(machine, holder.now, { files: flags.images });
              return 'made' as const;
            },
          },
        ]),
    {
      title: `kubectl context ${state.kubeconfig.context} in ${state.kubeconfig.file}`,
      ensure: async () => {
        return ensureContext(machine, holder.now);
      },
    },
  ];
}

async function ensureContext(machine: Machine, state: ClusterState): Promise<'made' | 'there'> {
  const { file } = state.kubeconfig;
  const before = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  const read = (file: string) => readFileSync(join(pkiDir(state), file), 'utf8');
  await mergeKubeconfig(
    state.kubeconfig.file,
    {
      name: state.kubeconfig.context,
      server: serverUrl(state),
      ca: read('ca.crt'),
      cert: read('admin.crt'),
      key: read('admin.key'),
    },
    machine.clock,
  );
  return readFileSync(file, 'utf8') === before ? 'there' : 'made';
}
