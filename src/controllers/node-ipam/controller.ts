// Node IPAM: gives every node its own range of pod addresses, one of each family that the cluster has.
import { Node } from '../../api/index.ts';
import { isNotFound } from '../../machinery/index.ts';
import { type Controller, defineController } from '../framework/index.ts';
import { NodeRanges } from './ranges.ts';

const hasRange = ({ spec }: Node): boolean => spec.podCIDR !== undefined && spec.podCIDR !== '';

export interface NodeIpamOptions {
  /** One range, or one of each family with a comma between. */
  readonly clusterCidr: string;
  /** Of IPv4 */
  readonly nodeCidrMaskSize: number;
  readonly nodeCidrMaskSizeIpv6: number;
  /** Ranges of services, with a comma between. What of the cluster's range lies in them is no node's. */
  readonly serviceCidr?: string | undefined;
}

export function nodeIpamController(options: NodeIpamOptions): Controller {
  return defineController({
    name: 'node-ipam',
    component: 'cidrAllocator',
    reconciles: Node,
    when: (_, node) => !hasRange(node),
    // What is given is decided at once; only the writes wait.
    concurrency: 16,

    build({ informer, client, event, log, enqueue }) {
      const ranges = new NodeRanges(options.clusterCidr, {
        IPv4: options.nodeCidrMaskSize,
        IPv6: options.nodeCidrMaskSizeIpv6,
      });
      ranges.reserve(options.serviceCidr?.split(',') ?? []);
      const nodes = informer(Node);
      /** Given by us; the nodes may not show it yet. By uid, since a node may be made anew under its name. */
      const given = new Map<string, readonly string[]>();
      const without = new Set<string>();
      nodes.onChange({
        added: take,
        updated: (_, node) => take(node),
        deleted(node) {
          ranges.release(node.spec.podCIDRs ?? []);
          ranges.release(given.get(node.metadata.uid) ?? []);
          given.delete(node.metadata.uid);
          without.delete(node.metadata.name);
          // Somebody may wait for the range that has become free.
          for (const name of without) enqueue(name);
        },
      });

      function take(node: Node): void {
        ranges.take(node.spec.podCIDRs ?? []);
      }

      return async function reconcile(name) {
        const node = nodes.get(name);
        if (node === undefined || hasRange(node)) return;
        const { uid } = node.metadata;
        const cidrs = given.get(uid) ?? ranges.next();
        if (cidrs === undefined) {
          // Nothing but the end of a node can help, and that wakes this one.
          if (without.has(name)) return;
          without.add(name);
          event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
          log.warn('no pod range is left for node', { node: name, clusterCidr: options.clusterCidr });
          return;
        }
        without.delete(name);
        given.set(uid, cidrs);
        try {
          await client(Node).patch({ name }, 'merge', {
            metadata: { uid },
            spec: { podCIDR: cidrs[0], podCIDRs: cidrs },
          });
        } catch (error) {
          if (isNotFound(error)) return;
          throw error;
        }
        log.debug('gave node its pod range', { node: name, cidrs });
      };
    },
  });
}
