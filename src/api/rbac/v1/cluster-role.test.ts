import { describe, expect, it } from 'vitest';
import { complaints, created } from '../../../testkit/index.ts';
import { ClusterRole } from './cluster-role.ts';

describe('ClusterRole', () => {
  it.each([
    [[{ matchLabels: { a: 'b' } }], []],
    [
      [],
      [
        'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
      ],
    ],
    [
      [{ matchExpressions: [{ key: 'a', operator: 'Odd' }] }],
      [
        'aggregationRule.clusterRoleSelectors[0].matchExpressions[0].operator: Invalid value: "Odd": not a valid selector operator',
        'aggregationRule.clusterRoleSelectors[0]: Invalid value: "null": invalid label selector.',
      ],
    ],
  ])('aggregates by sound selectors %#', (clusterRoleSelectors, wanted) => {
    const role = created(ClusterRole, { aggregationRule: { clusterRoleSelectors } });
    expect(complaints(ClusterRole, role)).toEqual(wanted);
  });
});
