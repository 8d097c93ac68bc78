// What is left of a cluster whose record is gone: its data directory was removed by hand, or was on a disk that is no longer there.
// All of it bears the cluster's name, so it is found without the record.
import { existsSync, lstatSync, readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { removeFromKubeconfig } from '../../client/index.ts';
import {
  cgroupExists,
  killCgroup,
  readLinks,
  removeCgroup,
  removeEmptyParents,
  removeLink,
  removeNetns,
  tableExists,
} from '../../os/index.ts';
import { removeFirewall } from './firewall.ts';
import type { Machine } from './machine.ts';
import { clusterCgroup, contextName, nftTable } from './places.ts';

/** Only for a name that has no record. Says whether there was anything. Its data, wherever they are, stay. */
export async function removeRemains(machine: Machine, name: string): Promise<boolean> {
  const { exec, clock } = machine;
  const cgroups = machine.cgroups();
  const cluster = { name };
  const group = clusterCgroup(cluster);
  const byName = join(machine.clustersDir, name);
  const runDir = join(machine.runDir, name);
  const isLink = lstatSync(byName, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  const hasTable =
    (await tableExists(exec, 'ip', nftTable(cluster))) || (await tableExists(exec, 'ip6', nftTable(cluster)));
  if (!isLink && !hasTable && !existsSync(runDir) && !cgroupExists(cgroups, group)) return false;

  const bridge = hasTable ? await readBridge(machine, name) : undefined;
  await killCgroup(cgroups, group, clock);
  await removeCgroup(cgroups, group, clock);
  removeEmptyParents(cgroups, group);
  for (const file of existsSync(runDir) ? readdirSync(runDir) : [])
    if (file.endsWith('.netns')) await removeNetns(exec, join(runDir, file));
  if (bridge !== undefined) {
    for (const link of await readLinks(exec)) if (link.master === bridge) await removeLink(exec, link.name);
    await removeLink(exec, bridge);
    await removeFirewall(exec, { name, bridge, nodeCidr: '', podCidr: '' }, machine.searchPath);
  }
  await removeFromKubeconfig(machine.defaultKubeconfig, contextName(name), clock);
  rmSync(runDir, { recursive: true, force: true });
  if (isLink) unlinkSync(byName);
  for (const directory of [machine.runDir, machine.clustersDir])
    if (existsSync(directory) && readdirSync(directory).length === 0) rmdirSync(directory);
  return true;
}

/** The rule that hides the cluster's packets names its bridge. */
async function readBridge({ exec }: Machine, name: string): Promise<string | undefined> {
  for (const family of ['ip', 'ip6']) {
    const { stdout } = await exec.run(['nft', 'list', 'table', family, nftTable({ name })], {
      mayFail: true,
    });
    const bridge = /oifname != "(jts\d+)"/.exec(stdout)?.[1];
    if (bridge !== undefined) return bridge;
  }
  return undefined;
}
