// DefaultPreemption: when no node has room, less important pods of one node are evicted for the pod. As few and as unimportant ones as
// will do, and none whose disruption budget forbids it if that can be avoided. It only says who; the scheduler acts.
import { getCondition, isTerminating, type Pod, PodDisruptionBudget } from '../../api/index.ts';
import { compileLabelSelector, type LabelMatcher } from '../../machinery/index.ts';
import { fieldsOf, wholeOf } from '../arguments.ts';
import { summary } from '../cycle.ts';
import type { NodeInfo } from '../node-info.ts';
import {
  ArgumentError,
  definePlugin,
  definePluginFactory,
  type FailedAttempt,
  type Rescue,
} from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

const name = 'DefaultPreemption';
const noVictims = 'No preemption victims found for incoming pod';
const notHelpful = 'Preemption is not helpful for scheduling';

interface Args {
  /** How many nodes are tried at least: a share of those that may do, and a number. */
  readonly percentage: number;
  readonly absolute: number;
}

function readArgs(given: Readonly<Record<string, unknown>>): Args {
  const fields = fieldsOf(given, '', ['minCandidateNodesPercentage', 'minCandidateNodesAbsolute']);
  const percentage = wholeOf(fields.minCandidateNodesPercentage ?? 10, 'minCandidateNodesPercentage', {
    least: 0,
    most: 100,
  });
  const absolute = wholeOf(fields.minCandidateNodesAbsolute ?? 100, 'minCandidateNodesAbsolute', {
    least: 0,
    most: 2 ** 31 - 1,
  });
  if (percentage === 0 && absolute === 0)
    throw new ArgumentError(
      'minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as minCandidateNodesAbsolute',
    );
  return { percentage, absolute };
}

interface Candidate {
  readonly node: NodeInfo;
  /** From the most important to the least. */
  readonly victims: readonly PodInfo[];
  readonly violations: number;
}

const startMs = ({ pod }: PodInfo): number =>
  Date.parse(pod.status?.startTime ?? '') || Number.MAX_SAFE_INTEGER;

/** More important pods first: by priority, then those that run longer. */
const byImportance = (a: PodInfo, b: PodInfo): number =>
  b.priority - a.priority || startMs(a) - startMs(b) || (a.key < b.key ? -1 : 1);

interface Budget {
  readonly namespace: string | undefined;
  readonly matches: LabelMatcher;
  readonly disrupted: Readonly<Record<string, unknown>>;
  allowed: number;
}

function budgetsOf(all: readonly PodDisruptionBudget[]): readonly Budget[] {
  return all
    .filter(({ spec }) => {
      const { matchLabels = {}, matchExpressions = [] } = spec?.selector ?? {};
      return Object.keys(matchLabels).length + matchExpressions.length > 0;
    })
    .map(({ metadata, spec, status }) => ({
      namespace: metadata.namespace,
      matches: compileLabelSelector(spec?.selector),
      disrupted: status?.disruptedPods ?? {},
      allowed: status?.disruptionsAllowed ?? 0,
    }));
}

/** Goes over the pods in order: the first ones use up what budgets allow. */
function splitByBudgets(
  pods: readonly PodInfo[],
  budgets: readonly Budget[],
): { violating: PodInfo[]; others: PodInfo[] } {
  const allowed = budgets.map((budget) => budget.allowed);
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const info of pods) {
    const { metadata } = info.pod;
    let violated = false;
    if (Object.keys(metadata.labels ?? {}).length > 0)
      budgets.forEach((budget, i) => {
        if (budget.namespace !== metadata.namespace || !budget.matches(metadata.labels)) return;
        // It is being disrupted already, which has been counted.
        if (Object.hasOwn(budget.disrupted, metadata.name)) return;
        if (--allowed[i]! < 0) violated = true;
      });
    (violated ? violating : others).push(info);
  }
  return { violating, others };
}

