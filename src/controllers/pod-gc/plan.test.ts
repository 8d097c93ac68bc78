import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/index.ts';
import { buildNode, buildPod, epochMs, type NodeParts, type PodParts } from '../../testkit/index.ts';
import { type GcView, planRemoval, planTrim, quarantineMs } from './plan.ts';

const off: NodeParts = {
  ready: false,
  taints: [{ key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute' }],
};
const gone = (forMs: number): Partial<GcView> => ({ nodeGoneForMs: forMs });

describe('pods that nobody ends', () => {
  test.each<[string, PodParts, Partial<GcView>, unknown]>([
    ['waits for a node', {}, {}, undefined],
    ['deleted before it had a node', { deletedMs: epochMs }, {}, 'it was deleted before it had a node'],
    ['runs', { node: 'n' }, { node: buildNode('n') }, undefined],
    ['ends on its node', { node: 'n', deletedMs: epochMs }, { node: buildNode('n') }, undefined],
    ['its node just went', { node: 'n' }, gone(500), quarantineMs - 500],
    ['its node is gone', { node: 'n' }, gone(quarantineMs), 'its node is gone'],
    ['runs on a node that is off', { node: 'n' }, { node: buildNode('n', off) }, undefined],
    [
      'ends on a node that is off',
      { node: 'n', deletedMs: epochMs },
      { node: buildNode('n', off) },
      'its node is out of service',
    ],
    [
      'ends on a node that is called off and lives',
      { node: 'n', deletedMs: epochMs },
      { node: buildNode('n', { ...off, ready: true }) },
      undefined,
    ],
  ])('%s', (_, parts, view, expected) => {
    const got = planRemoval({
      pod: buildPod('p', parts),
      node: undefined,
      nodeGoneForMs: undefined,
      ...view,
    });
    expect(typeof got === 'object' ? got.why : got).toBe(expected);
  });

  test('only the loss of the node is told as a disruption', () => {
    const pod = buildPod('p', { node: 'n' });
    expect(planRemoval({ pod, node: undefined, nodeGoneForMs: quarantineMs })).toMatchObject({
      condition: { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC' },
    });
    const unplaced = buildPod('p', { deletedMs: epochMs });
    expect(planRemoval({ pod: unplaced, node: undefined, nodeGoneForMs: undefined })).not.toHaveProperty(
      'condition',
    );
  });
});

test('of too many finished pods evicted ones go first, then the oldest, and never more than are too many', () => {
  const one = fc.record({ age: fc.nat(5), evicted: fc.boolean() });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 20 }), fc.nat(12), (parts, threshold) => {
      const pods = parts.map(({ age, evicted }, i): Pod => {
        const pod = buildPod(`p${i}`, {
          phase: 'Failed',
          meta: { creationTimestamp: `2026-01-01T00:00:0${age}Z` },
        });
        return evicted ? { ...pod, status: { ...pod.status, reason: 'Evicted' } } : pod;
      });
      const gone = new Set(planTrim(pods, threshold));
      expect(gone.size).toBe(threshold === 0 ? 0 : Math.max(0, pods.length - threshold));
      const rank = (pod: Pod) =>
        `${pod.status?.reason === 'Evicted' ? 0 : 1} ${pod.metadata.creationTimestamp}`;
      for (const pod of gone)
        for (const kept of pods) if (!gone.has(kept)) expect(rank(pod) <= rank(kept)).toBe(true);
    }),
  );
});
