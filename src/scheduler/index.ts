export { ClusterCache } from './cache.ts';
export { Cycle, type Decision } from './cycle.ts';
export { definePlugin, fits, NodeInfo, type Plugin, PodInfo, type WakeHint } from './plugin.ts';
export { nodeTotal, podInfo } from './pod-info.ts';
export { defaultProfile } from './profile.ts';
export { type SchedulerOptions, startScheduler } from './scheduler.ts';
