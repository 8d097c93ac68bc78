// Rules that depend on the operating system a pod names: what the other one has may not be asked for.
import { FieldAt } from '../../../../../machinery/index.ts';
import type { PodSpec } from '../../../../generated/core-v1.ts';
import { placedContainers } from '../containers.ts';

const windowsPodFields = ['hostUsers', 'hostPID', 'hostIPC', 'shareProcessNamespace'] as const;
const windowsPodContext = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const;
const windowsContainerContext = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;
const notOnWindows = 'cannot be set for a windows pod';
const notOnLinux = 'windows options cannot be set for a linux pod';

export function validateOperatingSystem(spec: PodSpec, field: FieldAt): void {
  if (spec.os === undefined) return;
  const { name } = spec.os;
  if (name === '') field.child('os', 'name').required('cannot be empty');
  else if (name === 'linux') validateLinux(spec, field);
  else if (name === 'windows') validateWindows(spec, field);
  else field.child('os').notSupported(name, ['linux', 'windows']);
}

function validateLinux(spec: PodSpec, field: FieldAt): void {
  if (spec.securityContext?.windowsOptions !== undefined)
    field.child('securityContext', 'windowsOptions').forbidden(notOnLinux);
  for (const { container, path } of placedContainers(spec, field.path))
    if (container.securityContext?.windowsOptions !== undefined)
      new FieldAt(path, field.causes).child('securityContext', 'windowsOptions').forbidden(notOnLinux);
}

function validateWindows(spec: PodSpec, field: FieldAt): void {
  for (const name of windowsPodFields)
    if (spec[name] !== undefined && (spec[name] || name === 'hostUsers' || name === 'shareProcessNamespace'))
      field.child(name).forbidden(notOnWindows);
  for (const name of windowsPodContext)
    if (spec.securityContext?.[name] !== undefined)
      field.child('securityContext', name).forbidden(notOnWindows);
  for (const { container, path } of placedContainers(spec, field.path))
    for (const name of windowsContainerContext)
      if (container.securityContext?.[name] !== undefined)
        new FieldAt(path, field.causes).child('securityContext', name).forbidden(notOnWindows);
}

/** Windows containers that run as processes of the host: all of a pod's containers do, or none. */
export function validateHostProcess(spec: PodSpec, field: FieldAt): void {
  const podValue = spec.securityContext?.windowsOptions?.hostProcess;
  let containers = 0;
  let hostProcess = 0;
  for (const { container, path } of placedContainers(spec, field.path)) {
    containers++;
    const own = container.securityContext?.windowsOptions?.hostProcess;
    if (podValue !== undefined && own !== undefined && podValue !== own)
      new FieldAt(path, field.causes)
        .child('securityContext', 'windowsOptions', 'hostProcess')
        .invalid(own, `pod hostProcess value must be identical if both are specified, was ${podValue}`);
    if (own ?? podValue) hostProcess++;
  }
  if (hostProcess === 0) return;
  if (hostProcess !== containers)
    field.invalid(
      '',
      'If pod contains any hostProcess containers then all containers must be HostProcess containers',
    );
  if (spec.hostNetwork !== true)
    field
      .child('hostNetwork')
      .invalid(false, 'hostNetwork must be true if pod contains any hostProcess containers');
}
