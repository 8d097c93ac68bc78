// ResourceClaim: a wish for devices, which devices it got, and who uses them.
import { type Causes, defineKind, FieldAt, semanticEqual } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import { validateNodeSelector } from '../../core/v1/pod.ts';
import type { AllocationResult, ResourceClaim as ResourceClaimObject } from '../../generated/resource-v1.ts';
import { shape } from '../../shape.ts';
import {
  defaultClaimSpec,
  maxConfigs,
  requestNames,
  validateClaimSpec,
  validateItems,
  validateOpaque,
  validateReference,
  validateReferences,
  validateToleration,
} from './claim-rules.ts';
import { validatePoolName, validateResult } from './device-rules.ts';
import { dropFromClaimSpec, dropFromClaimStatus } from './gated-fields.ts';
import { maxClaimConsumers } from './pod-claims.ts';

export type ResourceClaim = ResourceClaimObject;

const maxResults = 32;

export const ResourceClaim = defineKind<ResourceClaimObject>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaim',
  plural: 'resourceclaims',
  scope: 'Namespaced',
  schema: shape('resource.v1.ResourceClaim'),
  subresources: { status: true },
  columns: [
    nameColumn,
    textColumn('State', 'How far it has come.', ({ metadata, status }) => {
      const deleted = metadata.deletionTimestamp !== undefined;
      if (status?.allocation === undefined) return deleted ? 'deleted' : 'pending';
      const states = ['allocated'];
      if (deleted) states.unshift('deleted');
      if ((status.reservedFor ?? []).length > 0) states.push('reserved');
      return states.join(',');
    }),
    ageColumn,
  ],
  defaults({ spec, status }) {
    defaultClaimSpec(spec);
    for (const result of status?.allocation?.devices?.results ?? [])
      for (const toleration of result.tolerations ?? []) toleration.operator ||= 'Equal';
  },
  prepareCreate: ({ spec }) => dropFromClaimSpec(spec),
  prepareUpdate(next, old) {
    if (!semanticEqual(next.spec, old.spec)) dropFromClaimSpec(next.spec);
  },
  prepareStatus(next, old) {
    if (!semanticEqual(next.status?.allocation, old.status?.allocation)) dropFromClaimStatus(next.status);
  },
  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    if (old === undefined) validateClaimSpec(spec, field);
    else field.immutable(spec, old.spec);
  },
  validateStatus,
});

function validateStatus(claim: ResourceClaimObject, old: ResourceClaimObject, causes: Causes): void {
  const field = new FieldAt('status', causes);
  const { reservedFor = [], allocation, devices = [] } = claim.status ?? {};
  const consumers = field.child('reservedFor');
  validateItems(
    reservedFor,
    {
      most: maxClaimConsumers,
      key: (consumer) => consumer.uid,
      validate(consumer, here) {
        for (const name of ['resource', 'name', 'uid'] as const)
          here.child(name).requiredText(consumer[name]);
      },
    },
    consumers,
  );
  const allocated = new Set((allocation?.devices?.results ?? []).map(deviceId));
  validateItems(
    devices,
    {
      most: Number.MAX_SAFE_INTEGER,
      key: deviceId,
      validate(device, here) {
        validatePoolName(device.pool, here.child('pool'));
        if (!allocated.has(deviceId(device)))
          here.invalid(deviceId(device), 'must be an allocated device in the claim');
      },
    },
    field.child('devices'),
  );
  if (reservedFor.length > 0) {
    const before = new Set((old.status?.reservedFor ?? []).map((consumer) => consumer.uid));
    if (allocation === undefined) consumers.forbidden('may not be specified when `allocated` is not set');
    else if (
      claim.metadata.deletionTimestamp !== undefined &&
      reservedFor.some((consumer) => !before.has(consumer.uid))
    )
      consumers.forbidden(
        'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set',
      );
  }
  if (allocation === undefined) return;
  const here = field.child('allocation');
  if (old.status?.allocation === undefined)
    validateAllocation(allocation, requestNames(claim.spec.devices), here);
  else if (!semanticEqual(allocation, old.status.allocation))
    here.immutable(allocation, old.status.allocation);
}

const deviceId = (device: {
  driver: string;
  pool: string;
  device: string;
  shareID?: string | undefined;
}): string =>
  [device.driver, device.pool, device.device, ...(device.shareID === undefined ? [] : [device.shareID])].join(
    '/',
  );

function validateAllocation(allocation: AllocationResult, names: ReadonlySet<string>, field: FieldAt): void {
  const devices = field.child('devices');
  validateItems(
    allocation.devices?.results ?? [],
    {
      most: maxResults,
      validate(result, here) {
        validateReference(result.request, names, here.child('request'));
        validateResult(result, here);
        for (const [i, toleration] of (result.tolerations ?? []).entries())
          validateToleration(toleration, here.child('tolerations').index(i));
      },
    },
    devices.child('results'),
  );
  validateItems(
    allocation.devices?.config ?? [],
    {
      most: 2 * maxConfigs,
      validate(config, here) {
        here.child('source').requiredOneOf(config.source, ['FromClaim', 'FromClass']);
        validateReferences(config.requests ?? [], names, here.child('requests'));
        validateOpaque(config.opaque, here.child('opaque'));
      },
    },
    devices.child('config'),
  );
  if (allocation.nodeSelector !== undefined)
    validateNodeSelector(allocation.nodeSelector, field.child('nodeSelector'));
}
