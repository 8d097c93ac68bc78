// May this user do this? An ordered chain of authorizers; the first with an opinion decides, and nobody's opinion is a no. HOT:
// synchronous, and without allocation when the answer is yes.
import { StatusError } from '../../machinery/index.ts';
import { type RequestAttributes, wellKnown } from './attributes.ts';

/** allow and deny end the chain. `reason` is appended to the message of the 403. */
export interface Verdict {
  readonly decision: 'allow' | 'deny' | 'noOpinion';
  readonly reason: string;
}

export const allowed: Verdict = { decision: 'allow', reason: '' };
export const noOpinion: Verdict = { decision: 'noOpinion', reason: '' };
export const noOpinionBecause = (reason: string): Verdict => ({ decision: 'noOpinion', reason });

export type Authorizer = (attributes: RequestAttributes) => Verdict;

/** undefined = yes; else the 403 to answer. */
export type Authorize = (attributes: RequestAttributes) => StatusError | undefined;

export function createAuthorizer(chain: readonly Authorizer[]): Authorize {
  return function authorize(attributes) {
    let reasons = '';
    for (const authorizer of chain) {
      const { decision, reason } = authorizer(attributes);
      if (decision === 'allow') return undefined;
      if (reason !== '') reasons = reasons === '' ? reason : `${reasons}\n${reason}`;
      if (decision === 'deny') break;
    }
    return forbiddenError(attributes, reasons);
  };
}

/** system:masters may do everything. First in the chain, so that nothing can lock the administrator out. */
export const mastersAuthorizer: Authorizer = ({ user }) =>
  user.groups.includes(wellKnown.masters) ? allowed : noOpinion;

const publicPaths = new Set(['/healthz', '/livez', '/readyz', '/version', '/version/']);
const discoveryPaths = new Set(['/api', '/apis', '/openapi']);
const discoveryPrefixes = ['/api/', '/apis/', '/openapi/'];
const selfReviews = new Set([
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authentication.k8s.io/selfsubjectreviews',
]);

/**
 * What everybody may: health and version, also anonymously; discovery, and asking about oneself, once authenticated. The rights
 * of the roles system:public-info-viewer, system:discovery and system:basic-user of every Kubernetes cluster.
 */
export const everyoneAuthorizer: Authorizer = (a) => {
  if (a.resource !== '')
    return a.verb === 'create' &&
      a.subresource === '' &&
      selfReviews.has(`${a.group}/${a.resource}`) &&
      a.user.groups.includes(wellKnown.authenticated)
      ? allowed
      : noOpinion;
  if (a.verb !== 'get') return noOpinion;
  const { groups } = a.user;
  if (publicPaths.has(a.path))
    return groups.includes(wellKnown.authenticated) || groups.includes(wellKnown.unauthenticated)
      ? allowed
      : noOpinion;
  if (!groups.includes(wellKnown.authenticated)) return noOpinion;
  if (discoveryPaths.has(a.path)) return allowed;
  for (const prefix of discoveryPrefixes) if (a.path.startsWith(prefix)) return allowed;
  // The parts of the health checks, e.g. /readyz/storage: brief words, nothing secret.
  for (const path of ['/healthz/', '/livez/', '/readyz/']) if (a.path.startsWith(path)) return allowed;
  return noOpinion;
};

const quote = JSON.stringify;
/** Browsers must not take a message for HTML. */
const plain = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** The 403 in Kubernetes' words; kubectl shows them as they are. */
export function forbiddenError(a: RequestAttributes, reason: string): StatusError {
  const suffix = reason === '' ? '' : `: ${reason}`;
  const cannot = `User ${quote(a.user.name)} cannot ${a.verb}`;
  if (a.resource === '')
    return new StatusError(
      403,
      'Forbidden',
      plain(`forbidden: ${cannot} path ${quote(a.path)}`) + suffix,
      {},
    );
  const resource = a.subresource === '' ? a.resource : `${a.resource}/${a.subresource}`;
  const where = a.namespace === '' ? 'at the cluster scope' : `in the namespace ${quote(a.namespace)}`;
  const what = a.group === '' ? a.resource : `${a.resource}.${a.group}`;
  const subject = a.name === '' ? what : `${what} ${quote(a.name)}`;
  const why = `${cannot} resource ${quote(resource)} in API group ${quote(a.group)} ${where}`;
  return new StatusError(403, 'Forbidden', `${subject} is forbidden: ${plain(why)}${suffix}`, {
    ...(a.name !== '' && { name: a.name }),
    ...(a.group !== '' && { group: a.group }),
    kind: a.resource,
  });
}
