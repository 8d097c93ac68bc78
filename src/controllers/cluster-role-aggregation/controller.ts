// Keeps the rules of ClusterRoles that gather those of others: pkg/controller/clusterroleaggregation. The rules are written under a name of
// their own, as in Kubernetes: who applies such a role with rules meets a conflict that says whose they are.
import { ClusterRole } from '../../api/index.ts';
import { isNotFound } from '../../machinery/index.ts';
import { defineController, maps } from '../framework/index.ts';
import { gatherersOf, planAggregation } from './plan.ts';

const fieldManager = 'clusterrole-aggregation-controller';

export const clusterRoleAggregationController = defineController({
  name: 'clusterrole-aggregation',
  reconciles: ClusterRole,
  watches: [maps(ClusterRole, (role, lister) => gatherersOf(role, lister(ClusterRole).list()))],

  build({ lister, client }) {
    const roles = lister(ClusterRole);

    return async function reconcile(key) {
      const role = roles.get(key);
      if (role === undefined || role.metadata.deletionTimestamp !== undefined) return;
      const rules = planAggregation(role, roles.list());
      if (rules === undefined) return;
      const next = { ...role, rules: [...rules] };
      try {
        await client(ClusterRole).update(next, { fieldManager });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    };
  },
});
