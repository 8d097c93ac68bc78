// The rule of pull policies, which containers and image volumes share.
import type { FieldAt } from '../../../../../machinery/index.ts';

export function validatePullPolicy(policy: string | undefined, field: FieldAt): void {
  field.requiredOneOf(policy, ['Always', 'IfNotPresent', 'Never']);
}
