// A what-if on the cluster as it is: the scheduler's own filters on a copy of its picture. `app` brings it, since controllers know
// nothing of the scheduler.
import type { Node, Pod } from '../../api/index.ts';

export interface Trial {
  addNode(node: Node): void;
  /** With everything that was placed on it. */
  removeNode(name: string): void;
  /** On the first of the nodes (undefined = of all) that takes the pod, where it is from then on; else why they refuse it. */
  place(
    pod: Pod,
    nodes?: readonly string[],
  ): { readonly node: string } | { readonly refusals: readonly string[] };
  /** Unasked: what runs there does run there. */
  put(pod: Pod, node: string): void;
  takeAway(pod: Pod): void;
}

export interface ClusterState {
  readonly nodes: readonly Node[];
  /** Those that have a node and have not ended. */
  readonly pods: readonly Pod[];
}

export type BeginTrial = (state: ClusterState) => Trial;
