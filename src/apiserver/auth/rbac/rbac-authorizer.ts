// RBAC: what roles say that are bound to a user, to one of his groups, or to the service account that he is. It only allows; whoever is
// not named is left to the other authorizers. HOT: grants.ts.
import type { UserInfo } from '../attributes.ts';
import { type Authorizer, noOpinion, noOpinionBecause, noRules, type UserRules } from '../authorize.ts';
import type { Grants } from './grants.ts';

/** As Kubernetes joins errors. */
const joined = (errors: readonly string[]): string =>
  errors.length > 1 ? `[${errors.join(', ')}]` : errors.join();

export function createRbacAuthorizer(grants: Grants): Authorizer {
  const rulesFor = (user: UserInfo, namespace: string): UserRules => {
    const rules = grants.rulesOf(user, namespace);
    return {
      ...noRules,
      resources: rules
        .filter(({ resources }) => resources?.length)
        .map(({ verbs, apiGroups, resources, resourceNames }) => ({
          verbs,
          apiGroups,
          resources,
          ...(resourceNames?.length && { resourceNames }),
        })),
      paths: rules
        .filter(({ nonResourceURLs }) => nonResourceURLs?.length)
        .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
      error: joined(grants.missingOf(user, namespace)),
    };
  };
  const mayByRole: Authorizer = (attributes) => {
    const found = grants.find(attributes);
    if (found !== null) return found;
    const missing = grants.missingOf(attributes.user, attributes.namespace);
    return missing.length === 0 ? noOpinion : noOpinionBecause(`RBAC: ${joined(missing)}`);
  };
  return Object.assign(mayByRole, { rulesFor });
}
