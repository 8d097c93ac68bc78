export { ClusterCache } from './cache.ts';
export { readConfiguration, type SchedulerConfiguration } from './configuration.ts';
export { Cycle, type Decision } from './cycle.ts';
export { NodeInfo } from './node-info.ts';
export * from './plugin.ts';
export { PodInfo, podInfo } from './pod-info.ts';
export { defaultProfile, type Profile } from './profile.ts';
export { type SchedulerOptions, startScheduler } from './scheduler.ts';
