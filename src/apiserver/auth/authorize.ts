// May this user do this? An ordered chain of authorizers; the first with an opinion decides, and nobody's opinion is a no. HOT:
// synchronous, and without allocation when the answer is yes.
import type { authorizationV1 } from '../../api/index.ts';
import { StatusError } from '../../machinery/index.ts';
import { type RequestAttributes, type UserInfo, wellKnown } from './attributes.ts';
import { missingRules } from './rbac/covers.ts';

/** allow and deny end the chain. `reason` is appended to the message of the 403. */
export interface Verdict {
  readonly decision: 'allow' | 'deny' | 'noOpinion';
  readonly reason: string;
}

export const allowed: Verdict = { decision: 'allow', reason: '' };
export const noOpinion: Verdict = { decision: 'noOpinion', reason: '' };
export const noOpinionBecause = (reason: string): Verdict => ({ decision: 'noOpinion', reason });

/** What a user may do in a namespace, as a list. An authorizer that cannot say it all is incomplete or has an error. */
export interface UserRules {
  readonly resources: readonly authorizationV1.ResourceRule[];
  readonly paths: readonly authorizationV1.NonResourceRule[];
  readonly incomplete: boolean;
  /** '' = none */
  readonly error: string;
}

export const noRules: UserRules = { resources: [], paths: [], incomplete: false, error: '' };

export interface Authorizer {
  (attributes: RequestAttributes): Verdict;
  /** Left out = it allows nothing that could be listed. */
  readonly rulesFor?: (user: UserInfo, namespace: string) => UserRules;
}

export interface Authorize {
  /** undefined = yes; else the 403 to answer. */
  (attributes: RequestAttributes): StatusError | undefined;
  /** The verdict of the whole chain, for those who only ask. */
  decide(attributes: RequestAttributes): Verdict;
  /** What all authorizers together allow. */
  rulesFor(user: UserInfo, namespace: string): UserRules;
}

export function createAuthorizer(chain: readonly Authorizer[]): Authorize {
  const decide = (attributes: RequestAttributes): Verdict => {
    let reasons = '';
    for (const authorizer of chain) {
      const verdict = authorizer(attributes);
      if (verdict.decision === 'allow') return verdict;
      const { decision, reason } = verdict;
      if (reason !== '') reasons = reasons === '' ? reason : `${reasons}\n${reason}`;
      if (decision === 'deny') return { decision, reason: reasons };
    }
    return reasons === '' ? noOpinion : noOpinionBecause(reasons);
  };
  const authorize = (attributes: RequestAttributes): StatusError | undefined => {
    const { decision, reason } = decide(attributes);
    return decision === 'allow' ? undefined : forbiddenError(attributes, reason);
  };
  const rulesFor = (user: UserInfo, namespace: string): UserRules => {
    const all = withoutRepeats(chain.map((authorizer) => authorizer.rulesFor?.(user, namespace) ?? noRules));
    const errors = all.map(({ error }) => error).filter((error) => error !== '');
    return {
      resources: all.flatMap(({ resources }) => resources),
      paths: all.flatMap(({ paths }) => paths),
      incomplete: all.some(({ incomplete }) => incomplete),
      error: errors.length > 1 ? `[${errors.join(', ')}]` : errors.join(),
    };
  };
  return Object.assign(authorize, { decide, rulesFor });
}

/** Roles say once more what masters and everybody may: a rule that is within those of later authorizers is left out. */
function withoutRepeats(all: readonly UserRules[]): readonly UserRules[] {
  const later: (authorizationV1.ResourceRule | authorizationV1.NonResourceRule)[] = [];
  const kept: UserRules[] = [];
  for (const said of [...all].reverse()) {
    const isNew = (rule: authorizationV1.ResourceRule | authorizationV1.NonResourceRule): boolean =>
      later.length === 0 || missingRules(later, [rule]).length > 0;
    const resources = said.resources.filter(isNew);
    const paths = said.paths.filter(isNew);
    later.push(...resources, ...paths);
    kept.unshift({ ...said, resources, paths });
  }
  return kept;
}

const isMaster = (user: UserInfo): boolean => user.groups.includes(wellKnown.masters);

const everything: UserRules = {
  ...noRules,
  resources: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  paths: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};

/** system:masters may do everything. First in the chain, so that nothing can lock the administrator out. */
export const mastersAuthorizer: Authorizer = Object.assign(
  ({ user }: RequestAttributes) => (isMaster(user) ? allowed : noOpinion),
  { rulesFor: (user: UserInfo) => (isMaster(user) ? everything : noRules) },
);

const publicPaths = new Set(['/healthz', '/livez', '/readyz', '/version', '/version/']);
const discoveryPaths = new Set(['/api', '/apis', '/openapi']);
/** Where it is told with which keys tokens of service accounts are signed. */
const issuerPaths = new Set(
  ['/.well-known/openid-configuration', '/openid/v1/jwks'].flatMap((path) => [path, `${path}/`]),
);
const discoveryPrefixes = ['/api/', '/apis/', '/openapi/'];
const selfReviews = new Set([
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authentication.k8s.io/selfsubjectreviews',
]);

const mayEverybody = (a: RequestAttributes): Verdict => {
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
  if (issuerPaths.has(a.path) && groups.includes(wellKnown.serviceAccounts)) return allowed;
  // The parts of the health checks, e.g. /readyz/storage: brief words, nothing secret.
  for (const path of ['/healthz/', '/livez/', '/readyz/']) if (a.path.startsWith(path)) return allowed;
  return noOpinion;
};

const publicRule = { verbs: ['get'], nonResourceURLs: [...publicPaths] };
const authenticatedRules: UserRules = {
  ...noRules,
  resources: [...selfReviews].map((review) => {
    const [group = '', resource = ''] = review.split('/');
    return { verbs: ['create'], apiGroups: [group], resources: [resource] };
  }),
  paths: [
    {
      verbs: ['get'],
      nonResourceURLs: [...discoveryPaths, ...discoveryPrefixes.map((prefix) => `${prefix}*`)].sort(),
    },
    publicRule,
  ],
};
const serviceAccountRules: UserRules = {
  ...authenticatedRules,
  paths: [...authenticatedRules.paths, { verbs: ['get'], nonResourceURLs: [...issuerPaths] }],
};
const anybodysRules: UserRules = { ...noRules, paths: [publicRule] };

/**
 * What everybody may: health and version, also anonymously; discovery, and asking about oneself, once authenticated; and service
 * accounts, who signs their tokens. The rights of the roles system:public-info-viewer, system:discovery, system:basic-user and
 * system:service-account-issuer-discovery of every Kubernetes cluster.
 */
export const everyoneAuthorizer: Authorizer = Object.assign(mayEverybody, {
  rulesFor: ({ groups }: UserInfo): UserRules => {
    if (groups.includes(wellKnown.authenticated))
      return groups.includes(wellKnown.serviceAccounts) ? serviceAccountRules : authenticatedRules;
    return groups.includes(wellKnown.unauthenticated) ? anybodysRules : noRules;
  },
});

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
