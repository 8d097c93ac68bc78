// `jotasu down`: everything that belongs to a cluster, undone. The choice: it does not rely on what `up` got done; each part is
// removed if it is there, so that it also cleans up after a half-made, killed or rebooted cluster.
import { existsSync, lstatSync, readdirSync, readFileSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterFlags } from '../../cli/index.ts';
import { removeFromKubeconfig } from '../../client/index.ts';
import {
  forgetRouters,
  killCgroup,
  readMountsBelow,
  removeCgroup,
  removeEmptyParents,
  removeLink,
  setForwarding,
} from '../../os/index.ts';
import { removeFirewall } from './firewall.ts';
import { lockDirectory } from './lock.ts';
import type { Machine } from './machine.ts';
import { clearNode } from './node-machine.ts';
import { clusterCgroup, ownEntries } from './places.ts';
import { removeRemains } from './remains.ts';
import { needRoot } from './requirements.ts';
import { stopServer } from './server-process.ts';
import { listClusters, needState, readStateOf, StateHolder, writeState } from './state.ts';

export async function down(machine: Machine, flags: ClusterFlags): Promise<void> {
  needRoot(machine, 'down');
  const release = await lockDirectory(machine.clustersDir, () =>
    machine.say('Waiting for another jotasu command to finish.'),
  );
  try {
    if (
      readStateOf(machine.clustersDir, flags.name) === undefined &&
      (await removeRemains(machine, flags.name))
    ) {
      machine.say(
        `Cluster ${flags.name} had no record any more; what was left of it on this machine is gone.`,
      );
      return;
    }
    const holder = new StateHolder(needState(machine.clustersDir, flags.name));
    const { nodes, dataDir } = holder.now;
    await removeCluster(machine, holder);
    machine.say(
      `Cluster ${flags.name} is gone: its server, ${nodes.length} node${nodes.length === 1 ? '' : 's'}, network, kubectl context, and all data in ${dataDir}.`,
    );
  } finally {
    // Locking may have made it.
    removeIfEmpty(machine.clustersDir);
    release();
  }
}

/** Idempotent; goes on as far as it can and then throws what failed, with the state still there to try again. */
export async function removeCluster(machine: Machine, holder: StateHolder): Promise<void> {
  const state = holder.now;
  const { exec, clock } = machine;
  const cgroups = machine.cgroups();
  const failures: unknown[] = [];
  const attempt = async (what: () => unknown): Promise<void> => {
    try {
      await what();
    } catch (error) {
      failures.push(error);
    }
  };
  // Nodes at once, as their power goes: nothing of what they would still write is kept.
  await Promise.all(state.nodes.map((node) => attempt(() => clearNode(machine, state, node))));
  await attempt(() => stopServer(machine, holder));
  await attempt(() => killCgroup(cgroups, clusterCgroup(state), clock));
  await attempt(() => removeCgroup(cgroups, clusterCgroup(state), clock));
  await attempt(() => removeEmptyParents(cgroups, clusterCgroup(state)));
  await attempt(() => removeLink(exec, state.bridge));
  await attempt(() => removeFirewall(exec, state, machine.searchPath));
  for (const kubeconfig of [state.kubeconfig, ...(state.otherKubeconfigs ?? [])])
    await attempt(() => removeContext(machine, kubeconfig));
  await attempt(() => rmSync(join(machine.runDir, state.name), { recursive: true, force: true }));
  await attempt(() => removeIfEmpty(machine.runDir));
  if (failures.length > 0) throw failures[0];

  // Last, so that a second `down` finds what is still to be done.
  const others = listClusters(machine.clustersDir).filter((cluster) => cluster.name !== state.name);
  await removeData(machine, holder);
  const heir = others.find((other) => other.kubeconfig.file === state.kubeconfig.file) ?? others[0];
  if (heir !== undefined) {
    // Another cluster uses the same; whoever is last undoes it.
    const { directories, forwardingWasOff, forwarding6 } = state.made;
    const shared = directories.filter((path) => existsSync(path) && !heir.made.directories.includes(path));
    const sameFile = heir.kubeconfig.file === state.kubeconfig.file && state.kubeconfig.isOurs;
    writeState({
      ...heir,
      kubeconfig: { ...heir.kubeconfig, isOurs: heir.kubeconfig.isOurs || sameFile },
      made: {
        directories: [...shared, ...heir.made.directories],
        forwardingWasOff: heir.made.forwardingWasOff || forwardingWasOff,
        forwarding6: heir.made.forwarding6 ?? forwarding6,
      },
    });
    return;
  }
  for (const path of [...state.made.directories].reverse()) removeIfEmpty(path);
  if (state.made.forwardingWasOff) setForwarding(4, '0');
  if (state.made.forwarding6 !== undefined) {
    setForwarding(6, '0');
    forgetRouters(state.made.forwarding6.links);
  }
  removeIfEmpty(machine.clustersDir);
}

async function removeData(machine: Machine, holder: StateHolder): Promise<void> {
  const { dataDir, name } = holder.now;
  // Never delete through a mount.
  for (const point of readMountsBelow(dataDir).reverse())
    if (point !== dataDir) await machine.exec.run(['umount', '-l', point], { mayFail: true });
  for (const entry of ownEntries) rmSync(join(dataDir, entry), { recursive: true, force: true });
  const byName = join(machine.clustersDir, name);
  if (lstatSync(byName, { throwIfNoEntry: false })?.isSymbolicLink()) unlinkSync(byName);
  else removeIfEmpty(byName);
}

interface MadeFile {
  readonly file: string;
  readonly context: string;
  readonly isOurs: boolean;
}

async function removeContext(machine: Machine, { file, context, isOurs }: MadeFile): Promise<void> {
  await removeFromKubeconfig(file, context, machine.clock);
  if (!isOurs || !existsSync(file)) return;
  const { parse } = await import('yaml');
  const { clusters, users, contexts } = (parse(readFileSync(file, 'utf8')) ?? {}) as Record<
    string,
    unknown[]
  >;
  if ([clusters, users, contexts].every((list) => (list ?? []).length === 0)) rmSync(file);
}

function removeIfEmpty(directory: string): void {
  try {
    if (readdirSync(directory).length === 0) rmdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
