// Groups of the Kubernetes community are not for everybody: a definition in one says who approved it.
import type { Causes, KubeObject } from '../../../machinery/index.ts';
import type { CustomResourceDefinition } from '../../generated/apiextensions-v1.ts';

const annotation = 'api-approved.kubernetes.io';

interface Approval {
  readonly state: 'missing' | 'invalid' | 'bypassed' | 'approved';
  readonly reason: string;
}

export const isProtectedGroup = (group: string): boolean =>
  group === 'k8s.io' ||
  group === 'kubernetes.io' ||
  group.endsWith('.k8s.io') ||
  group.endsWith('.kubernetes.io');

export function approvalOf({ metadata }: Pick<KubeObject, 'metadata'>): Approval {
  const given = metadata.annotations?.[annotation] ?? '';
  if (given === '')
    return {
      state: 'missing',
      reason: `protected groups must have approval annotation "${annotation}", see https://github.com/kubernetes/enhancements/pull/1111`,
    };
  if (given.startsWith('unapproved'))
    return { state: 'bypassed', reason: `not approved: ${JSON.stringify(given)}` };
  if (URL.canParse(given) && /^[a-z]+:\/\/[^/]+/i.test(given))
    return { state: 'approved', reason: `approved in ${given}` };
  return {
    state: 'invalid',
    reason: `protected groups must have approval annotation "${annotation}" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`,
  };
}

/** What an older object got away with is not held against the new one. */
export function validateApproval(
  definition: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
  causes: Causes,
): void {
  if (!isProtectedGroup(definition.spec?.group ?? '')) return;
  const { state, reason } = approvalOf(definition);
  if (old !== undefined && approvalOf(old).state === state) return;
  const field = `metadata.annotations[${annotation}]`;
  if (state === 'missing') causes.required(field, reason);
  else if (state === 'invalid') causes.invalid(field, definition.metadata.annotations?.[annotation], reason);
}
