// What `jotasu agent` runs with: its flags, completed from files, from the machine, and from what a cluster tells who joins it.
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { CommandFailure, type Handlers } from '../cli/index.ts';
import { readKubeconfig } from '../client/index.ts';
import {
  checkAllowedSysctl,
  type NodeSettings,
  type PodNetworkBackend,
  parseNodeSettings,
} from '../node/index.ts';
import { hostOf } from './join/authority.ts';
import { joinCluster, type Membership } from './join/join.ts';
import { firstServing } from './join/membership.ts';
import { addressTowards, planNodeIps } from './node-addresses.ts';
import type { Surroundings } from './surroundings.ts';
import { versionInfo } from './version.ts';

/** How the agent calls itself to API servers. */
export const userAgent = `jotasu-agent/${versionInfo.gitVersion}`;

type Flags = Parameters<Handlers['agent']>[0];

export interface AgentConfig {
  /** The API servers, as far as they were given: `https://HOST:PORT`. */
  readonly servers: readonly string[];
  /** PEM */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Of the node's own HTTPS server. PEM */
  readonly servingCert: string;
  readonly servingKey: string;
  readonly nodeName: string;
  /** One, or one of each family; the first is the one by which the server reaches the node. */
  readonly nodeIps: readonly string[];
  readonly stateDir: string;
  readonly runDir: string;
  readonly cgroupParent: string;
  /** A runtime that somebody else runs; undefined = an own containerd. */
  readonly containerRuntimeEndpoint: string | undefined;
  /** One range, or one of each family with a comma between. */
  readonly clusterCidr: string;
  readonly clusterDomain: string;
  readonly clusterDns: readonly string[];
  /** Parts that somebody else is. */
  readonly without: readonly ('dns' | 'ingress')[];
  readonly podNetwork: PodNetworkBackend;
  readonly labels: Readonly<Record<string, string>>;
  readonly port: number;
  readonly maxPods: number | undefined;
  readonly podManifestPath: string | undefined;
  readonly allowedUnsafeSysctls: readonly string[];
  readonly podMaxPids: number | undefined;
  readonly settings: NodeSettings;
  /** Which all nodes of this machine see; undefined = it is this node's alone. */
  readonly sharedDir: string | undefined;
  /** Ranges of the node's addresses at which node ports answer; undefined = `nodeIps`. */
  readonly nodeportAddresses: readonly string[] | undefined;
  /** Of a node that joined by a token: its certificates are kept there, and replaced before they end. undefined = they are files of somebody else. */
  readonly membership: Membership | undefined;
  /** Whether the serving certificate is one of those too. */
  readonly keepsServing: boolean;
}

