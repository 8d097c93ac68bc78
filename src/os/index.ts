export { type BlockIo, type DeviceNames, deviceNames } from './block-io.ts';
export {
  type CgroupPath,
  cgroupExists,
  childrenOf,
  ensureCgroup,
  joinFiles,
  killCgroup,
  leafOf,
  listProcesses,
  readCgroupLayout,
  removeCgroup,
  removeEmptyParents,
} from './cgroup.ts';
export { type CgroupHierarchy, type CgroupLayout, planCgroupLayout } from './cgroup-layout.ts';
export {
  type CgroupLimits,
  type CgroupUsage,
  limitCgroup,
  parseCgroupV1,
  parseCgroupV2,
  readCgroupUsage,
  weightOf,
} from './cgroup-usage.ts';
export { type CniOptions, cniConflist, writeCniConfig } from './cni.ts';
export {
  type Containerd,
  type ContainerdOptions,
  containerdSocket,
  existingContainerd,
  importImage,
  startContainerd,
} from './containerd.ts';
export {
  type ContainerdConfig,
  type ContainerdMachine,
  chooseRuntime,
  containerdToml,
  inspectMachine,
} from './containerd-config.ts';
export { goArch, localPauseImage, registryPauseImage } from './containerd-pause.ts';
export * from './cri/index.ts';
export {
  CommandError,
  type CommandErrorCode,
  type CommandOutput,
  commandLine,
  type DetachedOptions,
  type DetachedProcess,
  type Exec,
  type RunOptions,
  shellQuote,
  systemExec,
} from './exec.ts';
export { type FakeAnswer, FakeExec } from './fake-exec.ts';
export {
  allowIpv6,
  ensureForwarding,
  forgetRouters,
  hasIpv6,
  isForwarding,
  parseAdvertisedLinks,
  setForwarding,
} from './forwarding.ts';
export {
  applyLinks,
  checkLinkName,
  cutLink,
  type IpVersion,
  type Link,
  planBridge,
  planEmptyBridge,
  planFurtherAddress,
  planInside,
  planVeth,
  type Route,
  readLinks,
  readRoutes,
  removeLink,
  versionsOf,
} from './links.ts';
export { delayShutdowns, parseAnnouncement, type ShutdownDelayOptions } from './login-manager.ts';
export {
  type NodeMounts,
  planCommandInGroups,
  planMountScript,
  planNodeCommand,
  readMountsBelow,
} from './mounts.ts';
export { ensureNetns, inNetns, isPinned, removeNetns } from './netns.ts';
export { DialError, type LocalDialer, netnsDialer, ownDialer } from './netns-dialer.ts';
export {
  acceptsRuleset,
  applyRuleset,
  type BaseChain,
  parseTimedSets,
  planTable,
  readBaseChains,
  readTables,
  readTimedSets,
  removeTable,
  type TimedElement,
  tableExists,
} from './nft.ts';
export { restoreNullDevice } from './null-device.ts';
export {
  findProgram,
  installPackages,
  listMissing,
  type Programs,
  type Requirement,
  systemPrograms,
} from './packages.ts';
export {
  identifyProcess,
  isAlive,
  type ProcessIdentity,
  readStat,
  signalProcess,
  stopProcess,
  waitUntilGone,
} from './processes.ts';
