// What the comparison with the reference does not reach: arguments, reasons, narrowing, images, and which changes wake a pod.
import { describe, expect, test } from 'vitest';
import type { coreV1, Namespace, Node, Pod, Service } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import type { KubeObject } from '../../machinery/index.ts';
import {
  buildNode,
  buildPod,
  buildSet,
  PluginFixture,
  type PodParts,
  refusalsOf,
} from '../../testkit/index.ts';
import { Cycle } from '../cycle.ts';
import { type Plugin, type PluginFactory, PodRefusal } from '../plugin.ts';
import { type PodInfo, podInfo } from '../pod-info.ts';
import { buildPlugins, catalogue } from '../profile.ts';
import { imageLocality } from './image-locality.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeResourcesBalancedAllocation } from './node-resources-balanced-allocation.ts';
import { nodeResourcesFit } from './node-resources-fit.ts';
import { podTopologySpread } from './pod-topology-spread.ts';
import { schedulingGates } from './scheduling-gates.ts';

const zone = 'topology.kubernetes.io/zone';
const hostname = 'kubernetes.io/hostname';
const app = { app: 'web' };

function cluster(
  factory: PluginFactory,
  given: { nodes: readonly Node[]; running?: readonly Pod[]; objects?: readonly KubeObject[]; args?: object },
) {
  const fixture = new PluginFixture(given.objects ?? []);
  const plugin = factory.build(fixture.context, factory.readArgs?.({ ...given.args }));
  for (const node of given.nodes) fixture.cluster.setNode(node);
  for (const pod of given.running ?? []) fixture.cluster.place(podInfo(pod), pod.spec.nodeName!);
  const at = (name: string) => fixture.cluster.node(name)!;
  return {
    fixture,
    plugin,
    refusals: (pod: Pod, node: string) => refusalsOf(plugin, podInfo(pod), at(node)),
    scores: (pod: Pod) => scoresOf(plugin, podInfo(pod), fixture),
  };
}

/** Normalised; undefined = the plugin has no preference. */
function scoresOf(
  plugin: Plugin,
  pod: PodInfo,
  { cluster: view }: PluginFixture,
): readonly number[] | undefined {
  const state = plugin.preFilter(pod, view.nodes);
  if (state === undefined || state instanceof PodRefusal) return undefined;
  if (plugin.preScore !== null && !plugin.preScore(state, view.nodes)) return undefined;
  const scores = Float64Array.from(view.nodes, (node) => plugin.score!(state, node));
  if (typeof plugin.normalize === 'function') plugin.normalize(state, scores, view.nodes);
  return [...scores];
}
const spec = (more: Partial<coreV1.PodSpec>): PodParts => ({ spec: more });

describe('PodTopologySpread', () => {
  const must = (topologyKey: string, more: object = {}): PodParts => ({
    labels: app,
    ...spec({
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey,
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: app },
          ...more,
        },
      ],
    }),
  });
  const nodes = [buildNode('a1', { zone: 'a' }), buildNode('b1', { zone: 'b' }), buildNode('none')];
  const running = [buildPod('r', { labels: app, node: 'a1' })];

  test.each<[string, PodParts, string, string[] | undefined]>([
    ['too many here', must(zone), 'a1', ["node(s) didn't match pod topology spread constraints"]],
    ['the emptier zone', must(zone), 'b1', []],
    [
      'no such label',
      must(zone),
      'none',
      ["node(s) didn't match pod topology spread constraints (missing required label)"],
    ],
    ['a larger skew', must(zone, { maxSkew: 2 }), 'a1', []],
    ['too few zones count as an empty one', must(zone, { maxSkew: 1, minDomains: 3 }), 'b1', []],
    ['other pods', must(zone, { labelSelector: { matchLabels: { app: 'x' } } }), 'a1', []],
    ['no selector matches nothing', must(zone, { labelSelector: undefined }), 'a1', []],
    ['nothing asked', {}, 'a1', undefined],
  ])('%s', (_, parts, node, expected) => {
    const { refusals } = cluster(podTopologySpread, { nodes, running });
    expect(refusals(buildPod('p', parts), node)).toEqual(expected);
  });

  test('by default over the pods of the same service', () => {
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's', namespace: 'default', uid: 's' },
      spec: { selector: app },
    } as unknown as Service;
    const { scores, fixture } = cluster(podTopologySpread, { nodes, running, objects: [service] });
    const [a, b, none] = scores(buildPod('p', { labels: app }))!;
    expect(b).toBeGreaterThan(a!);
    expect(none).toBe(100);
    expect(scores(buildPod('p'))).toBeUndefined();
    fixture.delete(service);
    expect(scores(buildPod('p', { labels: app }))).toBeUndefined();
  });

  test('by listed defaults, which may be a must', () => {
    const defaultConstraints = [{ maxSkew: 1, topologyKey: zone, whenUnsatisfiable: 'DoNotSchedule' }];
    const args = { defaultingType: 'List', defaultConstraints };
    const owner = buildSet('web', 1);
    const { refusals } = cluster(podTopologySpread, { nodes, running, objects: [owner], args });
    const pod = buildPod('p', { labels: app, owner });
    expect(refusals(pod, 'a1')).toEqual(["node(s) didn't match pod topology spread constraints"]);
    expect(refusals(pod, 'b1')).toEqual([]);
  });
});

