export type { FrontProxy } from './aggregation/identity.ts';
export type { ComponentCheck } from './answered/component-statuses.ts';
export { type ApiServer, type ApiServerOptions, createApiServer } from './api-server.ts';
export {
  type Authorize,
  bootstrapTokens,
  createAuthenticator,
  createAuthorizer,
  createBootstrapAuthorizer,
  createIngressSecrets,
  createNodeAuthorizer,
  createRbacAuthorizer,
  type Existence,
  everyoneAuthorizer,
  Grants,
  mastersAuthorizer,
  NodeRelations,
  parseTokenFile,
  ServiceAccountTokens,
  type TokenAuthenticator,
  TokenFileError,
  tokenChain,
  tokenTable,
} from './auth/index.ts';
export type { VersionInfo } from './endpoints/path.ts';
export { FlowControl } from './flow-control/flow-control.ts';
export { Visit } from './flow-control/priority-level.ts';
export { type ExternalSeries, MetricFeed, type ObjectSeries } from './metrics-api/metric-feed.ts';
export { resourceMetricsOf, UsageScraper, type UsageScraperOptions } from './metrics-api/usage-scraper.ts';
export { objectOf, setFreezeShared } from './registry/objects.ts';
export { dnsServiceIps, firstServiceIp, parseRanges } from './service-ips/address-range.ts';
