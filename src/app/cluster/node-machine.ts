// A node: what a machine of its own would be, made of this machine's namespaces and cgroups, with `jotasu agent` running in it.
import { X509Certificate } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { issueCertificate } from '../../http/index.ts';
import {
  applyLinks,
  type CgroupLayout,
  cutLink,
  ensureCgroup,
  ensureNetns,
  identifyProcess,
  isAlive,
  isPinned,
  joinFiles,
  killCgroup,
  leafOf,
  listProcesses,
  type NodeMounts,
  planCommandInGroups,
  planFurtherAddress,
  planInside,
  planNodeCommand,
  planVeth,
  readLinks,
  removeCgroup,
  removeLink,
  removeNetns,
  signalProcess,
  stopProcess,
  versionsOf,
  waitUntilGone,
} from '../../os/index.ts';
import type { Machine } from './machine.ts';
import {
  machineDir,
  netnsFile,
  nodeCgroup,
  nodeDir,
  nodeLog,
  nodeRuns,
  pkiDir,
  runDirOfNode,
  serverUrlOfNodes,
} from './places.ts';
import { dnsAddressOf } from './plan-allocation.ts';
import { identify } from './server-process.ts';
import type { ClusterState, NodeState, StateHolder } from './state.ts';
import { planSupervised, readRuns } from './supervisor.ts';

const stopGraceMs = 10_000;
const certificateDays = 365;
const renewDays = 30;
const dayMs = 86_400_000;

/** Whether its agent is kept running: the supervisor lives. */
export const isNodeAlive = (node: NodeState): boolean => node.process !== null && isAlive(node.process);

/** Places that container programs share by default; each node gets its own, from its directory. */
export const ownPlaces: readonly (readonly [place: string, folder: string])[] = [
  ['/var/lib/cni', 'cni'],
  ['/var/log/pods', 'log/pods'],
  ['/var/log/containers', 'log/containers'],
];

/**
 * Starts it unless it runs. When only its agent and supervisor were ended, they are started again beside the containers that go on;
 * what else an earlier run left of it is cleared away first, and its data stays.
 */
export async function ensureNode(
  machine: Machine,
  holder: StateHolder,
  name: string,
): Promise<'made' | 'there'> {
  const node = holder.node(name);
  if (isNodeAlive(node)) return 'there';
  const state = holder.now;
  const { exec, clock } = machine;
  const inside = await findSurvivor(machine, state, node);
  if (inside === undefined) await clearNode(machine, state, node);

  const directory = nodeDir(state, node);
  for (const folder of ['manifests', ...ownPlaces.map(([, of]) => of)])
    mkdirSync(join(directory, folder), { recursive: true, mode: 0o755 });
  await ensureCredentials(state, node, clock.nowMs());
  writeFileSync(join(directory, 'resolv.conf'), planResolver(readResolverFiles()));

  const runsFile = nodeRuns(state, node);
  rmSync(runsFile, { force: true });
  const program = planSupervised(planAgentCommand(state, node, planAgentProgram(machine.program)), runsFile);
  const command =
    inside === undefined
      ? await makeBody(machine, { state, node, program })
      : planReentry(machine, { state, node, program, inside });
  const { pid } = await exec.spawnDetached(command, { logFile: nodeLog(state, node) });
  holder.changeNode(name, { process: identify(pid, `node ${name}`, nodeLog(state, node)) });
  return 'made';
}

interface Body {
  readonly state: ClusterState;
  readonly node: NodeState;
  readonly program: readonly string[];
}

/** Cgroup, network namespace, cable and address; returns the command that makes the rest and becomes `program`. */
async function makeBody(machine: Machine, { state, node, program }: Body): Promise<string[]> {
  const { exec } = machine;
  const cgroups = machine.cgroups();
  const leaf = leafOf(nodeCgroup(state, node));
  ensureCgroup(cgroups, leaf);
  const netns = netnsFile(machine.runDir, state, node);
  await ensureNetns(exec, netns);
  await applyLinks(
    exec,
    planVeth({
      name: node.link,
      bridge: state.bridge,
      mtu: state.mtu,
      peerNamespace: netns,
      peerName: 'eth0',
    }),
  );
  await applyLinks(exec, planNodeLink(state, node), netns);
  return planNodeCommand(
    { joins: joinFiles(cgroups, leaf), netns, mounts: planMounts(state, node, cgroups, resolverTarget()) },
    program,
  );
}

/** Lines for `ip -batch` in the node's namespace: its addresses, and the way out of each family. Pure. */
export function planNodeLink(state: ClusterState, node: NodeState): string[] {
  const [first, second] = planAddresses(state, node.address);
  const [gateway, otherGateway] = state.gateway.split(',');
  return [
    ...planInside({ link: 'eth0', address: first!, gateway: gateway! }),
    ...(second === undefined
      ? []
      : planFurtherAddress({ link: 'eth0', address: second, gateway: otherGateway })),
  ];
}

