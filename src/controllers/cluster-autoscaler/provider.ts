// Who owns the machines: groups of nodes of one kind, each of which can grow and shrink. A cloud, a rack, or the simulation.
import type { Node } from '../../api/index.ts';

export interface NodeGroup {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** How many there are to be, those that have not joined yet included. */
  readonly target: number;
  /** What a new node will look like, labels, taints and allocatable; its name does not matter. */
  readonly template: Node;
}

/** The contract: `groups` and `groupOf` answer from memory; `grow` and `shrink` resolve when the order has been taken. */
export interface NodeGroupProvider {
  groups(): readonly NodeGroup[];
  /** The name of the group; undefined = the node belongs to none and is let alone. */
  groupOf(node: Node): string | undefined;
  /** Rejects with what the owner says. Never called past `max`. */
  grow(group: string, count: number): Promise<void>;
  /** Takes the machine away, and its Node; the target is smaller by one. Nothing that matters runs there. Never called past `min`. */
  shrink(group: string, node: Node): Promise<void>;
}
