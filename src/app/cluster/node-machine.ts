// A node: what a machine of its own would be, made of this machine's namespaces and cgroups, with `jotasu agent` running in it.
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issueCertificate } from '../../http/index.ts';
import {
  applyLinks,
  type CgroupLayout,
  cutLink,
  ensureCgroup,
  ensureNetns,
  isAlive,
  joinFiles,
  killCgroup,
  leafOf,
  type NodeMounts,
  planInside,
  planNodeCommand,
  planVeth,
  removeCgroup,
  removeLink,
  removeNetns,
  stopProcess,
} from '../../os/index.ts';
import type { Machine } from './machine.ts';
import { netnsFile, nodeCgroup, nodeDir, nodeLog, pkiDir, runDirOfNode, serverUrlOfNodes } from './places.ts';
import { identify } from './server-process.ts';
import type { ClusterState, NodeState, StateHolder } from './state.ts';

const stopGraceMs = 10_000;
const certificateDays = 365;
const renewDays = 30;
const dayMs = 86_400_000;

export const isNodeAlive = (node: NodeState): boolean => node.process !== null && isAlive(node.process);

/** Places that container programs share by default; each node gets its own, from its directory. */
export const ownPlaces: readonly (readonly [place: string, folder: string])[] = [
  ['/var/lib/cni', 'cni'],
  ['/var/log/pods', 'log/pods'],
  ['/var/log/containers', 'log/containers'],
];

/** Starts it unless it runs. What an earlier run left of it is cleared away first; its data stays. */
export async function ensureNode(
  machine: Machine,
  holder: StateHolder,
  name: string,
): Promise<'made' | 'there'> {
  const node = holder.node(name);
  if (isNodeAlive(node)) return 'there';
  const state = holder.now;
  const { exec, clock } = machine;
  const cgroups = machine.cgroups();
  await clearNode(machine, state, node);

  const directory = nodeDir(state, node);
  for (const [, folder] of ownPlaces) mkdirSync(join(directory, folder), { recursive: true, mode: 0o755 });
  await ensureCredentials(state, node, clock.nowMs());
  writeFileSync(join(directory, 'resolv.conf'), planResolver(readResolverFiles()));

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
  const prefix = state.nodeCidr.split('/')[1]!;
  await applyLinks(
    exec,
    planInside({ link: 'eth0', address: `${node.address}/${prefix}`, gateway: state.gateway }),
    netns,
  );
  const command = planNodeCommand(
    { joins: joinFiles(cgroups, leaf), netns, mounts: planMounts(state, node, cgroups, resolverTarget()) },
    planAgentCommand(state, node, machine.program),
  );
  const { pid } = await exec.spawnDetached(command, { logFile: nodeLog(state, node) });
  holder.changeNode(name, { process: identify(pid, `node ${name}`, nodeLog(state, node)) });
  return 'made';
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
    `--cluster-cidr=${state.podCidr}`,
  ];
}

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
    settings: [['/proc/sys/net/ipv4/ip_forward', '1']],
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
      ips: [node.address, '127.0.0.1'],
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
