// Node IPAM: gives every node its own range of pod addresses out of the cluster's range.
import { Node } from '../../api/index.ts';
import { type Controller, defineController } from '../framework/index.ts';

const toNumber = (address: string): number =>
  address.split('.').reduce((n, part) => n * 256 + Number(part), 0);
const toAddress = (n: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.');

/** The first range of `clusterCidr` that nobody has; undefined = all taken. Pure. */
export function freePodCidr(
  clusterCidr: string,
  maskSize: number,
  taken: ReadonlySet<string>,
): string | undefined {
  const [base, bits] = clusterCidr.split('/') as [string, string];
  const size = 2 ** (32 - maskSize);
  const count = 2 ** (maskSize - Number(bits));
  const start = Math.floor(toNumber(base) / 2 ** (32 - Number(bits))) * 2 ** (32 - Number(bits));
  for (let i = 0; i < count; i++) {
    const cidr = `${toAddress(start + i * size)}/${maskSize}`;
    if (!taken.has(cidr)) return cidr;
  }
  return undefined;
}

export function nodeIpamController(options: { clusterCidr: string; nodeCidrMaskSize: number }): Controller {
  return defineController({
    name: 'node-ipam',
    reconciles: Node,
    when: (_, node) => node.spec.podCIDR === undefined,
    concurrency: 1,

    build({ lister, client, event, log }) {
      const nodes = lister(Node);
      /** What was given and may not show in the cache yet. */
      const given = new Map<string, string>();

      return async function reconcile(name) {
        const node = nodes.get(name);
        if (node === undefined) {
          given.delete(name);
          return;
        }
        if (node.spec.podCIDR !== undefined && node.spec.podCIDR !== '') return;
        const taken = new Set<string>(given.values());
        for (const other of nodes.list()) for (const cidr of other.spec.podCIDRs ?? []) taken.add(cidr);
        const cidr = given.get(name) ?? freePodCidr(options.clusterCidr, options.nodeCidrMaskSize, taken);
        if (cidr === undefined) {
          event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
          throw new Error(`no free range for ${name} in ${options.clusterCidr}`);
        }
        given.set(name, cidr);
        await client(Node).patch({ name }, 'merge', { spec: { podCIDR: cidr, podCIDRs: [cidr] } });
        log.info('gave node its pod range', { node: name, cidr });
      };
    },
  });
}