/** Addresses of the nodes' range with the length of that, one for each family of the cluster. */
export function planAddresses({ nodeCidr }: Pick<ClusterState, 'nodeCidr'>, address: string): string[] {
  const lengths = nodeCidr.split(',').map((cidr) => cidr.split('/')[1]!);
  return address.split(',').map((one, i) => `${one}/${lengths[i]}`);
}

/**
 * A process of a node whose supervisor has ended, through which its namespaces can be entered: mostly a container's shim. undefined
 * when there is none, or when more than the node's own processes is gone. An agent that is left is ended.
 */
async function findSurvivor(
  machine: Machine,
  state: ClusterState,
  node: NodeState,
): Promise<number | undefined> {
  const cgroups = machine.cgroups();
  const leaf = leafOf(nodeCgroup(state, node));
  const left = listProcesses(cgroups, leaf);
  if (left.length === 0 || !isPinned(netnsFile(machine.runDir, state, node))) return undefined;
  const link = (await readLinks(machine.exec)).find(({ name }) => name === node.link);
  if (link === undefined || !link.up || link.master !== state.bridge) return undefined;
  const agent = readRuns(nodeRuns(state, node)).pid;
  const identity = agent !== undefined && left.includes(agent) ? identifyProcess(agent) : undefined;
  if (identity !== undefined) await stopProcess(identity, stopGraceMs, machine.clock);
  const ours = readlinkSync('/proc/self/ns/mnt');
  return listProcesses(cgroups, leaf).find((pid) => {
    const namespace = mountNamespaceOf(pid);
    return namespace !== undefined && namespace !== ours;
  });
}

function mountNamespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    // It has ended.
    return undefined;
  }
}

/** Pure but for the cgroup layout: into the namespaces of the process `inside`. */
function planReentry(
  machine: Machine,
  { state, node, program, inside }: Body & { readonly inside: number },
): string[] {
  const enter = [
    'nsenter',
    `--mount=/proc/${inside}/ns/mnt`,
    `--uts=/proc/${inside}/ns/uts`,
    `--net=${netnsFile(machine.runDir, state, node)}`,
    '--',
  ];
  const joins = joinFiles(machine.cgroups(), leafOf(nodeCgroup(state, node)));
  return planCommandInGroups(joins, [...enter, ...program]);
}

/**
 * The disk is the machine's and holds more than the cluster, so a share of it says nothing: what counts is what is left. Images were
 * loaded by hand and cannot be fetched again: nobody but who loaded them removes them. docs/design/0013-node-pressure.md
 */
const thresholds = [
  '--eviction-hard=memory.available<100Mi,nodefs.available<1Gi,nodefs.inodesFree<1%,imagefs.available<1Gi,imagefs.inodesFree<1%',
  '--image-gc-high-threshold=100',
];

/** How long the pods of a node may take to end when it is stopped, and how much of that is for critical ones. */
const shutdown = { seconds: 30, criticalSeconds: 10 };

/** A server wants much room for new objects; an agent, of which there are many and mostly idle, would only keep it taken. Pure. */
export function planAgentProgram([node, ...rest]: readonly string[]): string[] {
  return [
    node!,
    '--max-semi-space-size=4',
    ...rest.filter((word) => !/^--m(?:in|ax)-semi-space-size/.test(word)),
  ];
}

/** The command line of the agent. Pure. */
export function planAgentCommand(state: ClusterState, node: NodeState, program: readonly string[]): string[] {
  const directory = nodeDir(state, node);
  const pki = (file: string) => join(directory, 'pki', file);
  return [
    ...program,
    'agent',
    `--server=${serverUrlOfNodes(state)}`,
    `--certificate-authority=${pki('ca.crt')}`,
    `--client-certificate=${pki('node.crt')}`,
    `--client-key=${pki('node.key')}`,
    `--tls-cert-file=${pki('node.crt')}`,
    `--tls-private-key-file=${pki('node.key')}`,
    `--node-name=${node.name}`,
    `--node-ip=${node.address}`,
    `--state-dir=${directory}`,
    `--run-dir=${runDirOfNode}`,
    `--cgroup-parent=${nodeCgroup(state, node)}`,
    `--pod-manifest-path=${join(directory, 'manifests')}`,
    `--shared-machine-dir=${machineDir(state)}`,
    ...thresholds,
    `--shutdown-grace-period=${shutdown.seconds}s`,
    `--shutdown-grace-period-critical-pods=${shutdown.criticalSeconds}s`,
    `--cluster-cidr=${state.podCidr}`,
    `--cluster-dns=${dnsAddressOf(state.serviceCidr)}`,
    ...(state.without?.includes('ingress') ? ['--without=ingress'] : []),
  ];
}

const forwardingFile = {
  4: '/proc/sys/net/ipv4/ip_forward',
  6: '/proc/sys/net/ipv6/conf/all/forwarding',
} as const;

