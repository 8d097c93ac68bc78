export { allControllers, type ControllerSettings } from './all.ts';
export {
  type Controller,
  type ControllerStats,
  type ControllersOptions,
  type RunningControllers,
  startControllers,
} from './framework/index.ts';
export { startGarbageCollector } from './garbage-collector/collector.ts';
export {
  type ProvisionedVolume,
  type ProvisionRequest,
  VolumeInUse,
  type VolumeProvisioner,
} from './persistent-volume-binder/provisioner.ts';
