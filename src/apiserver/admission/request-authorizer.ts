// The variable `authorizer` of expressions: what whoever sent a request may do, or a service account, by the server's own authorizers.
import { type AccessAnswer, type AccessQuestion, Authorizer } from '../../machinery/index.ts';
import type { UserInfo } from '../auth/attributes.ts';
import type { Authorize } from '../auth/authorize.ts';
import type { AdmissionRequest } from './admission.ts';

export function authorizerOf(
  { kind, namespace = '', name, subresource, context }: AdmissionRequest,
  authorize: Authorize,
): Authorizer {
  const { group, plural: resource } = kind;
  const answer = ({ serviceAccount, ...question }: AccessQuestion): AccessAnswer => {
    const user = serviceAccount === undefined ? context.user : accountUser(serviceAccount);
    const { decision, reason } = authorize.decide({ ...question, user, version: '*' });
    return { allowed: decision === 'allow', reason, error: '' };
  };
  return new Authorizer(answer, { group, resource, subresource, namespace, name });
}

const accountUser = ({ namespace, name }: { namespace: string; name: string }): UserInfo => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  uid: '',
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
});
