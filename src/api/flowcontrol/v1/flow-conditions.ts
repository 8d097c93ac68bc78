// The rules of conditions in this group, which are looser than elsewhere.
import type { FieldAt } from '../../../machinery/index.ts';

export function validateFlowConditions(
  conditions: readonly { type?: string | undefined }[],
  field: FieldAt,
): void {
  const seen = new Set<string>();
  for (const [i, { type = '' }] of conditions.entries()) {
    const here = field.index(i).child('type');
    if (seen.has(type)) here.duplicate(type);
    seen.add(type);
    if (type === '') here.required('must not be empty');
  }
}
