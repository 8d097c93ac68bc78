// Whether a toleration covers a taint (core/v1 ToleratesTaint).
import type { Taint, Toleration } from '../api/index.ts';

export function tolerates(toleration: Toleration, taint: Pick<Taint, 'key' | 'effect' | 'value'>): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect) return false;
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
