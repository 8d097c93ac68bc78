// Which rules a ClusterRole should have that gathers those of others.
import { aggregatedRules, type ClusterRole, type rbacV1 } from '../../api/index.ts';
import { compileLabelSelector, semanticEqual } from '../../machinery/index.ts';

/** undefined = it has them, or gathers none. Pure. */
export function planAggregation(
  role: ClusterRole,
  all: readonly ClusterRole[],
): readonly rbacV1.PolicyRule[] | undefined {
  if (role.aggregationRule === undefined) return undefined;
  const rules = aggregatedRules(role, all);
  return semanticEqual(rules, role.rules) ? undefined : rules;
}

/** The names of those that gather a role's rules. Pure. */
export const gatherersOf = (role: ClusterRole, all: readonly ClusterRole[]): readonly string[] =>
  all
    .filter(({ aggregationRule }) =>
      aggregationRule?.clusterRoleSelectors?.some((selector) =>
        compileLabelSelector(selector)(role.metadata.labels),
      ),
    )
    .map(({ metadata }) => metadata.name);
