export { type CniOptions, cniConflist, writeCniConfig } from './cni.ts';
export {
  type Containerd,
  type ContainerdOptions,
  existingContainerd,
  importImage,
  startContainerd,
} from './containerd.ts';
export {
  type ContainerdConfig,
  type ContainerdMachine,
  chooseRuntime,
  containerdToml,
  findProgram,
  inspectMachine,
} from './containerd-config.ts';
export { goArch, localPauseImage, registryPauseImage } from './containerd-pause.ts';
export * from './cri/index.ts';
export { CommandError, type CommandOptions, type CommandResult, runCommand } from './run-command.ts';
