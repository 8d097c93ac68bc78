// Where ingresses are reached: pure. Each node that answers for them says so itself; those that are ready count.
import type { Node } from '../../api/index.ts';
import { addressOf, isUsable, servesIngress, shared } from '../service-load-balancer/plan.ts';

/** More would make every change of a node a change of all ingresses. */
const maxAddresses = 32;

const takesPart = (node: Node): boolean => servesIngress(node) && isUsable(node);

/** What of a node decides about the addresses. */
export const ingressNodeFacts = (node: Node): string =>
  [takesPart(node), addressOf(node, 'IPv4'), addressOf(node, 'IPv6')].join();

export function planIngressAddresses(nodes: readonly Node[]): readonly string[] {
  const usable = nodes.filter(takesPart);
  const ofFamily = (family: 'IPv4' | 'IPv6'): string[] => [
    ...new Set(usable.flatMap((node) => addressOf(node, family) ?? [])),
  ];
  return shared([ofFamily('IPv4'), ofFamily('IPv6')], maxAddresses);
}
