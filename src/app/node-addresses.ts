// Which addresses a node has that was not told: the one from which it reaches the server and, where pods have two families, the other
// of the same link. No name is asked for and nothing is sent: the kernel's routes know.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { networkInterfaces } from 'node:os';
import { CommandFailure } from '../cli/index.ts';

/**
 * The address towards the server and, where pods have a second family, the first of that family on the same link which others can reach.
 * Pure.
 */
export function planNodeIps(
  first: string,
  clusterCidr: string,
  links: ReturnType<typeof networkInterfaces>,
): readonly string[] {
  const second = isIPv6(first) ? 'IPv4' : 'IPv6';
  const isWanted = clusterCidr.split(',').some((range) => range.includes(':') === (second === 'IPv6'));
  const link = Object.values(links).find((all = []) => all.some(({ address }) => address === first)) ?? [];
  const other = link.find(
    ({ address, family, internal }) =>
      family === second && !internal && !address.startsWith('fe80:') && !address.startsWith('169.254.'),
  );
  return isWanted && other !== undefined ? [first, other.address] : [first];
}

/** The address of this machine from which it reaches the first of the servers to which there is a way; nothing is sent. */
export async function addressTowards(servers: readonly string[]): Promise<string> {
  let failure: unknown;
  for (const server of servers)
    try {
      return await addressTowardsOne(server);
    } catch (error) {
      failure ??= error;
    }
  throw failure;
}

function addressTowardsOne(server: string): Promise<string> {
  const { hostname, port } = new URL(server);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    socket.once('error', (error) =>
      reject(
        new CommandFailure(`cannot tell this node's address on the way to ${host}: ${error.message}`, {
          cause: error,
        }),
      ),
    );
    socket.connect(Number(port || 443), host, () => {
      resolve(socket.address().address);
      socket.close();
    });
  });
}
