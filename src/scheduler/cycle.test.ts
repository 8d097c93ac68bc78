import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { coreV1, Node, Pod } from '../api/index.ts';
import { seededRandom } from '../base/index.ts';
import { buildNode, buildPod, buildSet, PluginFixture } from '../testkit/index.ts';
import { ClusterCache } from './cache.ts';
import { Cycle, enoughFeasible } from './cycle.ts';
import { podInfo } from './pod-info.ts';
import { buildPlugins, catalogue } from './profile.ts';

const clusterOf = (nodes: readonly Node[]) => {
  const cache = new ClusterCache();
  for (const node of nodes) cache.setNode(node);
  return cache;
};
const plugins = buildPlugins(catalogue, new PluginFixture().context);
const decide = (pod: Pod, nodes: readonly Node[], running: readonly Pod[] = [], seed = 1) => {
  const cache = clusterOf(nodes);
  for (const one of running) cache.place(podInfo(one), one.spec.nodeName!);
  return new Cycle(plugins, { random: seededRandom(seed) }).decide(podInfo(pod), cache);
};
const messageOf = (...args: Parameters<typeof decide>) => {
  const decision = decide(...args);
  return decision.node === undefined ? decision.message : decision.node.name;
};

describe('why not', () => {
  const taints = [{ key: 'k', effect: 'NoSchedule' }];
  test.each<[string, Pod, Node[], string]>([
    ['no nodes', buildPod('a'), [], 'no nodes available to schedule pods'],
    [
      'each node counts for the first plugin that refuses it',
      buildPod('a', { requests: { cpu: '9', memory: '99Gi' } }),
      [
        buildNode('n1'),
        buildNode('n2', { taints }),
        buildNode('n3', { unschedulable: true, taints }),
        buildNode('n4', { taints }),
      ],
      '0/4 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) were unschedulable, 2 node(s) had untolerated taint(s).',
    ],
    [
      'the selector',
      buildPod('a', { spec: { nodeSelector: { x: 'y' } } }),
      [buildNode('n1')],
      "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
    ],
  ])('%s', (_, pod, nodes, expected) => {
    expect(messageOf(pod, nodes)).toBe(expected);
  });

  test('only the plugins that refused decide when to try again', () => {
    const decision = decide(buildPod('a', { requests: { cpu: '9' } }), [buildNode('n1')]);
    expect(decision.node === undefined && [...decision.refusedBy].map((p) => p.name)).toEqual([
      'NodeResourcesFit',
    ]);
  });
});

test.each([
  [1, 1],
  [100, 100],
  [150, 100],
  [1000, 420],
  [5000, 500],
  [6000, 300],
  [20_000, 1000],
])('of %d nodes %d are enough', (nodes, expected) => {
  expect(enoughFeasible(nodes)).toBe(expected);
});

test('pods of one owner spread evenly', () => {
  const owner = buildSet('web', 12);
  const cache = clusterOf(['n1', 'n2', 'n3', 'n4'].map((name) => buildNode(name)));
  const cycle = new Cycle(plugins, { random: seededRandom(7) });
  for (let i = 0; i < 12; i++) {
    const info = podInfo(buildPod(`p${i}`, { owner, requests: { cpu: '100m' } }));
    cache.place(info, cycle.decide(info, cache).node!.name);
  }
  expect(cache.nodes.map((node) => node.pods.size)).toEqual([3, 3, 3, 3]);
});

