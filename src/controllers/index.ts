export { allControllers, type ControllerSettings } from './all.ts';
export {
  type ClusterAutoscalerOptions,
  clusterAutoscalerController,
} from './cluster-autoscaler/controller.ts';
export type { NodeGroup, NodeGroupProvider } from './cluster-autoscaler/provider.ts';
export type { ClusterAutoscalerSettings } from './cluster-autoscaler/settings.ts';
export type { BeginTrial, ClusterState, Trial } from './cluster-autoscaler/trial.ts';
export {
  type Controller,
  type ControllerStats,
  type ControllersOptions,
  type RunningControllers,
  startControllers,
} from './framework/index.ts';
export { startGarbageCollector } from './garbage-collector/collector.ts';
export type { AutoscalerSettings } from './horizontal-pod-autoscaler/settings.ts';
export { startLocalPathClass } from './local-path/default-class.ts';
export { localPathProvisioner } from './local-path/provisioner.ts';
export {
  DeletionUnderWay,
  type ProvisionedVolume,
  type ProvisionRequest,
  VolumeInUse,
  type VolumeProvisioner,
} from './persistent-volume-binder/provisioner.ts';
