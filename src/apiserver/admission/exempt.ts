// What webhooks and policies have no say in: themselves, since whoever wrote one that refuses everything must be able to take it away;
// and what a server makes as it starts, since otherwise one could keep it from starting again.
import {
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../../api/index.ts';
import { loopbackUser } from '../registry/context.ts';
import type { AdmissionRequest } from './admission.ts';

const exempt = new Set<unknown>([
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
]);

export const isExempt = (
  { kind, context }: Pick<AdmissionRequest, 'kind' | 'context'>,
  isStarting: () => boolean,
): boolean => exempt.has(kind) || (context.user === loopbackUser && isStarting());
