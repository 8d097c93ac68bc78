// What one look sees of the cluster. All that is decided in that look is decided on it.
import type { ConfigMap, coreV1, Node, Pod } from '../../api/index.ts';
import { toBeDeletedTaint } from './drain.ts';
import type { NodeGroup } from './provider.ts';

export interface ClusterView {
  readonly groups: readonly NodeGroup[];
  readonly nodes: readonly Node[];
  readonly podsOf: (node: string) => readonly Pod[];
  readonly nowMs: number;
  /** The ConfigMap, which group events are about. */
  readonly about: ConfigMap;
}

/** The mark of a node on its way out: since when, in seconds, is its value. */
export const toBeDeletedOf = (node: Node): coreV1.Taint | undefined =>
  node.spec.taints?.find(({ key }) => key === toBeDeletedTaint);
