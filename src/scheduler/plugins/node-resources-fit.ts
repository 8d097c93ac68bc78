// NodeResourcesFit: a node must have what the pod requests. How full it would be scores it: emptier is better by default, fuller or a
// curve by configuration.
import { isExtendedResource, Node, Pod, podRequests } from '../../api/index.ts';
import { choiceOf, fieldsOf, listOf, textOf, wholeOf } from '../arguments.ts';
import type { NodeInfo } from '../node-info.ts';
import { ArgumentError, definePlugin, definePluginFactory, fits, unresolvable, wakeOn } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';
import type { Resources } from '../resources.ts';
import {
  amountOf,
  capacityFor,
  cpuAndMemory,
  readResources,
  type ScoredResource,
  usedWith,
} from '../scored-resource.ts';

const name = 'NodeResourcesFit';
const lacking = 1;
const tooSmall = 2;

type Ignored = (resource: string) => boolean;

/** `free` may be below zero: more can run on a node than the scheduler put there. */
function refusal({ requests: wanted }: PodInfo, { free, total }: NodeInfo, ignored: Ignored): number {
  let answer = fits;
  if (free.podSlots < 1) answer = lacking;
  if (wanted.cpuMilli > 0 && free.cpuMilli < wanted.cpuMilli) {
    if (total.cpuMilli < wanted.cpuMilli) return tooSmall;
    answer = lacking;
  }
  if (wanted.memoryBytes > 0 && free.memoryBytes < wanted.memoryBytes) {
    if (total.memoryBytes < wanted.memoryBytes) return tooSmall;
    answer = lacking;
  }
  if (wanted.ephemeralStorageBytes > 0 && free.ephemeralStorageBytes < wanted.ephemeralStorageBytes) {
    if (total.ephemeralStorageBytes < wanted.ephemeralStorageBytes) return tooSmall;
    answer = lacking;
  }
  if (wanted.others !== null)
    for (const [resource, amount] of wanted.others) {
      if (amount <= 0 || free.other(resource) >= amount || ignored(resource)) continue;
      if (total.other(resource) < amount) return tooSmall;
      answer = lacking;
    }
  return answer;
}

function lacks({ requests: wanted }: PodInfo, { free }: NodeInfo, ignored: Ignored): readonly string[] {
  const out: string[] = [];
  const check = (resource: string, amount: number, left: number) => {
    if (amount > 0 && left < amount) out.push(`Insufficient ${resource}`);
  };
  if (free.podSlots < 1) out.push('Too many pods');
  check('cpu', wanted.cpuMilli, free.cpuMilli);
  check('memory', wanted.memoryBytes, free.memoryBytes);
  check('ephemeral-storage', wanted.ephemeralStorageBytes, free.ephemeralStorageBytes);
  for (const [resource, amount] of wanted.others ?? [])
    if (!ignored(resource)) check(resource, amount, free.other(resource));
  return out;
}

/** 0–100 from what would be used of a capacity, which is not 0. */
type Curve = (used: number, capacity: number) => number;

const least: Curve = (used, capacity) =>
  used > capacity ? 0 : Math.floor(((capacity - used) * 100) / capacity);
const most: Curve = (used, capacity) => Math.floor((Math.min(used, capacity) * 100) / capacity);

interface Point {
  readonly utilization: number;
  /** 0–10 */
  readonly score: number;
}

/** Straight lines between the points; flat before the first and after the last. */
function alongShape(shape: readonly Point[]): Curve {
  const points = shape.map(({ utilization, score }) => ({ utilization, score: score * 10 }));
  const at = (utilization: number): number => {
    for (let i = 0; i < points.length; i++) {
      const here = points[i]!;
      if (utilization > here.utilization) continue;
      if (i === 0) return here.score;
      const before = points[i - 1]!;
      const rise = (here.score - before.score) * (utilization - before.utilization);
      return before.score + Math.trunc(rise / (here.utilization - before.utilization));
    }
    return points[points.length - 1]!.score;
  };
  return (used, capacity) => at(used > capacity ? 100 : Math.floor((used * 100) / capacity));
}

interface Strategy {
  readonly resources: readonly ScoredResource[];
  readonly curve: Curve;
  /** The ratio leaves out resources that score 0, and rounds. */
  readonly ratio: boolean;
}

interface Args {
  readonly ignored: Ignored;
  readonly strategy: Strategy;
}

