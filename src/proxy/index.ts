export {
  type AnnouncerKernel,
  type LinkAnnouncerOptions,
  startLinkAnnouncer,
} from './announce/link-announcer.ts';
export type { Family } from './contribution.ts';
export type { Protocol } from './frame.ts';
export {
  ensureBridgeSeen,
  prepareConntrack,
  prepareStandIn,
  probeProtocols,
  systemConntrackSettings,
} from './kernel.ts';
export { type NodePolicies, type NodePoliciesOptions, startNodePolicies } from './policy/node-policies.ts';
export { trimForPolicies } from './policy/pod-facts.ts';
export { type ProxyKernel, type ServiceProxy, type ServiceProxyOptions, startServiceProxy } from './proxy.ts';
export type { LocalAddress } from './rules.ts';
