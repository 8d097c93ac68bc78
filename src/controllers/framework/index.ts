export {
  type Controller,
  type ControllerContext,
  type ControllerInput,
  defineController,
  maps,
  owns,
  type Reconcile,
  type ReconcileResult,
  TerminalError,
  type Watch,
  type WatchOptions,
} from './controller.ts';
export {
  type ControllerStats,
  type ControllersOptions,
  type RunningControllers,
  startControllers,
} from './runner.ts';
