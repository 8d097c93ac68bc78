import { describe, expect, test } from 'vitest';
import type { ReplicaSet } from '../../api/index.ts';
import { buildDeployment, buildSet, type SetParts } from '../../testkit/index.ts';
import { scaled } from '../int-or-percent.ts';
import {
  activeOrLatest,
  desiredReplicasAnnotation,
  fenceposts,
  isSaturated,
  maxReplicasAnnotation,
  newSetReplicas,
  shareScale,
  shrinkOldSets,
} from './rollout.ts';

const rolling = (maxSurge: number | string, maxUnavailable: number | string) => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge, maxUnavailable },
});
const sized = (
  name: string,
  replicas: number,
  available = replicas,
  { counted = replicas, ...parts }: SetParts & { counted?: number } = {},
) => buildSet(name, replicas, { ...parts, status: { replicas: counted, availableReplicas: available } });
const noted = (name: string, replicas: number, max: number) =>
  sized(name, replicas, replicas, {
    annotations: { [desiredReplicasAnnotation]: '10', [maxReplicasAnnotation]: String(max) },
  });
const byName = (sizes: ReadonlyMap<string, number>) =>
  Object.fromEntries([...sizes].map(([uid, size]) => [uid.replace('uid-', ''), size]));

test.each([
  [3, 10, 'up', 3],
  ['25%', 10, 'up', 3],
  ['25%', 10, 'down', 2],
  ['0%', 10, 'up', 0],
  ['100%', 7, 'down', 7],
  [undefined, 10, 'up', 0],
] as const)('%s of %d rounded %s is %d', (value, whole, round, expected) => {
  expect(scaled(value, whole, round)).toBe(expected);
});

test.each([
  [10, rolling('25%', '25%'), 3, 2],
  [3, rolling('25%', '25%'), 1, 0],
  [4, rolling(0, 0), 0, 1],
  [4, rolling(0, '1%'), 0, 1],
  [4, rolling(2, 9), 2, 4],
  [0, rolling(1, 1), 1, 0],
  [5, { type: 'Recreate' }, 0, 0],
])('of %d replicas with %j: surge %d, unavailable %d', (replicas, strategy, maxSurge, maxUnavailable) => {
  expect(fenceposts(buildDeployment('web', replicas, { strategy }))).toEqual({ maxSurge, maxUnavailable });
});

describe('growth of the new set', () => {
  const deployment = buildDeployment('web', 10, { strategy: rolling(3, 2) });
  test.each([
    ['all at once when nothing else is there', [], 0, 10],
    ['only the surge beside a full old set', [sized('old', 10)], 0, 3],
    ['what an old set gave up', [sized('old', 8), sized('new', 3)], 3, 5],
    [
      'nothing before the pods of an old set are really going',
      [sized('old', 8, 10, { counted: 10 }), sized('new', 3)],
      3,
      3,
    ],
    ['nothing when all room is used', [sized('old', 10), sized('new', 3)], 3, 3],
    ['nothing when there are too many', [sized('old', 20)], 0, 0],
    ['never more than wanted', [sized('new', 9)], 9, 10],
  ] as [string, ReplicaSet[], number, number][])('%s', (_, all, current, expected) => {
    expect(newSetReplicas(deployment, all, current)).toBe(expected);
  });
});

describe('shrinking of old sets', () => {
  const deployment = buildDeployment('web', 10, { strategy: rolling(3, 2) });
  test.each([
    ['down to the least that must be available', sized('new', 3, 0), [sized('old', 10)], { old: 8 }],
    ['as the new ones become available', sized('new', 5, 5), [sized('old', 8)], { old: 3 }],
    ['not at all while the new ones are not', sized('new', 5, 0), [sized('old', 8)], {}],
    [
      'what does not serve goes first, the oldest set before others',
      sized('new', 3, 0),
      [sized('a', 5, 3), sized('b', 5, 4)],
      { a: 3 },
    ],
    // The status still tells of ten although the set was told to be eight.
    ['a status that is behind is not believed', sized('new', 3, 0), [sized('old', 8, 10)], {}],
    [
      'a status that is behind does not pay for another set',
      sized('new', 2, 2),
      [sized('a', 3, 10), sized('b', 5)],
      { a: 1 },
    ],
    ['nothing there', sized('new', 10), [], {}],
  ] as [string, ReplicaSet, ReplicaSet[], object][])('%s', (_, newSet, old, expected) => {
    expect(byName(shrinkOldSets(deployment, newSet, old))).toEqual(expected);
  });
});

describe('a change of scale', () => {
  test('concerns the one active set, else the new one, else the youngest', () => {
    const [a, b] = [sized('a', 0), sized('b', 3)];
    expect(activeOrLatest(a, [b])).toBe(b);
    expect(activeOrLatest(a, [])).toBe(a);
    const young = sized('young', 0, 0, { meta: { creationTimestamp: '2026-01-02T00:00:00Z' } });
    expect(activeOrLatest(undefined, [young, a])).toBe(young);
    expect(activeOrLatest(sized('c', 2), [b])).toBeUndefined();
    expect(activeOrLatest(undefined, [])).toBeUndefined();
  });

  test.each([
    ['grows all in proportion', 20, [noted('new', 5, 12), noted('old', 5, 12)], { old: 13, new: 9 }],
    [
      'the largest gets what rounding leaves',
      20,
      [noted('new', 3, 12), noted('old', 7, 12)],
      { new: 6, old: 16 },
    ],
    ['shrinks all in proportion', 5, [noted('new', 4, 12), noted('old', 8, 12)], { new: 2, old: 5 }],
    ['to nothing', 0, [noted('new', 4, 12), noted('old', 8, 12)], { new: 0, old: 0 }],
    [
      'a set without a note goes by the size of the deployment',
      20,
      [sized('new', 5), sized('old', 5)],
      { old: 13, new: 9 },
    ],
  ] as [string, number, ReplicaSet[], object][])('%s', (_, replicas, sets, expected) => {
    const deployment = buildDeployment('web', replicas, {
      strategy: rolling(2, 2),
      status: { replicas: 12 },
    });
    expect(byName(shareScale(deployment, sets))).toEqual(expected);
  });

  test('saturated: everything wanted is there and works', () => {
    const deployment = buildDeployment('web', 10);
    expect(isSaturated(deployment, noted('new', 10, 12))).toBe(true);
    expect(isSaturated(deployment, noted('new', 9, 12))).toBe(false);
    expect(isSaturated(deployment, sized('new', 10))).toBe(false);
    expect(isSaturated(deployment, undefined)).toBe(false);
  });
});
