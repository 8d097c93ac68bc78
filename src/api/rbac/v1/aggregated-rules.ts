// The rules of a ClusterRole that gathers those of others: pkg/controller/clusterroleaggregation.
import { compileLabelSelector, semanticEqual } from '../../../machinery/index.ts';
import type { ClusterRole, PolicyRule } from '../../generated/rbac-v1.ts';

/**
 * Selector after selector the rules of the roles that it matches, by name, each rule once; never those of the role itself. Pure.
 * Throws for a selector that the rules of the kind refuse.
 */
export function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] {
  const rules: PolicyRule[] = [];
  const byName = all
    .filter(({ metadata }) => metadata.name !== role.metadata.name)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const matches = compileLabelSelector(selector);
    for (const { metadata, rules: theirs = [] } of byName) {
      if (!matches(metadata.labels)) continue;
      for (const rule of theirs) if (!rules.some((known) => semanticEqual(known, rule))) rules.push(rule);
    }
  }
  return rules;
}
