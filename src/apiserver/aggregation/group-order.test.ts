import fc from 'fast-check';
import { expect, test } from 'vitest';
import { orderGroups } from './group-order.ts';

const priorities: Record<string, readonly [number, number]> = {
  'apps/v1': [17800, 15],
  'b/v1': [100, 10],
  'b/v2': [2000, 10],
  'b/v3alpha1': [100, 20],
};

test('groups by their highest priority, versions by theirs and then by name', () => {
  const groups = new Map([
    ['c', ['v1beta1', 'v1', 'v2alpha1']],
    ['b', ['v1', 'v2', 'v3alpha1']],
    ['a', ['v1']],
    ['apps', ['v1']],
    ['apiregistration.k8s.io', ['v1']],
  ]);
  const ordered = orderGroups(
    groups,
    ({ group, version }) => priorities[`${group}/${version}`] ?? [1000, 15],
  );
  expect([...ordered]).toEqual([
    ['apiregistration.k8s.io', ['v1']],
    ['apps', ['v1']],
    ['b', ['v3alpha1', 'v2', 'v1']],
    ['a', ['v1']],
    ['c', ['v1', 'v1beta1', 'v2alpha1']],
  ]);
});

test('the order in which groups and versions were found does not matter', () => {
  const versions = fc.uniqueArray(fc.constantFrom('v1', 'v2', 'v1beta1', 'x'), { minLength: 1 });
  const group = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), versions);
  fc.assert(
    fc.property(fc.uniqueArray(group, { selector: ([name]) => name }), fc.nat(3), (groups, seed) => {
      const priorityOf = ({ group: g, version: v }: { group: string; version: string }) =>
        [(g.charCodeAt(0) + seed) % 2, v.length % 2] as const;
      const shuffled = groups.toReversed().map(([name, list]) => [name, list.toReversed()] as const);
      expect([...orderGroups(new Map(shuffled), priorityOf)]).toEqual([
        ...orderGroups(new Map(groups), priorityOf),
      ]);
    }),
  );
});
