import { describe, expect, test } from 'vitest';
import { seededRandom } from '../base/index.ts';
import { buildNode, buildPod, PluginFixture } from '../testkit/index.ts';
import { readConfiguration } from './configuration.ts';
import { Cycle } from './cycle.ts';
import { ArgumentError, type Plugin } from './plugin.ts';
import { podInfo } from './pod-info.ts';
import { buildPlugins, catalogue } from './profile.ts';

const head = { apiVersion: 'kubescheduler.config.k8s.io/v1', kind: 'KubeSchedulerConfiguration' };
const read = (rest: object) => readConfiguration({ ...head, ...rest });
const profile = (rest: object) => read({ profiles: [rest] }).profiles[0]!;
const pluginsOf = (rest: object): readonly Plugin[] => profile(rest).build(new PluginFixture().context);
const find = (plugins: readonly Plugin[], name: string) => plugins.find((plugin) => plugin.name === name);
const args = (name: string, given: object) => ({ pluginConfig: [{ name, args: given }] });

test('nothing said is the default', () => {
  const { profiles, backoffInitialMs, backoffMaxMs } = read({});
  expect([backoffInitialMs, backoffMaxMs]).toEqual([1000, 10_000]);
  expect(profiles.map(({ schedulerName }) => schedulerName)).toEqual(['default-scheduler']);
  const shape = (plugins: readonly Plugin[]) =>
    plugins.map(({ name, weight, filter, score }) => [name, weight, filter !== null, score !== null]);
  expect(shape(pluginsOf({}))).toEqual(shape(buildPlugins(catalogue, new PluginFixture().context)));
});

test('weights are those of kube-scheduler', () => {
  const scoring = pluginsOf({}).filter(({ score }) => score !== null);
  expect(Object.fromEntries(scoring.map(({ name, weight }) => [name, weight]))).toMatchObject({
    TaintToleration: 3,
    NodeAffinity: 2,
    NodeResourcesFit: 1,
    PodTopologySpread: 2,
    InterPodAffinity: 2,
    NodeResourcesBalancedAllocation: 1,
    ImageLocality: 1,
  });
});

test('several profiles, each with its name', () => {
  const { profiles } = read({
    percentageOfNodesToScore: 30,
    profiles: [{ schedulerName: 'a' }, { schedulerName: 'b', percentageOfNodesToScore: 100 }],
  });
  expect(profiles.map((p) => [p.schedulerName, p.percentageOfNodesToScore])).toEqual([
    ['a', 30],
    ['b', 100],
  ]);
});

test('plugins are switched off at a point, everywhere, and on again with a weight', () => {
  const atScore = pluginsOf({ plugins: { score: { disabled: [{ name: 'NodeResourcesFit' }] } } });
  expect(find(atScore, 'NodeResourcesFit')).toMatchObject({ score: null });
  expect(find(atScore, 'NodeResourcesFit')?.filter).not.toBeNull();

  const nowhere = pluginsOf({ plugins: { multiPoint: { disabled: [{ name: 'ImageLocality' }] } } });
  expect(find(nowhere, 'ImageLocality')).toBeUndefined();

  const one = pluginsOf({
    plugins: { score: { disabled: [{ name: '*' }], enabled: [{ name: 'ImageLocality', weight: 7 }] } },
  });
  expect(one.filter(({ score }) => score !== null).map(({ name, weight }) => [name, weight])).toEqual([
    ['ImageLocality', 7],
  ]);

  const few = pluginsOf({
    plugins: {
      multiPoint: {
        disabled: [{ name: '*' }],
        enabled: [{ name: 'PrioritySort' }, { name: 'DefaultBinder' }, { name: 'TaintToleration' }],
      },
    },
  });
  expect(few.map(({ name, weight }) => [name, weight])).toEqual([
    ['PrioritySort', 1],
    ['TaintToleration', 1],
  ]);
});

describe('strategies of NodeResourcesFit choose', () => {
  const choose = (scoringStrategy: object): string | undefined => {
    const fixture = new PluginFixture();
    const { cluster } = fixture;
    for (const name of ['empty', 'half', 'full']) cluster.setNode(buildNode(name));
    cluster.place(podInfo(buildPod('h', { requests: { cpu: '1500m', memory: '3Gi' } })), 'half');
    cluster.place(podInfo(buildPod('f', { requests: { cpu: '3', memory: '6Gi' } })), 'full');
    const plugins = profile(args('NodeResourcesFit', { scoringStrategy })).build(fixture.context);
    const cycle = new Cycle(plugins, { random: seededRandom(1) });
    return cycle.decide(podInfo(buildPod('p', { requests: { cpu: '500m', memory: '1Gi' } })), cluster).node
      ?.name;
  };
  test.each<[string, object, string]>([
    ['the emptiest', { type: 'LeastAllocated' }, 'empty'],
    ['the fullest', { type: 'MostAllocated' }, 'full'],
    [
      'the best of a shape',
      {
        type: 'RequestedToCapacityRatio',
        requestedToCapacityRatio: {
          shape: [
            { utilization: 0, score: 0 },
            { utilization: 50, score: 10 },
            { utilization: 100, score: 0 },
          ],
        },
      },
      'half',
    ],
  ])('%s', (_, strategy, expected) => {
    expect(choose(strategy)).toBe(expected);
  });
});