/** Pure but for nothing: every fact is an argument. `resolver` is where /etc/resolv.conf leads to. */
export function planMounts(
  state: ClusterState,
  node: NodeState,
  cgroups: CgroupLayout,
  resolver: string | undefined,
): NodeMounts {
  const directory = nodeDir(state, node);
  return {
    hostname: node.name,
    binds: ownPlaces.map(([place, folder]) => [join(directory, folder), place] as const),
    hidden: ['/run'],
    folders: ['/run/netns', '/run/lock', runDirOfNode],
    unmounted: cgroups.mode === 'hybrid' && cgroups.unified !== undefined ? [cgroups.unified] : [],
    resolver:
      resolver === undefined ? undefined : { source: join(directory, 'resolv.conf'), target: resolver },
    released: ['/run'],
    settings: versionsOf(state.nodeCidr.split(',')).map((version) => [forwardingFile[version], '1'] as const),
  };
}

function resolverTarget(): string | undefined {
  return existsSync('/etc/resolv.conf') ? realpathSync('/etc/resolv.conf') : undefined;
}

function readResolverFiles(): string[] {
  // What systemd-resolved itself asks; its own address, in /etc/resolv.conf, is this machine's loopback.
  return ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'].flatMap((file) =>
    existsSync(file) ? [readFileSync(file, 'utf8')] : [],
  );
}

/** What a node's resolv.conf says: the first of the texts that names a server that is not this machine's loopback. Pure. */
export function planResolver(texts: readonly string[]): string {
  const local = /^\s*nameserver\s+(127\.|::1\b)/;
  const reachable = (text: string) =>
    text
      .split('\n')
      .filter((line) => !local.test(line))
      .join('\n');
  const useful = texts.map(reachable).find((text) => /^\s*nameserver\s/m.test(text));
  return useful ?? '';
}

/** Key and certificate by which the node is known, valid for its own HTTPS server too. Made when missing or nearly expired. */
async function ensureCredentials(state: ClusterState, node: NodeState, nowMs: number): Promise<void> {
  const pki = join(nodeDir(state, node), 'pki');
  mkdirSync(pki, { recursive: true, mode: 0o700 });
  const ca = {
    cert: readFileSync(join(pkiDir(state), 'ca.crt'), 'utf8'),
    key: readFileSync(join(pkiDir(state), 'ca.key'), 'utf8'),
  };
  writeFileSync(join(pki, 'ca.crt'), ca.cert);
  const certFile = join(pki, 'node.crt');
  const keyFile = join(pki, 'node.key');
  if (existsSync(keyFile) && existsSync(certFile)) {
    const have = new X509Certificate(readFileSync(certFile));
    const issuer = new X509Certificate(ca.cert);
    if (Date.parse(have.validTo) > nowMs + renewDays * dayMs && have.verify(issuer.publicKey)) return;
  }
  const made = await issueCertificate(
    ca,
    {
      commonName: `system:node:${node.name}`,
      organizations: ['system:nodes'],
      dnsNames: [node.name],
      ips: [...node.address.split(','), '127.0.0.1'],
      usage: 'both',
      days: certificateDays,
    },
    nowMs,
  );
  // The key last: with a certificate but no key both are made again.
  rmSync(keyFile, { force: true });
  writeFileSync(certFile, made.cert);
  writeFileSync(keyFile, made.key, { mode: 0o600 });
}

/** Power-off: its link goes down and everything on it ends, at once. Says how many processes there were. */
export async function killNode(machine: Machine, state: ClusterState, node: NodeState): Promise<number> {
  // Started first and not awaited: the kill must not wait for a process to be made.
  const cut = cutLink(machine.exec, node.link);
  const killed = await killCgroup(machine.cgroups(), nodeCgroup(state, node), machine.clock);
  await cut;
  return killed;
}

/** In order: the agent is asked to end, then the rest is ended, and what the node was made of is cleared away. */
export async function stopNode(machine: Machine, state: ClusterState, node: NodeState): Promise<void> {
  if (node.process !== null) await stopProcess(node.process, stopGraceMs, machine.clock);
  await clearNode(machine, state, node);
}

/** As a machine is shut down: its pods end first, in order and within their time. Then as `stopNode`. */
export async function shutNodeDown(machine: Machine, state: ClusterState, node: NodeState): Promise<void> {
  if (node.process !== null && signalProcess(node.process, 'SIGPWR'))
    await waitUntilGone(node.process, shutdown.seconds * 1000 + stopGraceMs, machine.clock);
  await stopNode(machine, state, node);
}

/** Ends what is left on it and removes its cgroups, links and namespaces. Its data stays. */
export async function clearNode(machine: Machine, state: ClusterState, node: NodeState): Promise<void> {
  const { exec, clock } = machine;
  const cgroups = machine.cgroups();
  const group = nodeCgroup(state, node);
  await killCgroup(cgroups, group, clock);
  await removeCgroup(cgroups, group, clock);
  await removeLink(exec, node.link);
  await removeNetns(exec, netnsFile(machine.runDir, state, node));
}
