// Each plugin's table: one pod, one node, what the plugin says.
import { describe, expect, test } from 'vitest';
import type { coreV1 } from '../../api/index.ts';
import {
  buildNode,
  buildPod,
  type NodeParts,
  PluginFixture,
  type PodParts,
  refusalsOf,
} from '../../testkit/index.ts';
import { NodeInfo } from '../node-info.ts';
import { type Plugin, type PluginFactory, PodRefusal } from '../plugin.ts';
import { podInfo } from '../pod-info.ts';
import { nodeAffinity as nodeAffinityFactory } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeResourcesFit as nodeResourcesFitFactory } from './node-resources-fit.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { taintToleration } from './taint-toleration.ts';

const built = (factory: PluginFactory, args: Record<string, unknown> = {}): Plugin =>
  factory.build(new PluginFixture().context, factory.readArgs?.(args));
const nodeAffinity = built(nodeAffinityFactory);
const nodeResourcesFit = built(nodeResourcesFitFactory);

const infoOf = (parts: NodeParts, running: readonly PodParts[] = []): NodeInfo => {
  const info = new NodeInfo(buildNode('n', parts));
  for (const [i, pod] of running.entries()) info.add(podInfo(buildPod(`r${i}`, { node: 'n', ...pod })));
  return info;
};

const refusals = <S>(plugin: Plugin<S>, pod: PodParts, node: NodeInfo) =>
  refusalsOf(plugin, podInfo(buildPod('a', pod)), node);
function scoreOf<S>(plugin: Plugin<S>, pod: PodParts, node: NodeInfo): number | undefined {
  const state = plugin.preFilter(podInfo(buildPod('a', pod)), [node]);
  return state === undefined || state instanceof PodRefusal ? undefined : plugin.score!(state, node);
}
const spec = (more: Partial<coreV1.PodSpec>): PodParts => ({ spec: more });

describe('NodeUnschedulable', () => {
  const tolerations = [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' }];
  test.each<[string, NodeParts, PodParts, string[]]>([
    ['an open node', {}, {}, []],
    ['a cordoned node', { unschedulable: true }, {}, ['node(s) were unschedulable']],
    ['a cordoned node that is borne', { unschedulable: true }, spec({ tolerations }), []],
  ])('%s', (_, node, pod, expected) => {
    expect(refusals(nodeUnschedulable, pod, infoOf(node))).toEqual(expected);
  });
});

test('NodeName', () => {
  expect(refusals(nodeName, {}, infoOf({}))).toBeUndefined();
  expect(refusals(nodeName, { node: 'n' }, infoOf({}))).toEqual([]);
  expect(refusals(nodeName, { node: 'm' }, infoOf({}))).toEqual([
    "node(s) didn't match the requested node name",
  ]);
});

describe('TaintToleration', () => {
  const taint = (effect: string) => ({ key: 'k', value: 'v', effect });
  const bears = spec({ tolerations: [{ key: 'k', operator: 'Exists' }] });
  const refused = ['node(s) had untolerated taint(s)'];
  test.each<[string, PodParts, string[]]>([
    ['NoSchedule', {}, refused],
    ['NoExecute', {}, refused],
    ['PreferNoSchedule', {}, []],
    ['NoSchedule', bears, []],
    ['NoExecute', bears, []],
  ])('%s against %j', (effect, pod, expected) => {
    expect(refusals(taintToleration, pod, infoOf({ taints: [taint(effect)] }))).toEqual(expected);
  });

  test('counts the preferences against the pod', () => {
    const node = infoOf({ taints: [taint('PreferNoSchedule'), { ...taint('PreferNoSchedule'), key: 'l' }] });
    expect(scoreOf(taintToleration, {}, node)).toBe(2);
    expect(scoreOf(taintToleration, bears, node)).toBe(1);
  });
});

describe('NodeAffinity', () => {
  const labels = { zone: 'a', size: '5' };
  const refused = ["node(s) didn't match Pod's node affinity/selector"];
  const required = (...terms: coreV1.NodeSelectorTerm[]): PodParts =>
    spec({
      affinity: {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
      },
    });
  const key = (name: string, operator: string, ...values: string[]) => ({ key: name, operator, values });
  const by = (...matchExpressions: ReturnType<typeof key>[]) => required({ matchExpressions });
  test.each<[string, PodParts, string[] | undefined]>([
    ['says nothing', {}, undefined],
    ['selector', spec({ nodeSelector: { zone: 'a' } }), []],
    ['selector of another value', spec({ nodeSelector: { zone: 'b' } }), refused],
    ['In', by(key('zone', 'In', 'b', 'a')), []],
    ['In of a missing label', by(key('x', 'In', 'a')), refused],
    ['NotIn', by(key('zone', 'NotIn', 'a')), refused],
    ['NotIn of a missing label', by(key('x', 'NotIn', 'a')), []],
    ['Exists', by(key('zone', 'Exists')), []],
    ['DoesNotExist', by(key('zone', 'DoesNotExist')), refused],
    ['Gt', by(key('size', 'Gt', '4')), []],
    ['Lt', by(key('size', 'Lt', '4')), refused],
    ['Gt of no number', by(key('zone', 'Gt', '4')), refused],
    ['all of a term', by(key('zone', 'Exists'), key('x', 'Exists')), refused],
    [
      'any of the terms',
      required({ matchExpressions: [key('x', 'Exists')] }, { matchExpressions: [key('zone', 'Exists')] }),
      [],
    ],
    ['an empty term', required({}), refused],
    ['by name', required({ matchFields: [key('metadata.name', 'In', 'n')] }), []],
    ['by another name', required({ matchFields: [key('metadata.name', 'In', 'm')] }), refused],
    ['not by name', required({ matchFields: [key('metadata.name', 'NotIn', 'n')] }), refused],
    [
      'selector and affinity',
      spec({ nodeSelector: { zone: 'b' }, ...by(key('zone', 'Exists')).spec }),
      refused,
    ],
  ])('%s', (_, pod, expected) => {
    expect(refusals(nodeAffinity, pod, infoOf({ labels }))).toEqual(expected);
  });

  test('preferences add up, an empty one says nothing', () => {
    const prefer = (weight: number, ...matchExpressions: ReturnType<typeof key>[]) => ({
      weight,
      preference: { matchExpressions },
    });
    const preferredDuringSchedulingIgnoredDuringExecution = [
      prefer(10, key('zone', 'In', 'a')),
      prefer(5, key('size', 'Exists')),
      prefer(50, key('x', 'Exists')),
      prefer(99),
    ];
    const pod = spec({ affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution } } });
    expect(scoreOf(nodeAffinity, pod, infoOf({ labels }))).toBe(15);
  });
});