/** Whom to evict there; a list of reasons = nobody's eviction would help. Leaves the node as it was. */
function victimsOn(
  { pod, refusals, takeAway, putBack }: FailedAttempt,
  node: NodeInfo,
  budgets: readonly Budget[],
): Candidate | readonly string[] {
  const eligible = [...node.pods.values()]
    .filter((other) => other.priority < pod.priority)
    .sort(byImportance);
  if (eligible.length === 0) return [noVictims];
  const away = new Set<PodInfo>();
  const leave = (info: PodInfo) => {
    takeAway(info, node);
    away.add(info);
  };
  const comeBack = (info: PodInfo) => {
    putBack(info, node);
    away.delete(info);
  };
  try {
    for (const info of eligible) leave(info);
    const still = refusals(node);
    if (still.length > 0) return still;
    const { violating, others } = splitByBudgets(eligible, budgets);
    let violations = 0;
    for (const info of violating) {
      comeBack(info);
      if (refusals(node).length === 0) continue;
      leave(info);
      violations++;
    }
    for (const info of others) {
      comeBack(info);
      if (refusals(node).length > 0) leave(info);
    }
    return { node, victims: [...away].sort(byImportance), violations };
  } finally {
    for (const info of [...away]) comeBack(info);
  }
}

/** By kube-scheduler's order of criteria; of equals the first. Less is better. */
const criteria: readonly ((candidate: Candidate) => number)[] = [
  ({ violations }) => violations,
  ({ victims }) => victims[0]?.priority ?? Number.NEGATIVE_INFINITY,
  // Raised above zero, so that few pods of negative priority beat many.
  ({ victims }) => victims.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
  ({ victims }) => victims.length,
  // The latest start of the most important victims.
  ({ victims }) =>
    -Math.min(...victims.filter(({ priority }) => priority === victims[0]!.priority).map(startMs)),
];

export function bestCandidate(candidates: readonly Candidate[]): Candidate | undefined {
  let left = candidates;
  for (const criterion of criteria) {
    if (left.length <= 1) break;
    const values = left.map(criterion);
    const least = values.reduce((a, b) => Math.min(a, b));
    left = left.filter((_, i) => values[i] === least);
  }
  return left[0];
}

function isBeingPreempted(pod: Pod): boolean {
  const condition = getCondition(pod, 'DisruptionTarget');
  return isTerminating(pod) && condition?.status === 'True' && condition.reason === 'PreemptionByScheduler';
}

export const defaultPreemption = definePluginFactory<undefined, Args>({
  name,
  readArgs,
  build(context, { percentage, absolute }) {
    const budgetLister = context.watch(PodDisruptionBudget);
    /** Where the search starts, so that the same nodes do not always pay. */
    let offset = 0;

    /** Why the pod may not evict anybody now. */
    const ineligible = ({ pod, candidates }: FailedAttempt): string | undefined => {
      if (pod.pod.spec.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
      const nominated = pod.pod.status?.nominatedNodeName;
      const node = nominated === undefined ? undefined : context.cluster.node(nominated);
      if (node === undefined || !candidates.includes(node)) return undefined;
      for (const other of node.pods.values())
        if (other.priority < pod.priority && isBeingPreempted(other.pod))
          return 'not eligible due to a terminating pod on the nominated node.';
      return undefined;
    };

    const rescue = (attempt: FailedAttempt): Rescue => {
      const { nodes, candidates } = attempt;
      const reasons = new Map<string, number>();
      const count = (text: string, by = 1) => reasons.set(text, (reasons.get(text) ?? 0) + by);
      const found: Candidate[] = [];
      let tried = 0;
      if (candidates.length > 0) {
        const budgets = budgetsOf(budgetLister.list());
        const wanted = Math.max(absolute, Math.floor((candidates.length * percentage) / 100));
        const start = offset % candidates.length;
        for (; tried < candidates.length; tried++) {
          const node = candidates[(start + tried) % candidates.length]!;
          const result = victimsOn(attempt, node, budgets);
          if ('victims' in result) {
            found.push(result);
            if (found.length >= wanted && found.some(({ violations }) => violations === 0)) break;
          } else for (const text of result) count(text);
        }
        offset = start + tried;
      }
      const best = bestCandidate(found);
      if (best !== undefined) return { node: best.node, victims: best.victims };
      if (nodes.length > tried) count(notHelpful, nodes.length - tried);
      return {
        node: undefined,
        victims: [],
        message: `preemption: 0/${nodes.length} nodes are available: ${summary(reasons)}.`,
      };
    };

    return definePlugin<undefined>({
      name,
      postFilter(attempt) {
        const why = ineligible(attempt);
        return why === undefined
          ? rescue(attempt)
          : { node: 'unchanged', victims: [], message: `preemption: ${why}` };
      },
    });
  },
});
