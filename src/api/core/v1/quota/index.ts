// What quotas count, for admission, which charges, and for the controller, which recounts.
export { amountsOf } from '../pod/quantities.ts';
export * from './amounts.ts';
export { isInScopes, scopesOf } from './scopes.ts';
export { objectCount, quotaResourcesOf, quotaUsage, unsaidResources, updatesUseQuota } from './usage.ts';
