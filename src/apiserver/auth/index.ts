export * from './attributes.ts';
export * from './authenticate.ts';
export * from './authorize.ts';
export { type BootstrapAuthorizerOptions, createBootstrapAuthorizer } from './bootstrap-authorizer.ts';
export { type BootstrapTokensOptions, bootstrapTokens } from './bootstrap-tokens.ts';
export { impersonate } from './impersonate.ts';
export { createIngressSecrets } from './ingress-secrets.ts';
export { createNodeAuthorizer, type NodeAuthorizerOptions, nodeOfUser } from './node-authorizer.ts';
export { NodeRelations } from './node-relations.ts';
export { Grants } from './rbac/grants.ts';
export { createRbacAuthorizer } from './rbac/rbac-authorizer.ts';
export {
  type Existence,
  ServiceAccountTokens,
  type ServiceAccountTokensOptions,
} from './service-account-tokens.ts';
export { parseTokenFile, TokenFileError } from './token-file.ts';
