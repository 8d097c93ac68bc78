// Which claims grow, by whom, and what is written of it.
import { describe, expect, it } from 'vitest';
import type { PersistentVolumeClaim } from '../../api/index.ts';
import { buildClaim, buildVolume } from '../../testkit/index.ts';
import { grownStatusPatch, planGrowth, volumeSizePatch } from './plan.ts';

const asking = (size: string, has = '1Gi', more: object = {}): PersistentVolumeClaim => {
  const claim = buildClaim('c', { bound: true, size, volume: 'v', ...more });
  return { ...claim, status: { ...claim.status, capacity: { storage: has } } };
};
const volumeOf = (claim: PersistentVolumeClaim, by = 'ours') =>
  buildVolume('v', { claim, annotations: { 'pv.kubernetes.io/provisioned-by': by } });
const plan = (claim: PersistentVolumeClaim, volume = volumeOf(claim)) =>
  planGrowth(claim, volume, (name) => name === 'ours');

describe('planGrowth', () => {
  it.each<[string, PersistentVolumeClaim, string]>([
    ['asks for what it has', asking('1Gi'), 'nothing'],
    ['asks for the same in other words', asking('1024Mi'), 'nothing'],
    ['asks for less', asking('1Gi', '2Gi'), 'nothing'],
    ['asks for more', asking('2Gi'), 'grow'],
    ['is not bound', buildClaim('c', { size: '2Gi' }), 'nothing'],
    ['is going', asking('2Gi', '1Gi', { meta: { deletionTimestamp: 'now' } }), 'nothing'],
  ])('a claim that %s', (_, claim, step) => expect(plan(claim).step).toBe(step));

  it('is for the volume of the claim alone', () => {
    const claim = asking('2Gi');
    const stranger = volumeOf(buildClaim('other', { bound: true }));
    expect(plan(claim, stranger)).toEqual({ step: 'nothing' });
    expect(planGrowth(claim, undefined, () => true)).toEqual({ step: 'nothing' });
  });

  it('leaves volumes of others to them', () => {
    const claim = asking('2Gi');
    expect(plan(claim, volumeOf(claim, 'ebs.csi.aws.com'))).toEqual({ step: 'external' });
    expect(plan(claim)).toEqual({ step: 'grow', provisioner: 'ours', size: '2Gi' });
  });
});

describe('what is written', () => {
  it('a volume never shrinks', () => {
    const volume = buildVolume('v', { size: '2Gi' });
    expect(volumeSizePatch(volume, '2048Mi')).toBeUndefined();
    expect(volumeSizePatch(volume, '1Gi')).toBeUndefined();
    expect(volumeSizePatch(volume, '3Gi')).toEqual({
      metadata: { resourceVersion: '1' },
      spec: { capacity: { storage: '3Gi' } },
    });
  });

  it('conditions of growing end, others stay', () => {
    const claim = asking('2Gi');
    const conditions = [
      { type: 'Resizing', status: 'True' },
      { type: 'ModifyingVolume', status: 'True' },
    ];
    const busy = { ...claim, status: { ...claim.status, conditions } } as PersistentVolumeClaim;
    expect(grownStatusPatch(busy, '2Gi')).toMatchObject({
      status: { capacity: { storage: '2Gi' }, conditions: [conditions[1]] },
    });
    expect(grownStatusPatch(claim, '2Gi')).toMatchObject({ status: { conditions: null } });
  });
});
