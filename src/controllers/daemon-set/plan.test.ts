import { describe, expect, test } from 'vitest';
import type { coreV1, DaemonSet, Pod } from '../../api/index.ts';
import { buildNode, buildPod, buildTemplate, epochMs, type PodParts } from '../../testkit/index.ts';
import { FailedPods } from './failed-pods.ts';
import { compilePlacement, daemonTolerations } from './placement.ts';
import { burst, planDaemonSet } from './plan.ts';
import { hashLabel, nodeOf, podDraft } from './pod.ts';

const nowMs = epochMs + 3_600_000;
const build = (spec: Partial<DaemonSet['spec']> = {}, pod: Partial<coreV1.PodSpec> = {}): DaemonSet => {
  const template = buildTemplate({ app: 'log' });
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'log', namespace: 'default', uid: 'uid-log', generation: 2, resourceVersion: '1' },
    spec: {
      selector: { matchLabels: { app: 'log' } },
      template: { ...template, spec: { ...template.spec!, ...pod } },
      ...spec,
    },
  } as unknown as DaemonSet;
};
const exists = (key: string, effect?: string) => ({ key, operator: 'Exists', ...(effect && { effect }) });

describe('placement', () => {
  const cases: [string, Partial<coreV1.PodSpec>, Parameters<typeof buildNode>[1], boolean, boolean][] = [
    ['any node', {}, {}, true, true],
    [
      'a cordoned node',
      {},
      { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
      true,
      true,
    ],
    [
      'a node that is not ready',
      {},
      { taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }] },
      true,
      true,
    ],
    [
      'a node without network',
      {},
      { taints: [{ key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' }] },
      false,
      true,
    ],
    [
      'that, on the host network',
      { hostNetwork: true },
      { taints: [{ key: 'node.kubernetes.io/network-unavailable', effect: 'NoSchedule' }] },
      true,
      true,
    ],
    [
      'a node that only prefers others',
      {},
      { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] },
      true,
      true,
    ],
    ['a tainted node', {}, { taints: [{ key: 'k', effect: 'NoSchedule' }] }, false, true],
    [
      'a node that throws out',
      {},
      {
        taints: [
          { key: 'k', effect: 'NoSchedule' },
          { key: 'x', effect: 'NoExecute' },
        ],
      },
      false,
      false,
    ],
    [
      'a taint that is borne',
      { tolerations: [exists('k')] },
      { taints: [{ key: 'k', effect: 'NoExecute' }] },
      true,
      true,
    ],
    ['another label', { nodeSelector: { disk: 'ssd' } }, { labels: { disk: 'hdd' } }, false, false],
    ['another name', { nodeName: 'n2' }, {}, false, false],
    ['its name', { nodeName: 'n1' }, {}, true, true],
  ];
  test.each(cases)('%s', (_, pod, node, shouldRun, mayStay) => {
    expect(compilePlacement(build({}, pod))(buildNode('n1', node))).toEqual({ shouldRun, mayStay });
  });

  test('a toleration of the template that is one of ours but for a time loses it', () => {
    const given = { ...exists('node.kubernetes.io/not-ready', 'NoExecute'), tolerationSeconds: 5 };
    const all = daemonTolerations({ tolerations: [given, exists('k')], containers: [] });
    expect(all).toHaveLength(7);
    expect(all.slice(0, 2)).toEqual([exists('node.kubernetes.io/not-ready', 'NoExecute'), exists('k')]);
  });
});

test('a pod is tied to its node and to nothing else that the template requires of nodes', () => {
  const preferred = [{ weight: 1, preference: { matchExpressions: [{ key: 'a', operator: 'Exists' }] } }];
  const required = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'b', operator: 'Exists' }] }] };
  const affinity = {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
      requiredDuringSchedulingIgnoredDuringExecution: required,
    },
    podAffinity: {},
  };
  const { spec } = podDraft(build({}, { affinity }), 'n7', 'h1');
  expect(nodeOf({ spec } as Pod)).toBe('n7');
  expect(spec.affinity).toEqual({
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n7'] }] }],
      },
    },
    podAffinity: {},
  });
});

