// Alpha fields are not kept: whoever reads back sees that they would do nothing.
import { expect, it } from 'vitest';
import type { KindDef } from '../../../machinery/index.ts';
import { created, updated } from '../../../testkit/index.ts';
import { DeviceClass } from './device-class.ts';
import { ResourceClaim } from './resource-claim.ts';
import { ResourceClaimTemplate } from './resource-claim-template.ts';
import { ResourceSlice } from './resource-slice.ts';

const asked = { deviceClassName: 'c', allocationMode: 'ExactCount', count: 1 };
const tolerations = [{ key: 'a', operator: 'Exists' }];
const capacity = { requests: { memory: '1Gi' } };
const claim = {
  devices: {
    requests: [
      { name: 'r', exactly: { ...asked, tolerations, capacity } },
      { name: 's', firstAvailable: [{ name: 'a', ...asked, tolerations, capacity }] },
    ],
    constraints: [{ matchAttribute: 'd/a', distinctAttribute: 'd/b' }],
  },
};
const keptOfClaim = {
  devices: {
    requests: [
      { name: 'r', exactly: asked },
      { name: 's', firstAvailable: [{ name: 'a', ...asked }] },
    ],
    constraints: [{ matchAttribute: 'd/a' }],
  },
};
const slice = {
  driver: 'd',
  pool: { name: 'p', generation: 1, resourceSliceCount: 1 },
  perDeviceNodeSelection: true,
  sharedCounters: [{ name: 'c', counters: { x: { value: '1' } } }],
};
const device = { name: 'a', nodeName: 'n', attributes: { x: { int: 1 } }, capacity: { m: { value: '1' } } };

it.each<[string, KindDef<never>, object, object]>([
  ['a class', DeviceClass as never, { extendedResourceName: 'a.io/b', selectors: [] }, {}],
  ['a claim', ResourceClaim as never, claim, keptOfClaim],
  ['a template', ResourceClaimTemplate as never, { spec: claim }, { metadata: {}, spec: keptOfClaim }],
  [
    'a slice',
    ResourceSlice as never,
    {
      ...slice,
      devices: [
        {
          ...device,
          taints: [{ key: 'a', effect: 'NoSchedule' }],
          consumesCounters: [{ counterSet: 'c', counters: { x: { value: '1' } } }],
          bindsToNode: true,
          bindingConditions: ['a'],
          bindingFailureConditions: ['b'],
          allowMultipleAllocations: true,
          capacity: { m: { value: '1', requestPolicy: { default: '1' } } },
        },
      ],
    },
    { driver: 'd', pool: slice.pool, perDeviceNodeSelection: true, devices: [device] },
  ],
])('%s', (_, kind, spec, kept) => {
  const { selectors: _selectors, ...stored } = (created(kind, { spec }) as { spec: Record<string, unknown> })
    .spec;
  expect(stored).toEqual(kept);
});

it('a claim that has them from before can still be changed', () => {
  const old = created(ResourceClaim, { metadata: { name: 'c' }, spec: keptOfClaim });
  const before = { ...old, spec: claim } as unknown as ResourceClaim;
  const labelled = { ...before, metadata: { ...before.metadata, labels: { a: 'b' } } };
  expect(updated(ResourceClaim, before, labelled).spec).toEqual(claim);
});