describe('InterPodAffinity', () => {
  const term = (namespaceSelector?: object): coreV1.PodAffinityTerm => ({
    labelSelector: { matchLabels: app },
    topologyKey: hostname,
    ...(namespaceSelector !== undefined && { namespaceSelector }),
  });
  const near = (...terms: coreV1.PodAffinityTerm[]): PodParts =>
    spec({ affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } } });
  const nodes = [buildNode('n1'), buildNode('n2')];

  test('the wish of others to be near counts as much as is configured', () => {
    const running = [buildPod('fan', { node: 'n1', ...near(term()) })];
    const given = { nodes, running };
    const pod = buildPod('p', { labels: app });
    expect(cluster(interPodAffinity, given).scores(pod)).toEqual([100, 0]);
    expect(
      cluster(interPodAffinity, { ...given, args: { hardPodAffinityWeight: 0 } }).scores(pod),
    ).toBeUndefined();
    const args = { ignorePreferredTermsOfExistingPods: true };
    expect(cluster(interPodAffinity, { ...given, args }).scores(pod)).toBeUndefined();
  });

  test('namespaces that change their labels change what terms speak of', () => {
    const namespace = (labels: Record<string, string>) =>
      ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other', labels } }) as unknown as Namespace;
    const running = [buildPod('r', { meta: { namespace: 'other' }, labels: app, node: 'n1' })];
    const { refusals, fixture } = cluster(interPodAffinity, { nodes, running, objects: [namespace({})] });
    const pod = buildPod('p', near(term({ matchLabels: { team: 'blue' } })));
    expect(refusals(pod, 'n1')).toEqual(["node(s) didn't match pod affinity rules"]);
    fixture.set(namespace({ team: 'blue' }));
    expect(refusals(pod, 'n1')).toEqual([]);
    expect(refusals(pod, 'n2')).toEqual(["node(s) didn't match pod affinity rules"]);
  });

  test('only pods that the terms speak of wake a waiting one', () => {
    const { plugin } = cluster(interPodAffinity, { nodes });
    const waiting = podInfo(buildPod('p', near(term())));
    const wakes = (on: 'add' | 'delete', pod: Pod) =>
      plugin.wakeOn
        .filter((hint) => hint.kind.kind === 'Pod' && hint.on === on)
        .map((hint) => hint.helps!(waiting, pod, undefined));
    expect(wakes('add', buildPod('x', { labels: app }))).toEqual([true]);
    expect(wakes('add', buildPod('x'))).toEqual([false]);
  });
});

describe('NodeAffinity', () => {
  const named = (...values: string[]): coreV1.NodeSelectorTerm => ({
    matchFields: [{ key: 'metadata.name', operator: 'In', values }],
  });
  const required = (...terms: coreV1.NodeSelectorTerm[]): PodParts =>
    spec({
      affinity: {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
      },
    });
  const decide = (parts: PodParts): string => {
    const fixture = new PluginFixture();
    for (const name of ['n1', 'n2', 'n3']) fixture.cluster.setNode(buildNode(name));
    const cycle = new Cycle(buildPlugins(catalogue, fixture.context), { random: seededRandom(1) });
    const decision = cycle.decide(podInfo(buildPod('p', parts)), fixture.cluster);
    return decision.node === undefined ? decision.message : decision.node.name;
  };
  const useless = 'preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.';

  test.each<[string, PodParts, string]>([
    ['the named node', required(named('n2')), 'n2'],
    [
      'only the named nodes are looked at',
      { requests: { cpu: '9' }, ...required(named('n2')) },
      `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. ${useless}`,
    ],
    [
      'a node that is not there',
      required(named('n9')),
      `0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [NodeAffinity]. ${useless}`,
    ],
    [
      'names that exclude each other',
      required({ matchFields: [...named('n1').matchFields!, ...named('n2').matchFields!] }),
      `0/3 nodes are available: pod affinity terms conflict. ${useless}`,
    ],
  ])('%s', (_, parts, expected) => {
    expect(decide(parts)).toBe(expected);
  });

  test('what a profile adds', () => {
    const preference = { matchExpressions: [{ key: hostname, operator: 'In', values: ['n2'] }] };
    const addedAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [named('n1'), named('n2')] },
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, preference }],
    };
    const nodes = ['n1', 'n2', 'n3'].map((name) => buildNode(name));
    const { refusals, scores } = cluster(nodeAffinity, { nodes, args: { addedAffinity } });
    expect(refusals(buildPod('p'), 'n3')).toEqual(["node(s) didn't match scheduler-enforced node affinity"]);
    expect(refusals(buildPod('p'), 'n1')).toEqual([]);
    expect(scores(buildPod('p'))).toEqual([0, 5, 0]);
    const wrong = {
      addedAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } },
    };
    expect(() => nodeAffinity.readArgs!(wrong)).toThrow(
      'addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
    );
  });
});