/** What the flags say, completed from files and from the machine. Rejects with a CommandFailure that names what is missing. */
export async function agentConfig(
  flags: Flags,
  around: Surroundings & { readonly signal: AbortSignal },
): Promise<AgentConfig> {
  const nodeName = flags.nodeName ?? hostname().toLowerCase();
  const stateDir = flags.stateDir ?? '/var/lib/jotasu/agent';
  const membership = isMember(flags)
    ? await joinCluster({
        ...around,
        servers: flags.server!,
        token: flags.token,
        nodeName,
        stateDir,
        userAgent,
      })
    : undefined;
  const credentials =
    membership !== undefined
      ? { servers: flags.server!, ca: membership.ca, ...membership.client }
      : flags.kubeconfig === undefined
        ? filesOf(flags)
        : await fromKubeconfig(flags.kubeconfig);
  const told = membership?.settings;
  const clusterCidr = flags.clusterCidr ?? told?.clusterCidr ?? '10.244.0.0/16';
  const nodeIps =
    flags.nodeIp?.split(',') ??
    planNodeIps(await addressTowards(credentials.servers), clusterCidr, networkInterfaces());
  const serving =
    membership === undefined
      ? credentials
      : await firstServing(membership, { nodeName, nodeIps }, around.clock);
  const read = (file: string | undefined, otherwise: string): string =>
    file === undefined ? otherwise : readFileSync(file, 'utf8');
  const labels = Object.fromEntries(
    (flags.nodeLabels ?? []).map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  return {
    ...credentials,
    membership,
    keepsServing: flags.tlsCertFile === undefined,
    servingCert: read(flags.tlsCertFile, serving.cert),
    servingKey: read(flags.tlsPrivateKeyFile, serving.key),
    nodeName,
    nodeIps,
    stateDir,
    runDir: flags.runDir ?? '/run/jotasu',
    cgroupParent: flags.cgroupParent ?? '/jotasu',
    containerRuntimeEndpoint: flags.containerRuntimeEndpoint?.replace(/^unix:\/\//, ''),
    clusterCidr,
    clusterDomain: flags.clusterDomain ?? told?.clusterDomain ?? 'cluster.local',
    clusterDns: flags.clusterDns ?? told?.clusterDns ?? [],
    without: flags.without ?? [],
    podNetwork: podNetworkOf(flags, nodeIps),
    labels,
    port: flags.port ?? 10250,
    maxPods: flags.maxPods,
    podManifestPath: flags.podManifestPath,
    allowedUnsafeSysctls: checkedSysctls(flags.allowedUnsafeSysctls ?? []),
    podMaxPids: flags.podMaxPids,
    settings: settingsOf(flags),
    sharedDir: flags.sharedMachineDir,
    nodeportAddresses: flags.nodeportAddresses,
  };
}

function settingsOf(flags: Flags): NodeSettings {
  try {
    return parseNodeSettings(flags);
  } catch (error) {
    throw new CommandFailure((error as Error).message, { exitCode: 2, cause: error });
  }
}

function checkedSysctls(patterns: readonly string[]): readonly string[] {
  for (const pattern of patterns) {
    const problem = checkAllowedSysctl(pattern);
    if (problem !== undefined)
      throw new CommandFailure(`--allowed-unsafe-sysctls: ${problem}`, { exitCode: 2 });
  }
  return patterns;
}

function podNetworkOf({ flannelBackend = 'host-gw' }: Flags, nodeIps: readonly string[]): PodNetworkBackend {
  if (flannelBackend === 'vxlan' && nodeIps.every(isIPv6))
    throw new CommandFailure(
      `--flannel-backend vxlan needs an IPv4 address of the node, and ${nodeIps.join()} is none; see --node-ip`,
      { exitCode: 2 },
    );
  return flannelBackend;
}

/** Whose certificates come from the cluster, by a token once. */
const isMember = ({ kubeconfig, certificateAuthority, clientCertificate, clientKey }: Flags): boolean =>
  [kubeconfig, certificateAuthority, clientCertificate, clientKey].every((file) => file === undefined);

type Credentials = Pick<AgentConfig, 'servers' | 'ca' | 'cert' | 'key'>;

function filesOf({ server, certificateAuthority, clientCertificate, clientKey }: Flags): Credentials {
  for (const one of server!) hostOf(one);
  const need = (file: string | undefined, flag: string): string => {
    if (file === undefined) throw new CommandFailure(`agent needs ${flag} with --server`, { exitCode: 2 });
    return readFileSync(file, 'utf8');
  };
  return {
    servers: server!,
    ca: need(certificateAuthority, '--certificate-authority'),
    cert: need(clientCertificate, '--client-certificate'),
    key: need(clientKey, '--client-key'),
  };
}

async function fromKubeconfig(file: string): Promise<Credentials> {
  const { server, ca, cert, key } = await readKubeconfig(file);
  if (ca === undefined || cert === undefined || key === undefined) {
    throw new CommandFailure(
      `${file} must hold the CA and a client certificate with its key: a node needs them for its own server too`,
    );
  }
  return { servers: [server], ca, cert, key };
}
