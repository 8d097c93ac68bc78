// Which nodes are not needed: they do little, and what they do fits on others. Pure but for the trial that is handed in.
import type { Node, Pod, PodDisruptionBudget } from '../../api/index.ts';
import { keepsNode, movableOf, scaleDownDisabledAnnotation, utilizationOf } from './drain.ts';
import type { NodeGroup } from './provider.ts';
import type { Trial } from './trial.ts';

export interface Unneeded {
  readonly node: Node;
  readonly group: string;
  /** Pods that move. */
  readonly pods: readonly Pod[];
}

export interface ShrinkInput {
  readonly nodes: readonly Node[];
  readonly podsOf: (node: string) => readonly Pod[];
  readonly groupOf: (node: Node) => string | undefined;
  readonly budgets: readonly PodDisruptionBudget[];
  readonly threshold: number;
  readonly trial: Trial;
}

/** In the order in which they would go: empty ones first. Together: what one would take over is not counted on by another. */
export function findUnneeded(input: ShrinkInput): readonly Unneeded[] {
  const { nodes, podsOf, groupOf, budgets, threshold, trial } = input;
  const candidates = nodes
    .flatMap((node): Unneeded[] => {
      const group = groupOf(node);
      if (group === undefined || node.metadata.annotations?.[scaleDownDisabledAnnotation] === 'true')
        return [];
      const all = podsOf(node.metadata.name);
      const pods = movableOf(all);
      if (utilizationOf(node, all) >= threshold) return [];
      return pods.some((pod) => keepsNode(pod, budgets) !== undefined) ? [] : [{ node, group, pods }];
    })
    .sort((a, b) => a.pods.length - b.pods.length || (a.node.metadata.name < b.node.metadata.name ? -1 : 1));
  /** They take in what others leave. */
  const needed = new Set<string>();
  const out: Unneeded[] = [];
  for (const candidate of candidates) {
    const { name } = candidate.node.metadata;
    if (needed.has(name)) continue;
    const places = moveAway(candidate, podsOf(name), trial);
    if (places === undefined) continue;
    for (const place of places) needed.add(place);
    out.push(candidate);
  }
  return out;
}

/** Where the pods go; the node is gone from the trial then. undefined = not all of them can, and everything is as before. */
function moveAway(
  { node, pods }: Unneeded,
  all: readonly Pod[],
  trial: Trial,
): readonly string[] | undefined {
  const { name } = node.metadata;
  trial.removeNode(name);
  const moved: { pod: Pod; place: string }[] = [];
  for (const pod of pods) {
    const found = trial.place(movedOf(pod));
    if ('node' in found) {
      moved.push({ pod, place: found.node });
      continue;
    }
    trial.addNode(node);
    for (const one of moved) trial.takeAway(one.pod);
    for (const one of all) trial.put(one, name);
    return undefined;
  }
  return moved.map(({ place }) => place);
}

/** As its controller will make it again: without a node. */
const movedOf = (pod: Pod): Pod => ({ ...pod, spec: { ...pod.spec, nodeName: '' } }) as Pod;

/** How many of the group may still go, those that are going already counted. */
export const spareOf = ({ target, min }: NodeGroup, going: number): number =>
  Math.max(0, target - going - min);
