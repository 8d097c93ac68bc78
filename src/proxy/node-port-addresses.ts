// At which of a node's addresses node ports answer. Pure.
import { parseCidr } from '../machinery/index.ts';

/**
 * `ranges` as kube-proxy's --nodeport-addresses: undefined or `primary` = the node's own addresses, a range of length 0 = everywhere,
 * which is `undefined` here. Never a loopback address: packets from there cannot be sent elsewhere.
 */
export function chooseNodePortAddresses(
  ranges: readonly string[] | undefined,
  nodeIps: readonly string[],
  present: readonly string[],
): readonly string[] | undefined {
  if (ranges === undefined || ranges.length === 0 || ranges.includes('primary')) return nodeIps;
  if (ranges.some((range) => range.endsWith('/0'))) return undefined;
  return present.filter(
    (address) =>
      !address.startsWith('127.') && address !== '::1' && ranges.some((range) => isInRange(address, range)),
  );
}

/** Whether an address lies in a range of its family. */
export function isInRange(address: string, range: string): boolean {
  const cidr = parseCidr(range);
  const own = cidr === undefined ? undefined : parseCidr(`${address}/${cidr.prefixLength}`);
  return (
    own !== undefined && cidr !== undefined && own.family === cidr.family && own.network === cidr.network
  );
}
