import { describe, expect, test } from 'vitest';
import type { Node } from '../../api/index.ts';
import { buildNode, buildPod } from '../../testkit/index.ts';
import type { NodeContext } from './node-context.ts';
import { admitPod } from './pod-admission.ts';

/** A node as the agent saw it last, and as the API has it now; undefined = neither. */
function place(seen: Node | undefined, now: Node | undefined) {
  let reads = 0;
  const node = {
    node: () => seen,
    readNode: () => {
      reads++;
      return now === undefined ? Promise.reject(new Error('no API')) : Promise.resolve(now);
    },
    shutdown: () => undefined,
    pressure: () => [],
    admission: { allowedSysctls: [], appArmor: false },
  } as unknown as NodeContext;
  return { node, reads: () => reads };
}

const picky = buildPod('p', { node: 'n1', spec: { nodeSelector: { disk: 'ssd' } } });
const plain = buildNode('n1');
const labelled = buildNode('n1', { labels: { disk: 'ssd' } });
const tainted = buildNode('n1', { taints: [{ key: 'k', effect: 'NoExecute' }] });
const none = () => [];

describe('a pod', () => {
  test('is taken without a word to the API when the node is known to fit', async () => {
    const { node, reads } = place(labelled, undefined);
    expect(await admitPod(node, picky, none)).toBeUndefined();
    expect(reads()).toBe(0);
  });

  test.each<[string, Node | undefined, Node]>([
    ['labels', plain, labelled],
    ['taints', tainted, labelled],
    ['all of the node', undefined, labelled],
  ])('is judged by what the API has now: %s', async (_, seen, now) =>
    expect(await admitPod(place(seen, now).node, picky, none)).toBeUndefined(),
  );

  test('is refused when the API says so too', async () =>
    expect(await admitPod(place(plain, plain).node, picky, none)).toMatchObject({ reason: 'NodeAffinity' }));

  test('from a file does not wait for the API', async () => {
    const fixed = {
      ...picky,
      metadata: { ...picky.metadata, annotations: { 'kubernetes.io/config.source': 'file' } },
    };
    expect(await admitPod(place(undefined, undefined).node, fixed, none)).toBeUndefined();
    expect(await admitPod(place(plain, undefined).node, fixed, none)).toMatchObject({
      reason: 'NodeAffinity',
    });
  });
});
