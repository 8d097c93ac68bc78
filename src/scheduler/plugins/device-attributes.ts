// Attributes of devices by their full names, as constraints compare them.
import type { resourceV1 } from '../../api/index.ts';
import type { OfferedDevice } from './device-pools.ts';

/** `domain/name`; what has no domain is in the driver's. */
export function attributeOf(
  { device, slice }: OfferedDevice,
  fullName: string,
): resourceV1.DeviceAttribute | undefined {
  const { attributes = {} } = device;
  if (Object.hasOwn(attributes, fullName)) return attributes[fullName];
  const slash = fullName.indexOf('/');
  if (slash < 0 || fullName.slice(0, slash) !== slice.spec.driver) return undefined;
  const name = fullName.slice(slash + 1);
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
}

/** Of the same type and equal. Versions have one form only, so that their texts can be compared. */
export function sameValue(a: resourceV1.DeviceAttribute, b: resourceV1.DeviceAttribute): boolean {
  for (const type of ['string', 'int', 'bool', 'version'] as const)
    if (b[type] !== undefined) return a[type] === b[type];
  return false;
}
