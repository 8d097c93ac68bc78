// Whatever comes and goes, tallies must say what counting anew says.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildNode, buildPod, epochMs } from '../testkit/index.ts';
import { ClusterCache } from './cache.ts';
import { podInfo } from './pod-info.ts';
import type { PodGroup, Tally, Topology } from './tallies.ts';

const zone = 'topology.kubernetes.io/zone';
const far = (app: string) => ({
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { labelSelector: { matchLabels: { app } }, topologyKey: zone },
    ],
  },
});

const node = fc.nat(4);
const pod = fc.record({
  app: fc.constantFrom('a', 'b'),
  ends: fc.boolean(),
  far: fc.boolean(),
});
const operation = fc.oneof(
  fc.record({ kind: fc.constant('node' as const), node, zone: fc.constantFrom('x', 'y', 'z', undefined) }),
  fc.record({ kind: fc.constant('nodeGone' as const), node }),
  fc.record({ kind: fc.constant('pod' as const), pod: fc.nat(8), node, parts: pod }),
  fc.record({ kind: fc.constant('podGone' as const), pod: fc.nat(8) }),
  fc.record({ kind: fc.constant('ask' as const) }),
);

const weights: Readonly<Record<string, (group: PodGroup) => number>> = {
  a: ({ labels }) => (labels.app === 'a' ? 1 : 0),
  staying: ({ terminating }) => (terminating ? 0 : 1),
  far: ({ terms }) => (terms === null ? 0 : 3),
};

function check(cache: ClusterCache): void {
  const { tallies } = cache;
  const topology: Topology = tallies.topology(zone);
  for (const [id, weightOf] of Object.entries(weights)) {
    const tally: Tally = tallies.tally(id, weightOf, id === 'far' ? 'withTerms' : 'all');
    const expected = new Map<string, number>();
    const values = new Map<string, number>();
    for (const info of cache.nodes) {
      let here = 0;
      for (const { pod: one } of info.pods.values()) {
        const { labels = {}, deletionTimestamp } = one.metadata;
        const group = {
          labels,
          terminating: deletionTimestamp !== undefined,
          terms: one.spec.affinity ?? null,
        };
        here += weightOf(group as unknown as PodGroup);
      }
      expect(tally.onNode[info.slot]).toBe(here);
      const value = info.labels[zone];
      if (value === undefined) continue;
      expected.set(value, (expected.get(value) ?? 0) + here);
      values.set(value, (values.get(value) ?? 0) + 1);
    }
    const sums = tally.sums(topology);
    expect([topology.values, topology.nodesWithKey]).toEqual([
      values.size,
      [...values.values()].reduce((a, b) => a + b, 0),
    ]);
    for (const [value, valueId] of topology.ids) {
      expect(sums[valueId] ?? 0).toBe(expected.get(value) ?? 0);
      expect(topology.nodes[valueId]).toBe(values.get(value) ?? 0);
    }
  }
  const withTerms = cache.nodes.flatMap((info) => [...info.pods.values()]).filter((p) => p.pod.spec.affinity);
  expect([...tallies.antiAffinityKeys.keys()]).toEqual(withTerms.length > 0 ? [zone] : []);
}

test('tallies agree with counting anew', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const cache = new ClusterCache();
      for (const op of operations) {
        if (op.kind === 'node')
          cache.setNode(buildNode(`n${op.node}`, op.zone === undefined ? {} : { zone: op.zone }));
        else if (op.kind === 'nodeGone') cache.removeNode(`n${op.node}`);
        else if (op.kind === 'podGone') cache.remove(`uid-p${op.pod}`);
        else if (op.kind === 'ask') check(cache);
        else
          cache.place(
            podInfo(
              buildPod(`p${op.pod}`, {
                labels: { app: op.parts.app },
                ...(op.parts.ends && { deletedMs: epochMs }),
                ...(op.parts.far && { spec: { affinity: far('a') } }),
              }),
            ),
            `n${op.node}`,
          );
      }
      check(cache);
    }),
    { numRuns: 300 },
  );
});

test('tallies that nobody asked for in a long time are dropped, and right when they are asked for again', () => {
  const cache = new ClusterCache();
  cache.setNode(buildNode('n0'));
  const first = cache.tallies.tally('first', () => 1);
  for (let i = 0; i < 2000; i++) cache.tallies.tally(`t${i}`, () => 1);
  cache.place(podInfo(buildPod('p')), 'n0');
  expect(first.alive).toBe(false);
  const again = cache.tallies.tally('first', () => 1);
  expect([first === again, again.onNode[0]]).toEqual([false, 1]);
  cache.tallies.reset();
  cache.remove('uid-p');
  expect(cache.tallies.tally('first', () => 1).onNode[0]).toBe(0);
});

test('more nodes than there was room for', () => {
  const cache = new ClusterCache();
  const { tallies } = cache;
  const topology = tallies.topology('kubernetes.io/hostname');
  const tally = tallies.tally('all', () => 1);
  for (let i = 0; i < 300; i++) {
    cache.setNode(buildNode(`n${i}`));
    cache.place(podInfo(buildPod(`p${i}`)), `n${i}`);
  }
  expect([topology.values, tally.sums(topology).reduce((a, b) => a + b)]).toEqual([300, 300]);
});
