// Claims on devices, classes and slices for tests, as the server would store them.
import type {
  DeviceClass,
  ResourceClaim,
  ResourceClaimTemplate,
  ResourceSlice,
  resourceV1,
} from '../api/index.ts';
import type { ObjectMeta } from '../machinery/index.ts';

type Meta = Partial<ObjectMeta>;

const metaOf = (name: string, meta: Meta): ObjectMeta => ({
  name,
  uid: `uid-${name}`,
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
  ...meta,
});

/** One request for devices of class `gpu`, unless said otherwise. */
export const buildRequest = (
  name = 'r',
  exactly: Partial<resourceV1.ExactDeviceRequest> = {},
): resourceV1.DeviceRequest => ({
  name,
  exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 1, ...exactly },
});

export interface DeviceClaimParts {
  readonly meta?: Meta;
  readonly devices?: resourceV1.DeviceClaim;
  readonly status?: resourceV1.ResourceClaimStatus;
}

export const buildDeviceClaim = (name: string, parts: DeviceClaimParts = {}): ResourceClaim => ({
  apiVersion: 'resource.k8s.io/v1',
  kind: 'ResourceClaim',
  metadata: metaOf(name, { namespace: 'default', ...parts.meta }),
  spec: { devices: parts.devices ?? { requests: [buildRequest()] } },
  ...(parts.status !== undefined && { status: parts.status }),
});

export const buildDeviceTemplate = (
  name: string,
  spec: resourceV1.ResourceClaimTemplateSpec = { spec: { devices: { requests: [buildRequest()] } } },
): ResourceClaimTemplate => ({
  apiVersion: 'resource.k8s.io/v1',
  kind: 'ResourceClaimTemplate',
  metadata: metaOf(name, { namespace: 'default' }),
  spec,
});

export const buildDeviceClass = (name: string, spec: resourceV1.DeviceClassSpec = {}): DeviceClass => ({
  apiVersion: 'resource.k8s.io/v1',
  kind: 'DeviceClass',
  metadata: metaOf(name, {}),
  spec,
});

/** Of the pool `pool`, alone in it, on node `n1`, unless said otherwise. Devices by name, or in full. */
export function buildSlice(
  name: string,
  devices: readonly (string | resourceV1.Device)[],
  spec: Partial<resourceV1.ResourceSliceSpec> = {},
): ResourceSlice {
  const elsewhere = spec.allNodes ?? spec.nodeSelector ?? spec.perDeviceNodeSelection;
  return {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceSlice',
    metadata: metaOf(name, {}),
    spec: {
      driver: 'gpu.example.com',
      pool: { name: 'pool', generation: 1, resourceSliceCount: 1 },
      ...(elsewhere === undefined && { nodeName: 'n1' }),
      devices: devices.map((device) => (typeof device === 'string' ? { name: device } : device)),
      ...spec,
    },
  };
}
