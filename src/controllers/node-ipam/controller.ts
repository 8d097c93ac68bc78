// Node IPAM: gives every node its own range of pod addresses out of the cluster's range.
import { Node } from '../../api/index.ts';
import { isNotFound } from '../../machinery/index.ts';
import { type Controller, defineController } from '../framework/index.ts';
import { PodRanges } from './ranges.ts';

const hasRange = ({ spec }: Node): boolean => spec.podCIDR !== undefined && spec.podCIDR !== '';

export function nodeIpamController(options: { clusterCidr: string; nodeCidrMaskSize: number }): Controller {
  return defineController({
    name: 'node-ipam',
    component: 'cidrAllocator',
    reconciles: Node,
    when: (_, node) => !hasRange(node),
    // What is given is decided at once; only the writes wait.
    concurrency: 16,

    build({ informer, client, event, log, enqueue }) {
      const ranges = new PodRanges(options.clusterCidr, options.nodeCidrMaskSize);
      const nodes = informer(Node);
      /** Given by us; the nodes may not show it yet. By uid, since a node may be made anew under its name. */
      const given = new Map<string, string>();
      const without = new Set<string>();
      nodes.onChange({
        added: take,
        updated: (_, node) => take(node),
        deleted(node) {
          for (const cidr of node.spec.podCIDRs ?? []) ranges.release(cidr);
          const cidr = given.get(node.metadata.uid);
          if (cidr !== undefined) ranges.release(cidr);
          given.delete(node.metadata.uid);
          without.delete(node.metadata.name);
          // Somebody may wait for the range that has become free.
          for (const name of without) enqueue(name);
        },
      });

      function take(node: Node): void {
        for (const cidr of node.spec.podCIDRs ?? []) ranges.take(cidr);
      }

      return async function reconcile(name) {
        const node = nodes.get(name);
        if (node === undefined || hasRange(node)) return;
        const { uid } = node.metadata;
        const cidr = given.get(uid) ?? ranges.next();
        if (cidr === undefined) {
          // Nothing but the end of a node can help, and that wakes this one.
          if (without.has(name)) return;
          without.add(name);
          event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
          log.warn('no pod range is left for node', { node: name, clusterCidr: options.clusterCidr });
          return;
        }
        without.delete(name);
        given.set(uid, cidr);
        try {
          await client(Node).patch({ name }, 'merge', {
            metadata: { uid },
            spec: { podCIDR: cidr, podCIDRs: [cidr] },
          });
        } catch (error) {
          if (isNotFound(error)) return;
          throw error;
        }
        log.debug('gave node its pod range', { node: name, cidr });
      };
    },
  });
}
