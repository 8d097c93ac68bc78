// Whether a toleration covers a taint (core/v1 ToleratesTaint).
import type { coreV1 } from '../api/index.ts';

export function tolerates(
  toleration: coreV1.Toleration,
  taint: Pick<coreV1.Taint, 'key' | 'effect'> & { value?: string | undefined },
): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect)
    return false;
  if (toleration.key !== undefined && toleration.key !== '' && toleration.key !== taint.key) return false;
  switch (toleration.operator) {
    case 'Exists':
      return true;
    case undefined:
    case '':
    case 'Equal':
      return (toleration.value ?? '') === (taint.value ?? '');
    default:
      return false;
  }
}
