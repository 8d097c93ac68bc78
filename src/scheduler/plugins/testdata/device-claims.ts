// Claims to look devices for, as tests write them, and what a search finds. Two classes: `gpu`, and `big` of those with a size above one.
import type { ResourceSlice, resourceV1 } from '../../../api/index.ts';
import { buildDeviceClaim, buildDeviceClass, buildSlice } from '../../../testkit/index.ts';
import { DevicePools } from '../device-pools.ts';
import { findDevices, SearchBudget, type Wanted, type WantedClaim } from '../device-search.ts';

const classes = new Map(
  [
    buildDeviceClass('gpu'),
    buildDeviceClass('big', {
      selectors: [{ cel: { expression: 'device.attributes["gpu.example.com"].size > 1' } }],
      config: [{ opaque: { driver: 'gpu.example.com', parameters: { mode: 'big' } } }],
    }),
  ].map((one) => [one.metadata.name, one]),
);

export function wanted(name: string, devices: resourceV1.DeviceClaim): WantedClaim {
  const claim = buildDeviceClaim(name, { devices });
  const requests = (devices.requests ?? []).map(({ name: request, exactly, firstAvailable }) =>
    (exactly === undefined ? firstAvailable! : [exactly]).map(
      (given): Wanted => ({
        name: 'name' in given ? `${request}/${given.name}` : request,
        request,
        deviceClass: classes.get(given.deviceClassName)!,
        given,
        adminAccess: 'adminAccess' in given && given.adminAccess === true,
      }),
    ),
  );
  return { claim, requests };
}

export const sized = (name: string, size: number, numa = 0): resourceV1.Device => ({
  name,
  attributes: { size: { int: size }, numa: { int: numa } },
});

export function poolsOf(slices: readonly ResourceSlice[]): DevicePools {
  const pools = new DevicePools();
  for (const slice of slices) pools.set(slice, undefined);
  return pools;
}

export interface Setting {
  readonly slices?: readonly ResourceSlice[];
  readonly taken?: readonly string[];
  readonly node?: string;
  readonly labels?: Record<string, string>;
  readonly steps?: number;
}

export function find(claims: readonly WantedClaim[], setting: Setting = {}) {
  const {
    slices = [buildSlice('s', ['a', 'b', 'c'])],
    taken = [],
    node = 'n1',
    labels,
    steps = 10_000,
  } = setting;
  return findDevices({
    claims,
    pools: poolsOf(slices).on({ name: node, labels }),
    isTaken: (id) => taken.some((name) => id === `gpu.example.com/pool/${name}`),
    budget: new SearchBudget(steps),
  });
}

/** `request=device …` for each claim, or what is said instead. */
export function got(
  claims: readonly WantedClaim[],
  setting: Setting = {},
): readonly string[] | string | undefined {
  try {
    return find(claims, setting)?.map((chosen) =>
      chosen.map(({ wanted: { name }, offered }) => `${name}=${offered.device.name}`).join(' '),
    );
  } catch (error) {
    return (error as Error).message;
  }
}

export const cel = (expression: string) => ({ selectors: [{ cel: { expression } }] });
export const sizes = [buildSlice('s', [sized('a', 1), sized('b', 2), sized('c', 2, 1), sized('d', 3, 1)])];
export const numa = 'gpu.example.com/numa';
