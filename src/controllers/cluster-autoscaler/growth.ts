// Which groups grow, for pods that fit nowhere. Pure but for the trial that is handed in.
import { type Node, type Pod, podRequests } from '../../api/index.ts';
import type { NodeGroup } from './provider.ts';
import type { Trial } from './trial.ts';

export interface Growth {
  readonly group: NodeGroup;
  readonly count: number;
  /** The pods it is for. */
  readonly pods: readonly Pod[];
}

export interface GrowthPlan {
  readonly growths: readonly Growth[];
  /** Pods that no growth would help, each with why: `1 Insufficient cpu, 1 max node group size reached`. */
  readonly helpless: readonly { readonly pod: Pod; readonly reasons: string }[];
}

export interface GrowthInput {
  readonly pending: readonly Pod[];
  readonly groups: readonly NodeGroup[];
  /** By group: how many nodes of it are under way and not in the trial. */
  readonly upcoming: ReadonlyMap<string, number>;
  /** Groups that could not grow a while ago. */
  readonly backedOff: ReadonlySet<string>;
  readonly trial: Trial;
}

/** Large pods first: what is left over is then of use for small ones. */
export function planGrowth({ pending, groups, upcoming, backedOff, trial }: GrowthInput): GrowthPlan {
  const nodes = new TemplateNodes(trial);
  for (const group of groups) for (let i = 0; i < (upcoming.get(group.name) ?? 0); i++) nodes.add(group);
  let left = bySize(pending).filter((pod) => 'refusals' in trial.place(pod));
  const growths: Growth[] = [];
  const grown = new Set<string>();
  while (left.length > 0) {
    const options = groups
      .filter((group) => !grown.has(group.name) && !backedOff.has(group.name))
      .flatMap((group) => tryGroup(group, left, nodes) ?? []);
    const [best] = options.sort(
      (a, b) => b.pods.length - a.pods.length || a.count - b.count || (a.group.name < b.group.name ? -1 : 1),
    );
    if (best === undefined) break;
    // Once more, and this time it stays: later choices see the nodes.
    fill(best.group, left, nodes);
    growths.push(best);
    grown.add(best.group.name);
    const helped = new Set(best.pods);
    left = left.filter((pod) => !helped.has(pod));
  }
  const helpless = left.map((pod) => ({
    pod,
    reasons: countReasons(groups.flatMap((group) => whyNot(pod, group, { nodes, backedOff, grown }))),
  }));
  return { growths, helpless };
}

const maxReached = 'max node group size reached';
const inBackoff = 'in backoff after failed scale-up';

function whyNot(
  pod: Pod,
  group: NodeGroup,
  {
    nodes,
    backedOff,
    grown,
  }: { nodes: TemplateNodes; backedOff: ReadonlySet<string>; grown: ReadonlySet<string> },
): readonly string[] {
  if (backedOff.has(group.name)) return [inBackoff];
  const name = nodes.add(group);
  const found = nodes.trial.place(pod, [name]);
  nodes.remove(name);
  if ('refusals' in found) return found.refusals;
  return grown.has(group.name) || group.target >= group.max ? [maxReached] : [];
}

/** What the group would do for the pods; nothing remains of the trial. undefined = nothing. */
function tryGroup(group: NodeGroup, pods: readonly Pod[], nodes: TemplateNodes): Growth | undefined {
  const { helped, names } = fill(group, pods, nodes);
  for (const name of names) nodes.remove(name);
  return helped.length === 0 ? undefined : { group, count: names.length, pods: helped };
}

/** Puts new nodes of the group under the pods as long as it helps and the group may grow. */
function fill(
  group: NodeGroup,
  pods: readonly Pod[],
  nodes: TemplateNodes,
): { helped: Pod[]; names: string[] } {
  const helped: Pod[] = [];
  const names: string[] = [];
  for (const pod of pods) {
    if (names.length > 0 && 'node' in nodes.trial.place(pod, names)) {
      helped.push(pod);
      continue;
    }
    if (group.target + names.length >= group.max) continue;
    const name = nodes.add(group);
    if ('node' in nodes.trial.place(pod, [name])) {
      names.push(name);
      helped.push(pod);
    } else nodes.remove(name);
  }
  return { helped, names };
}

/** Nodes that are not there yet, under names of their own. */
class TemplateNodes {
  readonly trial: Trial;
  #made = 0;

  constructor(trial: Trial) {
    this.trial = trial;
  }

  add({ name: group, template }: NodeGroup): string {
    const name = `template-node-for-${group}-${this.#made++}`;
    const { metadata } = template;
    const node: Node = {
      ...template,
      metadata: { ...metadata, name, labels: { ...metadata.labels, 'kubernetes.io/hostname': name } },
    };
    this.trial.addNode(node);
    return name;
  }

  remove(name: string): void {
    this.trial.removeNode(name);
  }
}

function bySize(pods: readonly Pod[]): Pod[] {
  const size = (pod: Pod) => {
    const { cpu = 0, memory = 0 } = podRequests(pod);
    // A core for four GiB, as machines commonly are.
    return cpu / 1000 + memory / 2 ** 32;
  };
  const sized = pods.map((pod) => ({ pod, size: size(pod) }));
  return sized
    .sort((a, b) => b.size - a.size || (a.pod.metadata.uid < b.pod.metadata.uid ? -1 : 1))
    .map(({ pod }) => pod);
}

function countReasons(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(', ');
}