describe('scores of resources and images', () => {
  test('balance: none for a pod that asks for nothing, more for even use', () => {
    const nodes = [buildNode('even'), buildNode('odd', { allocatable: { cpu: '4', memory: '64Gi' } })];
    const { scores } = cluster(nodeResourcesBalancedAllocation, { nodes });
    expect(scores(buildPod('p'))).toBeUndefined();
    expect(scores(buildPod('p', { requests: { cpu: '2', memory: '4Gi' } }))).toEqual([100, 78]);
  });

  test('extended resources that are configured count only for pods that ask for them', () => {
    const gpu = 'example.com/gpu';
    const nodes = [buildNode('n', { allocatable: { [gpu]: '4' } })];
    const args = {
      scoringStrategy: { type: 'MostAllocated', resources: [{ name: gpu, weight: 3 }, { name: 'cpu' }] },
    };
    const { scores } = cluster(nodeResourcesFit, { nodes, args });
    expect(scores(buildPod('p', { requests: { cpu: '1' } }))).toEqual([25]);
    expect(scores(buildPod('p', { requests: { cpu: '1', [gpu]: '4' } }))).toEqual([81]);
  });

  test('ignored resources are not missed', () => {
    const pod = buildPod('p', { requests: { 'example.com/gpu': '1', 'example.org/x': '1' } });
    const nodes = [buildNode('n')];
    const args = { ignoredResources: ['example.com/gpu'], ignoredResourceGroups: ['example.org'] };
    expect(cluster(nodeResourcesFit, { nodes }).refusals(pod, 'n')).toEqual([
      'Insufficient example.com/gpu',
      'Insufficient example.org/x',
    ]);
    expect(cluster(nodeResourcesFit, { nodes, args }).refusals(pod, 'n')).toEqual([]);
  });

  test('images that are there already, less when few nodes have them', () => {
    const mebibyte = 1024 * 1024;
    const holding = (name: string, sizeBytes: number | undefined) => {
      const node = buildNode(name);
      if (sizeBytes !== undefined) node.status!.images = [{ names: ['i:latest'], sizeBytes }];
      return node;
    };
    const score = (...sizes: (number | undefined)[]) =>
      cluster(imageLocality, { nodes: sizes.map((size, i) => holding(`n${i}`, size)) }).scores(buildPod('p'));
    expect(score(undefined)).toBeUndefined();
    expect(score(1000 * mebibyte, undefined)).toEqual([48, 0]);
    expect(score(1000 * mebibyte, 1000 * mebibyte)).toEqual([100, 100]);
    expect(score(20 * mebibyte)).toEqual([0]);
  });

  test('an image without names is no hindrance', () => {
    const node = buildNode('n');
    const untagged = { names: null, sizeBytes: 1000 } as unknown as { names: string[] };
    node.status!.images = [untagged, { names: ['i:latest'], sizeBytes: 1000 * 1024 * 1024 }];
    expect(cluster(imageLocality, { nodes: [node] }).scores(buildPod('p'))).toEqual([100]);
  });
});

test('SchedulingGates says what a pod waits for', () => {
  const gate = (...names: string[]) =>
    schedulingGates.gate!(podInfo(buildPod('p', spec({ schedulingGates: names.map((name) => ({ name })) }))));
  expect(gate()).toBeUndefined();
  expect(gate('a', 'b')).toBe('waiting for scheduling gates: [a b]');
});
