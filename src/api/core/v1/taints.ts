// Taints and tolerations: which pods a node keeps off. Pure.
import type { Taint, Toleration } from '../../generated/core-v1.ts';

/** Whether the toleration covers the taint: an empty key or effect covers all of them, `Exists` every value. */
export function tolerates(
  toleration: Toleration,
  taint: Pick<Taint, 'key' | 'effect'> & { value?: string | undefined },
): boolean {
  const { key = '', effect = '', operator = '', value = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return (operator === '' || operator === 'Equal') && value === (taint.value ?? '');
}
