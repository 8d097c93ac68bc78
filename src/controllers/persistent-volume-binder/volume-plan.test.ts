import { describe, expect, it } from 'vitest';
import type { PersistentVolumeClaim } from '../../api/index.ts';
import { buildClaim, buildVolume, type VolumeParts } from '../../testkit/index.ts';
import { patchToUnbind, phasePatch, plannedFinalizers, planReclaim, planVolume } from './volume-plan.ts';

const claim = buildClaim('c');
const madeBy = (name: string) => ({ 'pv.kubernetes.io/provisioned-by': name });
const isOurs = (name: string) => name === 'ours';

describe('planVolume', () => {
  it.each<[string, VolumeParts, PersistentVolumeClaim | undefined, object]>([
    ['is free', {}, undefined, { step: 'phase', phase: 'Available' }],
    ['is reserved', { claim: 'c' }, claim, { step: 'phase', phase: 'Available' }],
    ['is given, the claim does not say so yet', { claim }, claim, { step: 'leave' }],
    ['is bound', { claim }, buildClaim('c', { volume: 'v' }), { step: 'phase', phase: 'Bound' }],
    ['its claim is gone', { claim }, undefined, { step: 'release' }],
    [
      'its claim is another of that name',
      { claim },
      buildClaim('c', { meta: { uid: 'x' } }),
      { step: 'release' },
    ],
    ['its claim took another', { claim }, buildClaim('c', { volume: 'w' }), { step: 'unbind' }],
    [
      'its claim took another, and it was made for it',
      { claim, policy: 'Delete', annotations: madeBy('x') },
      buildClaim('c', { volume: 'w' }),
      { step: 'release' },
    ],
    [
      'it is kept though it was made for it',
      { claim, annotations: madeBy('x') },
      buildClaim('c', { volume: 'w' }),
      { step: 'unbind' },
    ],
  ])('%s', (_, parts, named, expected) => {
    expect(planVolume(buildVolume('v', parts), named)).toMatchObject(expected);
  });

  it('tells both sides that files are no blocks', () => {
    const plan = planVolume(buildVolume('v', { claim, spec: { volumeMode: 'Block' } }), claim);
    expect(plan).toMatchObject({
      say: {
        volume: {
          reason: 'VolumeMismatch',
          message:
            'Cannot bind PersistentVolume to requested PersistentVolumeClaim "c" due to incompatible volumeMode.',
        },
        claim: {
          reason: 'VolumeMismatch',
          message:
            'Cannot bind PersistentVolume "v" to requested PersistentVolumeClaim due to incompatible volumeMode.',
        },
      },
    });
  });
});

describe('planReclaim', () => {
  it.each<[string, VolumeParts, object]>([
    ['keeps', { policy: 'Retain' }, { how: 'keep' }],
    [
      'does not recycle',
      { policy: 'Recycle' },
      {
        how: 'fail',
        say: {
          type: 'Warning',
          reason: 'VolumeFailedRecycle',
          message: 'No recycler plugin found for the volume!',
        },
      },
    ],
    [
      'deletes what is ours',
      { policy: 'Delete', annotations: madeBy('ours') },
      { how: 'delete', provisioner: 'ours' },
    ],
    [
      'leaves to others what they made',
      { policy: 'Delete', annotations: madeBy('example.com/p') },
      { how: 'keep' },
    ],
    [
      'leaves to a driver what it took over',
      {
        policy: 'Delete',
        annotations: {
          ...madeBy('kubernetes.io/aws-ebs'),
          'pv.kubernetes.io/migrated-to': 'ebs.csi.aws.com',
        },
      },
      { how: 'keep' },
    ],
    [
      'cannot delete what a plugin made that is not here',
      { policy: 'Delete', annotations: madeBy('kubernetes.io/aws-ebs') },
      {
        how: 'fail',
        say: {
          type: 'Warning',
          reason: 'VolumeFailedDelete',
          message: 'no volume plugin matched name: kubernetes.io/aws-ebs',
        },
      },
    ],
    [
      'cannot delete what nobody made',
      { policy: 'Delete' },
      {
        how: 'fail',
        say: {
          type: 'Warning',
          reason: 'VolumeFailedDelete',
          message: 'error getting deleter volume plugin for volume "v": no deletable volume plugin matched',
        },
      },
    ],
    [
      'says that it does not know the policy',
      { spec: { persistentVolumeReclaimPolicy: 'Burn' } },
      {
        how: 'fail',
        say: {
          type: 'Warning',
          reason: 'VolumeUnknownReclaimPolicy',
          message: 'Volume has unrecognized PersistentVolumeReclaimPolicy',
        },
      },
    ],
  ])('%s', (_, parts, expected) => {
    expect(planReclaim(buildVolume('v', parts), isOurs)).toEqual(expected);
  });
});

it('unbinds what a binder bound, and leaves reserved what the user did', () => {
  const byUser = patchToUnbind(buildVolume('v', { claim }));
  expect(byUser).toMatchObject({ spec: { claimRef: { name: 'c', uid: null } } });
  const annotations = { 'pv.kubernetes.io/bound-by-controller': 'yes' };
  expect(patchToUnbind(buildVolume('v', { claim, annotations }))).toEqual({
    metadata: { resourceVersion: '1', annotations: { 'pv.kubernetes.io/bound-by-controller': null } },
    spec: { claimRef: null },
  });
});

it('changes a phase once, and takes back the message of before', () => {
  expect(phasePatch(buildVolume('v'), 'Available')).toBeUndefined();
  expect(phasePatch(buildVolume('v'), 'Bound')).toMatchObject({ status: { phase: 'Bound', message: null } });
  expect(phasePatch(buildVolume('v'), 'Failed', 'why')).toMatchObject({ status: { message: 'why' } });
});

it.each<[string, VolumeParts, readonly string[] | undefined]>([
  ['not ours', { policy: 'Delete', annotations: madeBy('x') }, undefined],
  [
    'ours, to be deleted',
    { policy: 'Delete', annotations: madeBy('ours'), meta: { finalizers: ['a'] } },
    ['a', 'kubernetes.io/pv-controller'],
  ],
  [
    'has it',
    { policy: 'Delete', annotations: madeBy('ours'), meta: { finalizers: ['kubernetes.io/pv-controller'] } },
    undefined,
  ],
  [
    'ours, kept now',
    { annotations: madeBy('ours'), meta: { finalizers: ['kubernetes.io/pv-controller', 'a'] } },
    ['a'],
  ],
  ['going', { policy: 'Delete', annotations: madeBy('ours'), meta: { deletionTimestamp: 'x' } }, undefined],
])('the finalizer of what is behind a volume: %s', (_, parts, expected) => {
  const { annotations, meta, ...rest } = parts;
  const volume = buildVolume('v', { ...rest, meta: { ...meta, ...(annotations && { annotations }) } });
  expect(plannedFinalizers(volume, isOurs)).toEqual(expected);
});
