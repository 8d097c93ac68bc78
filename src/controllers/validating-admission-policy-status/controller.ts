// Tells each policy what its expressions get wrong about the kinds it is for, once for each of its generations.
import { CustomResourceDefinition, ValidatingAdmissionPolicy } from '../../api/index.ts';
import type { KindDef } from '../../machinery/index.ts';
import { defineController } from '../framework/index.ts';
import { ignoreNotFound } from '../ownership.ts';
import { knownKinds } from './known-kinds.ts';
import { planWarnings } from './plan.ts';

export interface PolicyStatusOptions {
  /** Those that are built in. */
  readonly kinds: readonly KindDef[];
}

export const validatingAdmissionPolicyStatusController = ({ kinds }: PolicyStatusOptions) =>
  defineController({
    name: 'validatingadmissionpolicy-status',
    reconciles: ValidatingAdmissionPolicy,

    build({ lister, client }) {
      const policies = lister(ValidatingAdmissionPolicy);
      const definitions = lister(CustomResourceDefinition);

      return async function reconcile(key) {
        const policy = policies.get(key);
        if (policy === undefined || policy.metadata.deletionTimestamp !== undefined) return;
        const { generation = 0 } = policy.metadata;
        if (generation <= (policy.status?.observedGeneration ?? 0)) return;
        const warnings = planWarnings(policy, knownKinds(kinds, definitions.list()));
        const typeChecking = warnings.length === 0 ? {} : { expressionWarnings: [...warnings] };
        const status = { ...policy.status, observedGeneration: generation, typeChecking };
        await client(ValidatingAdmissionPolicy)
          .updateStatus({ ...policy, status })
          .catch(ignoreNotFound);
      };
    },
  });
