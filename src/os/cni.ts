// The pod network of one node as a CNI configuration: a bridge whose addresses come from the node's pod subnet, host ports by
// portmap. Data directories are the node's own, so that several nodes on one machine do not see each other's leases.
import * as fs from 'node:fs';
import * as path from 'node:path';

export interface CniOptions {
  /** The node's pod subnet: `10.244.1.0/24`. One per address family. */
  readonly podCidrs: readonly string[];
  readonly dataDir: string;
  /** At most 15 characters. Default `cni0`. */
  readonly bridge?: string | undefined;
  readonly mtu?: number | undefined;
}

/** The name of the network. */
export const cniNetwork = 'jotasu';

/** The text of the conflist. Pure. */
export function cniConflist(options: CniOptions): string {
  const v6 = (cidr: string) => cidr.includes(':');
  const list = {
    cniVersion: '0.4.0',
    name: cniNetwork,
    plugins: [
      {
        type: 'bridge',
        bridge: options.bridge ?? 'cni0',
        isGateway: true,
        // What leaves the cluster is masqueraded by one rule of the node, not by rules per pod.
        ipMasq: false,
        // A pod reaches itself through its own service.
        hairpinMode: true,
        promiscMode: false,
        ...(options.mtu !== undefined && { mtu: options.mtu }),
        ipam: {
          type: 'host-local',
          dataDir: path.join(options.dataDir, 'networks'),
          ranges: options.podCidrs.map((subnet) => [{ subnet }]),
          routes: options.podCidrs.map((cidr) => ({ dst: v6(cidr) ? '::/0' : '0.0.0.0/0' })),
        },
      },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ],
  };
  return `${JSON.stringify(list, null, 2)}\n`;
}

/**
 * Writes the conflist where the runtime looks for it; the runtime notices by itself. Written whole or not at all. Says whether it
 * changed.
 */
export function writeCniConfig(confDir: string, options: CniOptions): boolean {
  const file = path.join(confDir, '10-jotasu.conflist');
  const text = cniConflist(options);
  if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === text) return false;
  fs.mkdirSync(confDir, { recursive: true });
  fs.mkdirSync(options.dataDir, { recursive: true });
  fs.writeFileSync(`${file}.new`, text);
  fs.renameSync(`${file}.new`, file);
  return true;
}
