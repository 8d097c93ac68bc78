// ResourceSlice: some of the devices that a driver offers.
import { checkDns1123Subdomain, defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import { validateDriverName, validateNodeSelector } from '../../core/v1/pod.ts';
import type { ResourceSlice as ResourceSliceObject, ResourceSliceSpec } from '../../generated/resource-v1.ts';
import { shape } from '../../shape.ts';
import { validateItems } from './claim-rules.ts';
import { validateCounterSet, validateDevice, validatePoolName } from './device-rules.ts';
import { dropFromSlice } from './gated-fields.ts';

export type ResourceSlice = ResourceSliceObject;

const maxDevices = 128;
const maxDemandingDevices = 64;
const maxCounterSets = 8;

export const ResourceSlice = defineKind<ResourceSliceObject>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceSlice',
  plural: 'resourceslices',
  scope: 'Cluster',
  schema: shape('resource.v1.ResourceSlice'),
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('Node', 'The node of its devices.', ({ spec }) => spec?.nodeName ?? '<unset>'),
    textColumn('Driver', 'Who offers them.', ({ spec }) => spec?.driver ?? ''),
    textColumn('Pool', 'The pool they belong to.', ({ spec }) => spec?.pool?.name ?? ''),
    ageColumn,
  ],
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
    'spec.driver': ({ spec }) => spec?.driver ?? '',
  },
  prepareCreate: ({ spec }) => dropFromSlice(spec),
  prepareUpdate: ({ spec }) => dropFromSlice(spec),
  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    validateDriverName(spec.driver, field.child('driver'));
    validatePool(spec, field.child('pool'));
    if (old !== undefined) {
      field.child('pool', 'name').immutable(spec.pool?.name, old.spec.pool?.name);
      field.child('driver').immutable(spec.driver, old.spec.driver);
      field.child('nodeName').immutable(spec.nodeName, old.spec.nodeName);
    }
    validatePlace(spec, field);
    const { devices = [], sharedCounters = [] } = spec;
    if (spec.sharedCounters !== undefined && spec.devices !== undefined)
      field.invalid('', 'only one of `sharedCounters` or `devices` is allowed');
    const demanding = devices.some(
      ({ taints = [], consumesCounters = [] }) => taints.length + consumesCounters.length > 0,
    );
    validateItems(
      devices,
      {
        most: demanding ? maxDemandingDevices : maxDevices,
        key: (device) => device.name,
        validate: (device, here) => validateDevice(device, spec.perDeviceNodeSelection === true, here),
      },
      field.child('devices'),
    );
    validateItems(
      sharedCounters,
      { most: maxCounterSets, key: (set) => set.name, validate: validateCounterSet },
      field.child('sharedCounters'),
    );
  },
});

function validatePool({ pool }: ResourceSliceSpec, field: FieldAt): void {
  validatePoolName(pool?.name ?? '', field.child('name'));
  const { resourceSliceCount: count = 0, generation = 0 } = pool ?? {};
  if (count <= 0) field.child('resourceSliceCount').invalid(count, 'must be greater than zero');
  if (generation < 0) field.child('generation').invalid(generation, 'must be greater than or equal to zero');
}

function validatePlace(spec: ResourceSliceSpec, field: FieldAt): void {
  const { nodeName, nodeSelector } = spec;
  const given: string[] = [];
  if (nodeName === '')
    field.child('nodeName').invalid(nodeName, 'must be either unset or set to a non-empty string');
  else if (nodeName !== undefined) {
    given.push('`nodeName`');
    field.child('nodeName').refuse(nodeName, checkDns1123Subdomain(nodeName));
  }
  if (nodeSelector !== undefined) {
    given.push('`nodeSelector`');
    const here = field.child('nodeSelector');
    validateNodeSelector(nodeSelector, here);
    const terms = nodeSelector.nodeSelectorTerms ?? [];
    if (terms.length !== 1)
      here.child('nodeSelectorTerms').invalid(terms, 'must have exactly one node selector term');
  }
  for (const name of ['allNodes', 'perDeviceNodeSelection'] as const)
    if (spec[name] === true) given.push(`\`${name}\``);
    else if (spec[name] !== undefined)
      field.child(name).invalid(spec[name], 'must be either unset or set to true');
  const one = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  if (given.length === 0) field.required(one);
  else if (given.length > 1) field.invalid(`{${given.join(', ')}}`, `${one}, but multiple fields are set`);
}
