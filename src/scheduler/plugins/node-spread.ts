// Spreading over nodes: pods of one owner prefer nodes that hold few of their siblings. It is what Kubernetes' default topology
// spread constraints do for the hostname domain.
import { definePlugin } from '../plugin.ts';

export const nodeSpread = definePlugin<string>({
  name: 'NodeSpread',
  weight: 2,
  preFilter: ({ owner }) => (owner === '' ? undefined : owner),
  /** Siblings on the node. */
  score: (owner, node) => node.owners.get(owner) ?? 0,
  normalize: 'lowest',
});
