// Why a pod with claims on devices does not start here.
import { expect, it } from 'vitest';
import { type Pod, ResourceClaim, type resourceV1 } from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import { controllerRef, notFound } from '../../machinery/index.ts';
import { buildDeviceClaim, buildPod } from '../../testkit/index.ts';
import { prepareDevices } from './prepare-devices.ts';

const pod = (entry: object, status?: Pod['status']): Pod => ({
  ...buildPod('p', { spec: { resourceClaims: [{ name: 'g', ...entry }] } }),
  ...(status && { status }),
});
const named = pod({ resourceClaimName: 'c' });
const made = (resourceClaimName?: string) =>
  pod({ resourceClaimTemplateName: 't' }, { resourceClaimStatuses: [{ name: 'g', resourceClaimName }] });
const allocation: resourceV1.AllocationResult = {
  devices: { results: [{ request: 'r', driver: 'gpu.example.com', pool: 'p', device: 'd' }] },
};
const reservedFor = [{ resource: 'pods', name: 'p', uid: named.metadata.uid }];
const clientWith = (claim: ResourceClaim | undefined): Client =>
  (() => ({
    get: async (name: string) => {
      if (claim?.metadata.name === name) return claim;
      throw notFound({ group: ResourceClaim.group, resource: ResourceClaim.plural }, name);
    },
  })) as unknown as Client;

it.each<[string, Pod, ResourceClaim | undefined, string | undefined]>([
  ['without claims', buildPod('p'), undefined, undefined],
  ['whose claim is not needed', made(), undefined, undefined],
  [
    'whose claim is awaited',
    pod({ resourceClaimTemplateName: 't' }),
    undefined,
    'pod "default/p": ResourceClaim not created yet',
  ],
  [
    'whose claim is not there',
    named,
    undefined,
    'fetch ResourceClaim c: resourceclaims.resource.k8s.io "c" not found',
  ],
  [
    "whose claim is another's",
    made('c'),
    buildDeviceClaim('c'),
    'ResourceClaim default/c was not created for pod default/p (pod is not owner)',
  ],
  [
    'that nobody let use the claim',
    named,
    buildDeviceClaim('c', { status: { allocation } }),
    `pod p (${named.metadata.uid}) is not allowed to use ResourceClaim c (uid-c)`,
  ],
  [
    'whose claim has nothing',
    named,
    buildDeviceClaim('c', { status: { reservedFor } }),
    'ResourceClaim c: not allocated',
  ],
  [
    'whose driver is not here',
    named,
    buildDeviceClaim('c', { status: { allocation, reservedFor } }),
    'DRA driver gpu.example.com is not registered',
  ],
  [
    'whose own claim has a driver that is not here',
    made('c'),
    buildDeviceClaim('c', {
      meta: { ownerReferences: [controllerRef(named)] },
      status: { allocation, reservedFor },
    }),
    'DRA driver gpu.example.com is not registered',
  ],
])('a pod %s', async (_, of, claim, why) => {
  const prepared = prepareDevices(clientWith(claim), of);
  if (why === undefined) await expect(prepared).resolves.toBeUndefined();
  else await expect(prepared).rejects.toThrow(why);
});
