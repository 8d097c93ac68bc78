export { type ServiceProxy, type ServiceProxyOptions, startServiceProxy } from './proxy.ts';
export type { LocalAddress } from './rules.ts';