// A slow and obvious scheduler: no state, no early end, exact words of the rules.
function reference(pod: Pod, nodes: readonly Node[], running: readonly Pod[]): ReadonlyMap<string, number> {
  const amount = (p: Pod, name: string) => {
    const text = p.spec.containers[0]?.resources?.requests?.[name] ?? '0';
    return text.endsWith('m') ? Number(text.slice(0, -1)) / 1000 : Number(text);
  };
  const known = (p: Pod, name: string, unsaid: number) => amount(p, name) || unsaid;
  const tolerations = pod.spec.tolerations ?? [];
  const borne = (taint: coreV1.Taint) => tolerations.some((t) => t.key === taint.key);
  const feasible = nodes.filter((node) => {
    const here = running.filter((p) => p.spec.nodeName === node.metadata.name);
    const free = (name: string) =>
      Number(node.status!.allocatable![name]) - here.reduce((sum, p) => sum + amount(p, name), 0);
    return (
      node.spec.unschedulable !== true &&
      (node.spec.taints ?? []).every((t) => t.effect === 'PreferNoSchedule' || borne(t)) &&
      Object.entries(pod.spec.nodeSelector ?? {}).every(([k, v]) => node.metadata.labels?.[k] === v) &&
      here.length < Number(node.status!.allocatable!.pods) &&
      (amount(pod, 'cpu') === 0 || amount(pod, 'cpu') <= free('cpu') + 1e-9) &&
      (amount(pod, 'memory') === 0 || amount(pod, 'memory') <= free('memory'))
    );
  });
  const owner = (p: Pod) => p.metadata.ownerReferences?.[0]?.uid;
  const here = (node: Node) => running.filter((p) => p.spec.nodeName === node.metadata.name);
  const siblings = (node: Node) => here(node).filter((p) => owner(p) === owner(pod)).length;
  const dislikes = (node: Node) =>
    (node.spec.taints ?? []).filter((t) => t.effect === 'PreferNoSchedule' && !borne(t)).length;
  const most = (count: (node: Node) => number) => Math.max(0, ...feasible.map(count));
  const reversed = (value: number, highest: number) =>
    highest === 0 ? 100 : 100 - Math.floor((value * 100) / highest);
  const emptiness = (node: Node, name: string, unsaid: number) => {
    const total = Number(node.status!.allocatable![name]);
    const used = [...here(node), pod].reduce((sum, p) => sum + known(p, name, unsaid), 0);
    return total === 0 ? 0 : Math.max(0, ((total - used) * 100) / total);
  };
  return new Map(
    feasible.map((node) => [
      node.metadata.name,
      3 * reversed(dislikes(node), most(dislikes)) +
        (emptiness(node, 'cpu', 0.1) + emptiness(node, 'memory', 200 * 1024 * 1024)) / 2 +
        (owner(pod) === undefined ? 0 : 2 * reversed(siblings(node), most(siblings))),
    ]),
  );
}

