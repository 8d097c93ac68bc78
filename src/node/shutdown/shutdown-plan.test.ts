import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/index.ts';
import { gracesByCriticality, planShutdown, shutdownGraceSeconds } from './shutdown-plan.ts';

const pod = (name: string, priority: number | undefined, grace?: number): Pod =>
  ({
    metadata: { name, uid: name },
    spec: { priority, terminationGracePeriodSeconds: grace, containers: [] },
  }) as unknown as Pod;

describe('planShutdown', () => {
  const plan = (priorities: (number | undefined)[], graces: [number, number][]) =>
    planShutdown(
      priorities.map((priority, i) => pod(`p${i}`, priority)),
      graces.map(([priority, seconds]) => ({ priority, seconds })),
    ).map(({ seconds, pods }) => [seconds, pods.map(({ metadata }) => metadata.name).join(' ')]);

  test('critical pods end last, in what is left of the time', () => {
    expect(gracesByCriticality(30, 10)).toEqual([
      { priority: 0, seconds: 20 },
      { priority: 2_000_000_000, seconds: 10 },
    ]);
    expect(gracesByCriticality(0, 0)).toEqual([]);
    expect(
      planShutdown(
        [pod('node', 2_000_001_000), pod('web', 0), pod('plain', undefined)],
        gracesByCriticality(30, 10),
      ).map(({ seconds, pods }) => [seconds, pods.length]),
    ).toEqual([
      [20, 2],
      [10, 1],
    ]);
  });

  test.each<[string, (number | undefined)[], [number, number][], [number, string][]]>([
    [
      'between two priorities: the lower',
      [99],
      [
        [0, 5],
        [100, 7],
      ],
      [[5, 'p0']],
    ],
    [
      'just the priority',
      [100],
      [
        [0, 5],
        [100, 7],
      ],
      [[7, 'p0']],
    ],
    [
      'below the lowest: with the lowest',
      [-1],
      [
        [0, 5],
        [100, 7],
      ],
      [[5, 'p0']],
    ],
    [
      'whatever order they are given in',
      [0, 100],
      [
        [100, 7],
        [0, 5],
      ],
      [
        [5, 'p0'],
        [7, 'p1'],
      ],
    ],
    ['nothing is given: nobody ends', [0, 100], [], []],
  ])('%s', (_, priorities, graces, expected) => {
    expect(plan(priorities, graces)).toEqual(expected);
  });

  test('every pod is in one group, and no group ends before one of lower priority', () => {
    const priority = fc.integer({ min: -10, max: 10 });
    fc.assert(
      fc.property(fc.array(priority), fc.uniqueArray(priority, { minLength: 1 }), (pods, graces) => {
        const groups = planShutdown(
          pods.map((p, i) => pod(`p${i}`, p)),
          graces.map((p) => ({ priority: p, seconds: 1 })),
        );
        const order = groups.map((group) => group.pods.map(({ spec }) => spec.priority ?? 0));
        expect(order.flat().sort()).toEqual([...pods].sort());
        for (let i = 1; i < order.length; i++)
          expect(Math.min(...order[i]!)).toBeGreaterThan(Math.max(...order[i - 1]!));
      }),
    );
  });

  test('a pod never gets longer than it asks for', () => {
    expect(shutdownGraceSeconds(pod('a', 0, 3), 20)).toBe(3);
    expect(shutdownGraceSeconds(pod('a', 0, 60), 20)).toBe(20);
    expect(shutdownGraceSeconds(pod('a', 0), 20)).toBe(20);
  });
});