test.each<[string, object, string]>([
  [
    'an old version',
    { apiVersion: 'kubescheduler.config.k8s.io/v1beta3' },
    'apiVersion: Unsupported value: "kubescheduler.config.k8s.io/v1beta3": supported values: "kubescheduler.config.k8s.io/v1"',
  ],
  ['an unknown field', { profile: [] }, 'profile: unknown field'],
  [
    'what belongs elsewhere',
    { leaderElection: { leaderElect: true } },
    'leaderElection: Forbidden: see the --leader-elect flags',
  ],
  ['extenders', { extenders: [] }, 'extenders: Forbidden: extenders are not supported'],
  ['two profiles without names', { profiles: [{}, {}] }, 'profiles[0].schedulerName: Required value'],
  [
    'two of one name',
    { profiles: [{ schedulerName: 'a' }, { schedulerName: 'a' }] },
    'profiles[1].schedulerName: Duplicate value: "a"',
  ],
  [
    'a percentage',
    { percentageOfNodesToScore: 101 },
    'percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]',
  ],
  [
    'back-offs',
    { podInitialBackoffSeconds: 5, podMaxBackoffSeconds: 2 },
    'podMaxBackoffSeconds: Invalid value: 2: must be greater than or equal to PodInitialBackoffSeconds',
  ],
  [
    'an unknown plugin',
    { profiles: [{ plugins: { score: { enabled: [{ name: 'Foo' }] } } }] },
    'profiles[0].plugins.score.enabled[0].name: plugin "Foo" does not exist',
  ],
  [
    'no queue sort',
    { profiles: [{ plugins: { queueSort: { disabled: [{ name: '*' }] } } }] },
    'profiles[0].plugins: at least one queueSort plugin is needed',
  ],
  [
    'half of a plugin',
    { profiles: [{ plugins: { preFilter: { disabled: [{ name: 'NodePorts' }] } } }] },
    'profiles[0].plugins.preFilter.disabled: Forbidden: NodePorts cannot be left out at preFilter alone: disable it at filter too',
  ],
  [
    'an unknown argument',
    { profiles: [args('InterPodAffinity', { weight: 1 })] },
    'profiles[0].pluginConfig[0].args.weight: unknown field',
  ],
  [
    'an argument out of range',
    { profiles: [args('InterPodAffinity', { hardPodAffinityWeight: 101 })] },
    'profiles[0].pluginConfig[0].args.hardPodAffinityWeight: Invalid value: 101: not in valid range [0-100]',
  ],
  [
    'arguments of another kind',
    { profiles: [args('InterPodAffinity', { kind: 'NodeAffinityArgs' })] },
    'profiles[0].pluginConfig[0].args.kind: Unsupported value: "NodeAffinityArgs": supported values: "InterPodAffinityArgs"',
  ],
  [
    'arguments for nothing',
    { profiles: [args('NodeName', {})] },
    'profiles[0].pluginConfig[0]: Forbidden: the plugin NodeName takes no arguments',
  ],
  [
    'defaults of both types',
    {
      profiles: [
        args('PodTopologySpread', {
          defaultConstraints: [{ maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'DoNotSchedule' }],
        }),
      ],
    },
    'profiles[0].pluginConfig[0].args.defaultingType: Invalid value: "System": when .defaultConstraints are specified, .defaultingType must be "List"',
  ],
  [
    'a shape out of order',
    {
      profiles: [
        args('NodeResourcesFit', {
          scoringStrategy: {
            type: 'RequestedToCapacityRatio',
            requestedToCapacityRatio: {
              shape: [
                { utilization: 9, score: 1 },
                { utilization: 9, score: 2 },
              ],
            },
          },
        }),
      ],
    },
    'profiles[0].pluginConfig[0].args.scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 9: utilization values must be sorted in increasing order',
  ],
])('refuses %s', (_, rest, message) => {
  expect(() => readConfiguration({ ...head, ...rest })).toThrow(new ArgumentError(message));
});