describe('on random clusters', () => {
  const taint = fc.record({
    key: fc.constantFrom('k', 'l'),
    effect: fc.constantFrom('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
  });
  const node = fc.record({
    cpu: fc.nat(4),
    memory: fc.constantFrom('0', '1000000000', '4000000000'),
    pods: fc.nat(4),
    taints: fc.array(taint, { maxLength: 2 }),
    unschedulable: fc.boolean(),
    disk: fc.constantFrom('ssd', 'hdd'),
  });
  const pod = fc.record({
    cpu: fc.constantFrom('0', '100m', '1', '2'),
    memory: fc.constantFrom('0', '500000000', '3000000000'),
    bears: fc.subarray(['k', 'l']),
    disk: fc.option(fc.constantFrom('ssd', 'hdd')),
    owner: fc.option(fc.constantFrom('web', 'api')),
  });
  const cluster = fc.tuple(fc.array(node, { maxLength: 6 }), fc.array(pod, { maxLength: 15 }), fc.nat(1000));

  const run = (nodes: readonly Node[], pods: readonly Pod[], seed: number) => {
    const cache = clusterOf(nodes);
    const cycle = new Cycle(plugins, { random: seededRandom(seed) });
    const running: Pod[] = [];
    return pods.map((one) => {
      const info = podInfo(one);
      const decision = cycle.decide(info, cache);
      const scores = reference(one, nodes, running);
      const name = decision.node?.name;
      if (name !== undefined) {
        cache.place(info, name);
        running.push({ ...one, spec: { ...one.spec, nodeName: name } });
      }
      return { name, scores };
    });
  };
  type Of<A> = A extends fc.Arbitrary<infer T> ? T : never;
  const build = ([nodes, pods]: Of<typeof cluster>) => ({
    nodes: nodes.map(({ cpu, memory, pods: slots, taints, unschedulable, disk }, i) =>
      buildNode(`n${i}`, {
        taints,
        unschedulable,
        labels: { disk },
        allocatable: { cpu: String(cpu), memory, pods: String(slots) },
      }),
    ),
    pods: pods.map(({ cpu, memory, bears, disk, owner }, i) =>
      buildPod(`p${i}`, {
        requests: { cpu, memory },
        owner: owner === null ? undefined : buildSet(owner, 1),
        spec: {
          tolerations: bears.map((key) => ({ key, operator: 'Exists' })),
          ...(disk !== null && { nodeSelector: { disk } }),
        },
      }),
    ),
  });

  test('every decision is one of the best that the rules allow, and there is one when they allow any', () => {
    fc.assert(
      fc.property(cluster, (given) => {
        const { nodes, pods } = build(given);
        for (const { name, scores } of run(nodes, pods, given[2])) {
          if (name === undefined) expect([...scores.keys()]).toEqual([]);
          else expect(scores.get(name)).toBeCloseTo(Math.max(...scores.values()), 6);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a seed decides the same way every time', () => {
    fc.assert(
      fc.property(cluster, (given) => {
        const { nodes, pods } = build(given);
        const names = () => run(nodes, pods, given[2]).map(({ name }) => name);
        expect(names()).toEqual(names());
      }),
    );
  });

  test('what was taken away again leaves no trace in the cache', () => {
    fc.assert(
      fc.property(cluster, (given) => {
        const { nodes, pods } = build(given);
        const cache = clusterOf(nodes);
        const picture = () =>
          cache.nodes.map(({ free, owners, hostPorts, scoredCpuMilli, pods: here }) => [
            free.cpuMilli,
            free.memoryBytes,
            free.podSlots,
            [...owners],
            [...hostPorts],
            scoredCpuMilli,
            here.size,
          ]);
        const before = picture();
        for (const [i, one] of pods.entries()) cache.place(podInfo(one), `n${i % 8}`);
        // Moved, resized, and on nodes that are not known.
        for (const [i, one] of pods.entries()) cache.place(podInfo(one), `n${(i + 3) % 8}`);
        for (const one of pods) cache.remove(one.metadata.uid);
        expect(picture()).toEqual(before);
      }),
    );
  });
});

test('pods known before their node count once the node comes, and again when it comes back', () => {
  const cache = clusterOf([]);
  cache.place(podInfo(buildPod('a', { requests: { cpu: '1' } })), 'n');
  cache.setNode(buildNode('n'));
  expect(cache.nodes[0]?.free.cpuMilli).toBe(3000);
  cache.removeNode('n');
  expect(cache.nodes).toEqual([]);
  cache.setNode(buildNode('n', { allocatable: { cpu: '8' } }));
  expect(cache.nodes[0]?.free.cpuMilli).toBe(7000);
  cache.setNode(buildNode('n', { allocatable: { cpu: '2' } }));
  expect([cache.nodes[0]?.free.cpuMilli, cache.nodes[0]?.total.cpuMilli]).toEqual([1000, 2000]);
});

test('a pod that was resized counts with what it asks for now', () => {
  const cache = clusterOf([buildNode('n')]);
  cache.place(podInfo(buildPod('a', { requests: { cpu: '2' } })), 'n');
  cache.place(podInfo(buildPod('a', { requests: { cpu: '1' } })), 'n');
  expect(cache.nodes[0]?.free.cpuMilli).toBe(3000);
});