function readStrategy(value: unknown): Strategy {
  const at = 'scoringStrategy';
  const fields = fieldsOf(value, at, ['type', 'resources', 'requestedToCapacityRatio']);
  const type = choiceOf(fields.type ?? 'LeastAllocated', `${at}.type`, [
    'LeastAllocated',
    'MostAllocated',
    'RequestedToCapacityRatio',
  ]);
  const listed = readResources(fields.resources, `${at}.resources`);
  const resources = listed.length === 0 ? cpuAndMemory : listed;
  if (type !== 'RequestedToCapacityRatio')
    return { resources, curve: type === 'LeastAllocated' ? least : most, ratio: false };
  const where = `${at}.requestedToCapacityRatio`;
  const { shape } = fieldsOf(fields.requestedToCapacityRatio, where, ['shape']);
  const points = listOf(shape, `${where}.shape`).map((one, i): Point => {
    const here = `${where}.shape[${i}]`;
    const { utilization, score } = fieldsOf(one, here, ['utilization', 'score']);
    return {
      utilization: wholeOf(utilization ?? 0, `${here}.utilization`, { least: 0, most: 100 }),
      score: wholeOf(score ?? 0, `${here}.score`, { least: 0, most: 10 }),
    };
  });
  if (points.length === 0)
    throw new ArgumentError(`${where}.shape: Required value: at least one point must be specified`);
  for (let i = 1; i < points.length; i++)
    if (points[i]!.utilization <= points[i - 1]!.utilization)
      throw new ArgumentError(
        `${where}.shape[${i}].utilization: Invalid value: ${points[i]!.utilization}: utilization values must be sorted in increasing order`,
      );
  return { resources, curve: alongShape(points), ratio: true };
}

function readArgs(given: Readonly<Record<string, unknown>>): Args {
  const fields = fieldsOf(given, '', ['ignoredResources', 'ignoredResourceGroups', 'scoringStrategy']);
  const texts = (field: 'ignoredResources' | 'ignoredResourceGroups') =>
    new Set(listOf(fields[field], field).map((one, i) => textOf(one, `${field}[${i}]`)));
  const resources = texts('ignoredResources');
  const groups = texts('ignoredResourceGroups');
  const ignored: Ignored =
    resources.size + groups.size === 0
      ? () => false
      : (resource) =>
          isExtendedResource(resource) && (resources.has(resource) || groups.has(resource.split('/')[0]!));
  return { ignored, strategy: readStrategy(fields.scoringStrategy) };
}

function scoreBy({ resources, curve, ratio }: Strategy, pod: PodInfo, node: NodeInfo): number {
  let sum = 0;
  let weights = 0;
  for (let i = 0; i < resources.length; i++) {
    const { name: resource, weight } = resources[i]!;
    const capacity = capacityFor(pod, node, resource);
    if (capacity === 0) continue;
    const score = curve(usedWith(pod, node, { name: resource, unsaid: true }), capacity);
    if (ratio && score <= 0) continue;
    sum += score * weight;
    weights += weight;
  }
  if (weights === 0) return 0;
  return ratio ? Math.round(sum / weights) : Math.floor(sum / weights);
}

/** The default, written out: it runs for each node and pod. */
function scoreByCpuAndMemory(pod: PodInfo, node: NodeInfo): number {
  const { total } = node;
  let sum = 0;
  let weights = 0;
  if (total.cpuMilli > 0) {
    sum += least(node.scoredCpuMilli + pod.scoredCpuMilli, total.cpuMilli);
    weights++;
  }
  if (total.memoryBytes > 0) {
    sum += least(node.scoredMemoryBytes + pod.scoredMemoryBytes, total.memoryBytes);
    weights++;
  }
  return weights === 0 ? 0 : Math.floor(sum / weights);
}

const resourcesOf = (requests: Resources): readonly string[] => [
  'cpu',
  'memory',
  'ephemeral-storage',
  ...(requests.others?.keys() ?? []),
];

/** Whether a running pod gave something back: it was resized. */
function asksForLess(pod: Pod, old: Pod): boolean {
  const [now, before] = [podRequests(pod), podRequests(old)];
  return Object.entries(before).some(([resource, amount]) => (now[resource] ?? 0) < amount);
}

/** Whether the node has more of something that the pod asks for. */
function growsFor({ requests }: PodInfo, node: Node, old: Node | undefined): boolean {
  if (old === undefined) return true;
  const now = node.status?.allocatable ?? {};
  const before = old.status?.allocatable ?? {};
  return [...resourcesOf(requests), 'pods'].some(
    (resource) => amountOf(requests, resource) > 0 && now[resource] !== before[resource],
  );
}

export const nodeResourcesFit = definePluginFactory<PodInfo, Args>({
  name,
  readArgs,
  build(_, { ignored, strategy }) {
    const isDefault = strategy.resources === cpuAndMemory && strategy.curve === least;
    return definePlugin<PodInfo>({
      name,
      reasons: ['', 'Insufficient resources', unresolvable('Insufficient resources')],
      wakeOn: [
        wakeOn(Pod, 'delete'),
        wakeOn(Pod, 'update', (_, pod, old) => old === undefined || asksForLess(pod, old)),
        wakeOn(Node, 'add'),
        wakeOn(Node, 'update', growsFor),
      ],
      preFilter: (pod) => pod,
      filter: (pod, node) => refusal(pod, node, ignored),
      explain: (pod, node) => lacks(pod, node, ignored),
      score: isDefault ? scoreByCpuAndMemory : (pod, node) => scoreBy(strategy, pod, node),
    });
  },
});
