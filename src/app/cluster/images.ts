// `jotasu image load`: archives into the container runtimes of nodes, all nodes side by side.
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailure, type ImageLoadFlags } from '../../cli/index.ts';
import { CommandError } from '../../os/index.ts';
import { isCompressed, planArchive, readArchive, rewriteArchive, unpackArchive } from './image-archive.ts';
import type { Machine } from './machine.ts';
import { isNodeAlive } from './node-machine.ts';
import { containerdSocketOfNode } from './places.ts';
import { needRoot } from './requirements.ts';
import { type ClusterState, type NodeState, needState, StateHolder } from './state.ts';

const importTimeoutMs = 600_000;

export async function imageLoad(machine: Machine, flags: ImageLoadFlags): Promise<void> {
  needRoot(machine, 'image load');
  const state = needState(machine.clustersDir, flags.name);
  await loadImages(machine, state, flags);
}

/** Rejects with a CommandFailure when a file is not there or is no image archive. Before anything is started. */
export async function checkArchives(files: readonly string[]): Promise<void> {
  for (const file of files) await named(file, async () => planArchive(await readArchive(file)));
}

export async function loadImages(
  machine: Machine,
  state: ClusterState,
  options: Pick<ImageLoadFlags, 'files' | 'nodes' | 'as'>,
): Promise<void> {
  const nodes = chooseNodes(state, options.nodes);
  if (options.as !== undefined && options.files.length > 1)
    throw new CommandFailure('--as names one image, and several files were given');
  for (const file of options.files) {
    const beganMs = machine.clock.monotonicMs();
    const plan = await named(file, async () => planArchive(await readArchive(file), options.as));
    let archive = file;
    let temporary: string | undefined;
    try {
      if (plan.kind === 'rename' || (await isCompressed(file))) {
        temporary = mkdtempSync(join(state.dataDir, 'nodes', '.load-'));
        archive = join(temporary, 'image.tar');
        const target = createWriteStream(archive);
        await named(file, () =>
          plan.kind === 'rename' ? rewriteArchive(file, plan.index, target) : unpackArchive(file, target),
        );
      }
      await importInto(machine, nodes, { file, archive });
    } finally {
      if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    }
    const seconds = ((machine.clock.monotonicMs() - beganMs) / 1000).toFixed(1);
    machine.say(
      `Loaded ${plan.names.join(', ')} into ${nodes.map((node) => node.name).join(', ')} (${seconds} s).`,
    );
  }
}

/** Those named, or all that run. */
function chooseNodes(state: ClusterState, names: readonly string[] | undefined): NodeState[] {
  const holder = new StateHolder(state);
  const chosen =
    names === undefined ? state.nodes.filter(isNodeAlive) : names.map((name) => holder.node(name));
  for (const node of chosen)
    if (!isNodeAlive(node))
      throw new CommandFailure(`node ${node.name} is off; "jotasu node start ${node.name}" starts it`);
  if (chosen.length === 0)
    throw new CommandFailure(`no node of cluster ${state.name} runs; "jotasu up" starts them`);
  return chosen;
}

async function importInto(
  machine: Machine,
  nodes: readonly NodeState[],
  { file, archive }: { file: string; archive: string },
): Promise<void> {
  const outcomes = await Promise.allSettled(
    nodes.map((node) =>
      // The socket is in the node's own /run; the archive is opened outside and handed in.
      machine.exec.run(
        [
          'nsenter',
          `--mount=/proc/${node.process!.pid}/ns/mnt`,
          '--',
          'ctr',
          `--address=${containerdSocketOfNode}`,
          '--namespace=k8s.io',
          'images',
          'import',
          '-',
        ],
        { inputFile: archive, timeoutMs: importTimeoutMs },
      ),
    ),
  );
  const failed = outcomes.flatMap((outcome, at) =>
    outcome.status === 'rejected' ? [{ node: nodes[at]!.name, error: outcome.reason as unknown }] : [],
  );
  const first = failed[0];
  if (first === undefined) return;
  const why =
    first.error instanceof CommandError && first.error.stderr.trim() !== ''
      ? first.error.stderr.trim()
      : (first.error as Error).message;
  throw new CommandFailure(`${file}: not loaded into ${failed.map(({ node }) => node).join(', ')}: ${why}`, {
    cause: first.error,
  });
}

async function named<T>(file: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const isDisk = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!(error instanceof CommandFailure) && !isDisk) throw error;
    const why = isDisk
      ? 'there is no room to unpack it beside the nodes: the disk is full'
      : (error as Error).message;
    throw new CommandFailure(`${file}: ${why}`, { cause: error });
  }
}
