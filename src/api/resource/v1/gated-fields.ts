// Fields that are alpha in Kubernetes 1.35: a server without their feature gates drops them when they are written, and so does this one,
// since nothing here would do what they say. Devices that choose their own nodes are alpha as well; the scheduler heeds them, so they
// stay. All functions mutate and are idempotent.
import type {
  Device,
  DeviceClassSpec,
  ResourceClaimSpec,
  ResourceClaimStatus,
  ResourceSliceSpec,
} from '../../generated/resource-v1.ts';

/** Tolerations of device taints, shares of a device, attributes that must differ. */
export function dropFromClaimSpec(spec: ResourceClaimSpec | undefined): void {
  for (const { exactly, firstAvailable = [] } of spec?.devices?.requests ?? [])
    for (const request of exactly === undefined ? firstAvailable : [exactly, ...firstAvailable]) {
      delete request.tolerations;
      delete request.capacity;
    }
  for (const constraint of spec?.devices?.constraints ?? []) delete constraint.distinctAttribute;
}

export function dropFromClaimStatus(status: ResourceClaimStatus | undefined): void {
  const { allocation, devices = [] } = status ?? {};
  if (allocation !== undefined) delete allocation.allocationTimestamp;
  for (const result of allocation?.devices?.results ?? []) {
    delete result.tolerations;
    delete result.bindingConditions;
    delete result.bindingFailureConditions;
    delete result.shareID;
    delete result.consumedCapacity;
  }
  for (const device of devices) delete device.shareID;
}

/** Classes that stand for extended resources. */
export function dropFromClass(spec: DeviceClassSpec | undefined): void {
  if (spec !== undefined) delete spec.extendedResourceName;
}

/** Taints, counters that devices share, conditions of binding, devices for several claims at once. */
export function dropFromSlice(spec: ResourceSliceSpec | undefined): void {
  if (spec === undefined) return;
  delete spec.sharedCounters;
  for (const device of spec.devices ?? []) dropFromDevice(device);
}

function dropFromDevice(device: Device): void {
  delete device.taints;
  delete device.consumesCounters;
  delete device.bindsToNode;
  delete device.bindingConditions;
  delete device.bindingFailureConditions;
  delete device.allowMultipleAllocations;
  delete device.nodeAllocatableResourceMappings;
  for (const capacity of Object.values(device.capacity ?? {})) delete capacity.requestPolicy;
  for (const attribute of Object.values(device.attributes ?? {})) {
    delete attribute.ints;
    delete attribute.bools;
    delete attribute.strings;
    delete attribute.versions;
  }
}