describe('plan', () => {
  const set = build();
  const surging = build({
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
  });
  const on = (node: string, name: string, parts: PodParts & { hash?: string } = {}) =>
    buildPod(name, { owner: set, node, ready: true, labels: { [hashLabel]: parts.hash ?? 'h1' }, ...parts });
  const waiting = (node: string, name: string) =>
    buildPod(name, {
      owner: set,
      labels: { [hashLabel]: 'h1' },
      spec: { affinity: podDraft(set, node, 'h1').spec.affinity },
    });
  const plan = (pods: readonly Pod[], of = set, failedForMs = 0) => {
    const { create, remove, failed, succeeded, wakeInMs } = planDaemonSet({
      set: of,
      nodes: [buildNode('n1'), buildNode('n2')],
      pods,
      hashes: ['h1', 'h1-twin'],
      collisionCount: 0,
      failedForMs: () => failedForMs,
      nowMs,
    });
    const names = (all: readonly Pod[]) => all.map((pod) => pod.metadata.name);
    return {
      create,
      remove: names(remove),
      failed: failed.map((f) => f.pod.metadata.name),
      succeeded: succeeded.map((f) => f.pod.metadata.name),
      wakeInMs,
    };
  };
  const none = { create: [], remove: [], failed: [], succeeded: [], wakeInMs: undefined };
  const later = { meta: { creationTimestamp: '2026-01-01T00:30:00Z' } };

  const cases: [string, readonly Pod[], object][] = [
    ['nothing there', [], { create: ['n1', 'n2'] }],
    ['all there', [on('n1', 'a'), on('n2', 'b')], {}],
    ['one still waits for its node', [on('n1', 'a'), waiting('n2', 'b')], {}],
    ['one is going', [on('n1', 'a'), on('n2', 'b', { deletedMs: nowMs })], {}],
    [
      'two on a node: the younger goes',
      [on('n1', 'a', later), on('n1', 'b'), on('n2', 'c')],
      { remove: ['a'] },
    ],
    ['the one without its node goes', [waiting('n1', 'a'), on('n1', 'b'), on('n2', 'c')], { remove: ['a'] }],
    [
      'one waits for a node that is gone',
      [on('n1', 'a'), on('n2', 'b'), waiting('n3', 'c')],
      { remove: ['c'] },
    ],
    [
      'one failed',
      [on('n1', 'a'), on('n2', 'b', { phase: 'Failed', ready: false })],
      { remove: ['b'], failed: ['b'] },
    ],
    [
      'one ended',
      [on('n1', 'a'), on('n2', 'b', { phase: 'Succeeded', ready: false })],
      { remove: ['b'], succeeded: ['b'] },
    ],
    ['an old one', [on('n1', 'a'), on('n2', 'b', { hash: 'h0' })], { remove: ['b'] }],
    ['one of a doubled revision is not old', [on('n1', 'a'), on('n2', 'b', { hash: 'h1-twin' })], {}],
    ['an old one waits for a new one', [on('n1', 'a', { ready: false }), on('n2', 'b', { hash: 'h0' })], {}],
    [
      'an old one that does not serve waits for nobody',
      [on('n1', 'a', { ready: false }), on('n2', 'b', { hash: 'h0', ready: false })],
      { remove: ['b'] },
    ],
  ];
  test.each(cases)('%s', (_, pods, expected) => {
    expect(plan(pods)).toEqual({ ...none, ...expected });
  });

  test('a failed pod stays while it is too early', () => {
    expect(plan([on('n1', 'a'), on('n2', 'b', { phase: 'Failed' })], set, 700)).toEqual({
      ...none,
      wakeInMs: 700,
    });
  });

  test.each<[string, readonly Pod[], object]>([
    [
      'an old one gets a new one beside it',
      [on('n1', 'a'), on('n2', 'b', { hash: 'h0' })],
      { create: ['n2'] },
    ],
    [
      'not while another waits',
      [on('n1', 'a', { ready: false }), on('n1', 'b', { hash: 'h0' }), on('n2', 'c', { hash: 'h0' })],
      {},
    ],
    [
      'the old one goes when the new one serves',
      [on('n1', 'a'), on('n1', 'b', { hash: 'h0' }), on('n2', 'c')],
      { remove: ['b'] },
    ],
    [
      'or when it does not serve itself',
      [on('n1', 'a', { ready: false }), on('n1', 'b', { hash: 'h0', ready: false }), on('n2', 'c')],
      { remove: ['b'] },
    ],
  ])('with a surge: %s', (_, pods, expected) => {
    expect(plan(pods, surging)).toEqual({ ...none, ...expected });
  });

  test('never more than a burst', () => {
    const nodes = Array.from({ length: 600 }, (_, i) => buildNode(`n${i}`));
    const view = {
      set,
      nodes,
      pods: [],
      hashes: ['h1'] as [string],
      collisionCount: 0,
      failedForMs: () => 0,
      nowMs,
    };
    expect(planDaemonSet(view).create).toHaveLength(burst);
  });
});

test('failures are forgiven more and more slowly, and after a long rest at once', () => {
  const failed = new FailedPods();
  const waits = [0, 1000, 2000, 4000].map((_, i) => {
    failed.note('k', nowMs);
    return [i, failed.waitMs('k', nowMs), failed.waitMs('k', nowMs + 1000), failed.waitMs('other', nowMs)];
  });
  expect(waits).toEqual([
    [0, 1000, 0, 0],
    [1, 2000, 1000, 0],
    [2, 4000, 3000, 0],
    [3, 8000, 7000, 0],
  ]);
  for (let i = 0; i < 20; i++) failed.note('k', nowMs);
  expect(failed.waitMs('k', nowMs)).toBe(15 * 60_000);
  failed.forgetOld(nowMs + 31 * 60_000);
  expect(failed.waitMs('k', nowMs)).toBe(0);
});