describe('NodePorts', () => {
  const on = (...ports: Partial<coreV1.ContainerPort>[]): PodParts =>
    spec({ containers: [{ name: 'c', image: 'i', ports }] as coreV1.Container[] });
  const at = (hostPort: number, hostIP?: string, protocol?: string) => ({
    containerPort: 1,
    hostPort,
    ...(hostIP !== undefined && { hostIP }),
    ...(protocol !== undefined && { protocol }),
  });
  const taken = ["node(s) didn't have free ports for the requested pod ports"];
  test.each<[string, PodParts, PodParts, string[] | undefined]>([
    ['no host port', on({ containerPort: 1 }), on(at(80)), undefined],
    ['another port', on(at(81)), on(at(80)), []],
    ['the same port', on(at(80)), on(at(80)), taken],
    ['another protocol', on(at(80, undefined, 'UDP')), on(at(80)), []],
    ['other addresses', on(at(80, '10.0.0.1')), on(at(80, '10.0.0.2')), []],
    ['the same address', on(at(80, '10.0.0.1')), on(at(80, '10.0.0.1')), taken],
    ['all addresses against one', on(at(80)), on(at(80, '10.0.0.1')), taken],
    ['one address against all', on(at(80, '10.0.0.1')), on(at(80, '0.0.0.0')), taken],
    ['one of several', on(at(81), at(80)), on(at(80)), taken],
    ['a port whose number starts alike', on(at(8)), on(at(80)), []],
  ])('%s', (_, pod, running, expected) => {
    expect(refusals(nodePorts, pod, infoOf({}, [running]))).toEqual(expected);
  });
});

describe('NodeResourcesFit', () => {
  const allocatable = {
    cpu: '2',
    memory: '1Gi',
    pods: '2',
    'ephemeral-storage': '10Gi',
    'example.com/gpu': '1',
  };
  const asks = (requests: Record<string, string>): PodParts => ({ requests });
  test.each<[string, PodParts, PodParts[], string[]]>([
    ['asks for nothing', {}, [], []],
    ['all there is', asks({ cpu: '2', memory: '1Gi' }), [], []],
    ['too much of one', asks({ cpu: '2001m' }), [], ['Insufficient cpu']],
    [
      'too much of several',
      asks({ cpu: '3', memory: '2Gi', 'ephemeral-storage': '11Gi' }),
      [],
      ['Insufficient cpu', 'Insufficient memory', 'Insufficient ephemeral-storage'],
    ],
    ['what is left', asks({ cpu: '1' }), [asks({ cpu: '1500m' })], ['Insufficient cpu']],
    ['an extended resource', asks({ 'example.com/gpu': '1' }), [], []],
    [
      'too much of it',
      asks({ 'example.com/gpu': '1' }),
      [asks({ 'example.com/gpu': '1' })],
      ['Insufficient example.com/gpu'],
    ],
    ['one the node has not', asks({ 'example.com/tpu': '1' }), [], ['Insufficient example.com/tpu']],
    ['no slot', {}, [{}, {}], ['Too many pods']],
    ['no slot and too little', asks({ cpu: '3' }), [{}, {}], ['Too many pods', 'Insufficient cpu']],
    ['nothing of what is overdrawn', {}, [asks({ cpu: '9' })], []],
  ])('%s', (_, pod, running, expected) => {
    expect(refusals(nodeResourcesFit, pod, infoOf({ allocatable }, running))).toEqual(expected);
  });

  test('the emptier node scores higher, also when nobody says what they need', () => {
    const score = (...running: PodParts[]) => scoreOf(nodeResourcesFit, {}, infoOf({}, running))!;
    expect(score()).toBeGreaterThan(score({}));
    expect(score({})).toBeGreaterThan(score({}, {}));
    expect(score(asks({ cpu: '9', memory: '9Gi' }))).toBe(0);
    expect(score()).toBeLessThanOrEqual(100);
  });
});
