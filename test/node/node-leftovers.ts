// What the kernel, containerd and the CNI plugins hold for the pods of one node, held against the pods that there are: whatever
// belongs to none of them is a leftover. Everything is read from outside, so a node whose agent is wrong about itself is caught.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectRuntime, listProcesses, readCgroupLayout } from '../../src/os/index.ts';

export interface ExpectedPod {
  readonly uid: string;
  readonly ip: string;
  /** Names of the containers that run. */
  readonly containers: readonly string[];
}

export interface NodeOnMachine {
  readonly cluster: string;
  readonly name: string;
  readonly dataDir?: string;
}

const runDir = '/run/jotasu/containerd';

/** The processes of a node that are not in pods: supervisor, agent, containerd, shims. */
export function systemProcesses({ cluster, name }: NodeOnMachine): { pid: number; args: string[] }[] {
  return listProcesses(readCgroupLayout(), `/jotasu/${cluster}/${name}/system`).flatMap((pid) => {
    try {
      return [{ pid, args: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') }];
    } catch {
      return [];
    }
  });
}

export const containerdOf = (node: NodeOnMachine): number | undefined =>
  systemProcesses(node).find(({ args }) => args[0]!.endsWith('/containerd'))?.pid;

/** One line for each thing that is there and should not be, or is not and should. Empty = the node holds these pods, once. */
export async function leftovers(node: NodeOnMachine, pods: readonly ExpectedPod[]): Promise<string[]> {
  const { cluster, name, dataDir = `/var/lib/jotasu/${cluster}` } = node;
  const directory = join(dataDir, 'nodes', name);
  const inside = containerdOf(node);
  if (inside === undefined) return [`${name}: no containerd`];
  const found: string[] = [];
  const compare = (what: string, have: readonly string[], want: readonly string[]) => {
    const left = [...want];
    for (const one of have) {
      const at = left.indexOf(one);
      if (at >= 0) left.splice(at, 1);
      else found.push(`${name}: ${what} left over: ${one}`);
    }
    for (const one of left) found.push(`${name}: ${what} missing: ${one}`);
  };
  const uids = pods.map(({ uid }) => uid);

  const runtime = await connectRuntime({ socketPath: `/proc/${inside}/root${runDir}/containerd.sock` });
  let sandboxes: string[];
  let ids: string[];
  try {
    const listed = await runtime.listPodSandbox();
    sandboxes = listed.map(({ id }) => id);
    compare(
      'sandbox',
      listed.map(({ metadata }) => metadata.uid),
      uids,
    );
    const containers = await runtime.listContainers();
    const byId = new Map(listed.map(({ id, metadata }) => [id, metadata.uid]));
    compare(
      'container',
      containers.map((one) => `${byId.get(one.sandboxId)} ${one.name} ${one.state}`),
      pods.flatMap(({ uid, containers }) => containers.map((container) => `${uid} ${container} running`)),
    );
    ids = [...sandboxes, ...containers.map(({ id }) => id)];
  } finally {
    runtime.close();
  }

  compare(
    'shim',
    systemProcesses(node).flatMap(({ args }) =>
      args[0]!.includes('containerd-shim') ? [args[args.indexOf('-id') + 1]!] : [],
    ),
    sandboxes,
  );

  const mounts = readFileSync(`/proc/${inside}/mountinfo`, 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  const below = (folder: string) =>
    mounts.filter((point) => point.startsWith(`${folder}/`)).map((point) => point.slice(folder.length + 1));
  compare(
    'root file system',
    below(`${runDir}/state/io.containerd.runtime.v2.task/k8s.io`),
    ids.map((id) => `${id}/rootfs`),
  );
  compare(
    'shared memory',
    below(`${runDir}/state/io.containerd.grpc.v1.cri/sandboxes`),
    sandboxes.map((id) => `${id}/shm`),
  );
  for (const point of below(join(directory, 'pods')))
    if (!uids.includes(point.split('/')[0]!)) found.push(`${name}: mount left over: ${point}`);
  const netns = below('/run/netns');
  if (netns.length !== pods.length)
    found.push(`${name}: ${netns.length} network namespaces for ${pods.length} pods`);
  compare('file in /run/netns', list(`/proc/${inside}/root/run/netns`), netns);

  const links = spawnSync('nsenter', [`--net=/proc/${inside}/ns/net`, 'ip', '-o', 'link'], {
    encoding: 'utf8',
  });
  const cables = links.stdout.split('\n').filter((line) => /^\d+: veth/.test(line));
  if (cables.length !== pods.length) found.push(`${name}: ${cables.length} cables for ${pods.length} pods`);
  compare(
    'lease of an address',
    list(join(directory, 'cni/networks/jotasu')).filter((file) => /^\d+\./.test(file)),
    pods.map(({ ip }) => ip),
  );
  compare(
    'CNI result',
    list(join(directory, 'cni/results')).filter((file) => file.startsWith('jotasu-')),
    sandboxes.map((id) => `jotasu-${id}-eth0`),
  );

  const layout = readCgroupLayout();
  for (const root of [...layout.legacy.map(({ path }) => path), ...(layout.unified ? [layout.unified] : [])])
    for (const group of podGroups(join(root, 'jotasu', cluster, name)))
      if (!uids.some((uid) => group.includes(uid) || group.includes(uid.replaceAll('-', '_'))))
        found.push(`${name}: cgroup left over: ${root} ${group}`);

  compare('directory', list(join(directory, 'pods')), uids);
  return found;
}

const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** Those of pods, also below groups of a quality of service. */
function podGroups(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory() || entry.name === 'system') return [];
    return /pod[0-9a-f]{8}[-_]/.test(entry.name) ? [entry.name] : podGroups(join(folder, entry.name));
  });
}
