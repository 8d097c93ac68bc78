import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../api/index.ts';
import { seededRandom } from '../base/index.ts';
import { buildNode, buildPod, buildSet, PluginFixture } from '../testkit/index.ts';
import { Cycle, enoughFeasible } from './cycle.ts';
import { podInfo } from './pod-info.ts';
import { buildPlugins, catalogue } from './profile.ts';

const setUp = (nodes: readonly Node[]) => {
  const fixture = new PluginFixture();
  for (const node of nodes) fixture.cluster.setNode(node);
  return { cache: fixture.cluster, plugins: buildPlugins(catalogue, fixture.context) };
};
const clusterOf = (nodes: readonly Node[]) => setUp(nodes).cache;
const decide = (pod: Pod, nodes: readonly Node[], running: readonly Pod[] = [], seed = 1) => {
  const { cache, plugins } = setUp(nodes);
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
      '0/4 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) were unschedulable, 2 node(s) had untolerated taint(s). preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.',
    ],
    [
      'the selector',
      buildPod('a', { spec: { nodeSelector: { x: 'y' } } }),
      [buildNode('n1')],
      "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
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
  const fixture = new PluginFixture([owner]);
  const { cluster: cache } = fixture;
  for (const name of ['n1', 'n2', 'n3', 'n4']) cache.setNode(buildNode(name));
  const cycle = new Cycle(buildPlugins(catalogue, fixture.context), { random: seededRandom(7) });
  for (let i = 0; i < 12; i++) {
    const info = podInfo(buildPod(`p${i}`, { owner, labels: { app: 'web' }, requests: { cpu: '100m' } }));
    cache.place(info, cycle.decide(info, cache).node!.name);
  }
  expect(cache.nodes.map((node) => node.pods.size)).toEqual([3, 3, 3, 3]);
});

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
    const { cache, plugins } = setUp(nodes);
    const cycle = new Cycle(plugins, { random: seededRandom(seed) });
    return pods.map((one) => {
      const info = podInfo(one);
      const name = cycle.decide(info, cache).node?.name;
      if (name !== undefined) cache.place(info, name);
      return name;
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

  test('a seed decides the same way every time', () => {
    fc.assert(
      fc.property(cluster, (given) => {
        const { nodes, pods } = build(given);
        const names = () => run(nodes, pods, given[2]);
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
          cache.nodes.map(({ free, claims, hostPorts, scoredCpuMilli, pods: here }) => [
            free.cpuMilli,
            free.memoryBytes,
            free.podSlots,
            [...claims],
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
