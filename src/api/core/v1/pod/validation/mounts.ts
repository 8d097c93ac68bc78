// Rules of volume mounts and block devices inside a container: they must name a volume, and may not collide.
import { checkDescendingPath, checkNoBacksteps, type FieldAt } from '../../../../../machinery/index.ts';
import type { Container, VolumeDevice, VolumeMount } from '../../../../generated/core-v1.ts';
import type { PodScope } from './scope.ts';

const propagations = ['Bidirectional', 'HostToContainer', 'None'];
const recursiveModes = ['Disabled', 'Enabled', 'IfPossible'];

export function validateVolumeMounts(container: Container, scope: PodScope, field: FieldAt): void {
  const devices = container.volumeDevices ?? [];
  const deviceNames = new Set(devices.map((device) => device.name));
  const devicePaths = new Set(devices.map((device) => device.devicePath));
  const seen = new Set<string>();
  for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
    const here = field.index(i);
    const name = here.child('name');
    const path = here.child('mountPath');
    if (mount.name === '') name.required();
    if (!scope.volumes.has(mount.name)) name.notFound(mount.name);
    if (mount.mountPath === '') path.required();
    if (seen.has(mount.mountPath)) path.invalid(mount.mountPath, 'must be unique');
    seen.add(mount.mountPath);
    if (deviceNames.has(mount.name)) name.invalid(mount.name, 'must not already exist in volumeDevices');
    if (devicePaths.has(mount.mountPath))
      path.invalid(mount.mountPath, 'must not already exist as a path in volumeDevices');
    validateSubPaths(mount, field, here);
    validatePropagation(mount, container, field);
  }
}

/** Complaints about what a sub path looks like name the list, as Kubernetes does. */
function validateSubPaths(mount: VolumeMount, list: FieldAt, here: FieldAt): void {
  const { subPath = '', subPathExpr = '' } = mount;
  if (subPath !== '') list.child('subPath').refuse(subPath, checkDescendingPath(subPath));
  if (subPathExpr === '') return;
  if (subPath !== '')
    here.child('subPathExpr').invalid(subPathExpr, 'subPathExpr and subPath are mutually exclusive');
  list.child('subPathExpr').refuse(subPathExpr, checkDescendingPath(subPathExpr));
}

function validatePropagation(mount: VolumeMount, container: Container, list: FieldAt): void {
  const { mountPropagation, recursiveReadOnly } = mount;
  const propagation = list.child('mountPropagation');
  propagation.oneOf(mountPropagation, propagations);
  if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true)
    propagation.forbidden('Bidirectional mount propagation is available only to privileged containers');

  const recursive = list.child('recursiveReadOnly');
  recursive.oneOf(recursiveReadOnly, recursiveModes);
  if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible') return;
  if (mount.readOnly !== true) recursive.forbidden('may only be specified when readOnly is true');
  if (mountPropagation !== undefined && mountPropagation !== 'None')
    recursive.forbidden('may only be specified when mountPropagation is None or not specified');
}

export function validateVolumeDevices(container: Container, scope: PodScope, field: FieldAt): void {
  const mounts = container.volumeMounts ?? [];
  const mountNames = new Set(mounts.map((mount) => mount.name));
  const mountPaths = new Set(mounts.map((mount) => mount.mountPath));
  const names = new Set<string>();
  const paths = new Set<string>();
  for (const [i, device] of (container.volumeDevices ?? []).entries()) {
    const here = field.index(i);
    validateDeviceName(device, scope, here.child('name'));
    if (names.has(device.name)) here.child('name').invalid(device.name, 'must be unique');
    const path = here.child('devicePath');
    if (device.devicePath === '') path.required();
    if (paths.has(device.devicePath)) path.invalid(device.devicePath, 'must be unique');
    if (checkNoBacksteps(device.devicePath).length > 0)
      path.invalid(device.devicePath, "can not contain backsteps ('..')");
    else paths.add(device.devicePath);
    if (mountNames.has(device.name))
      here.child('name').invalid(device.name, 'must not already exist in volumeMounts');
    if (mountPaths.has(device.devicePath))
      path.invalid(device.devicePath, 'must not already exist as a path in volumeMounts');
    if (device.name !== '') names.add(device.name);
  }
}

function validateDeviceName(device: VolumeDevice, scope: PodScope, field: FieldAt): void {
  if (device.name === '') field.required();
  const volume = scope.volumes.get(device.name);
  if (volume === undefined) field.notFound(device.name);
  else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined)
    field.invalid(
      device.name,
      'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
    );
}
