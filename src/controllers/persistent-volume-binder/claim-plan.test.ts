import { describe, expect, it } from 'vitest';
import {
  findFree,
  findReserved,
  needsOf,
  type PersistentVolume,
  type StorageClass,
} from '../../api/index.ts';
import { buildClaim, buildClass, buildVolume, type ClaimParts } from '../../testkit/index.ts';
import { boundStatus, type ClaimPlan, patchToBindClaim, planClaim, unboundStatus } from './claim-plan.ts';

interface World {
  readonly volumes?: readonly PersistentVolume[];
  readonly classes?: readonly StorageClass[];
  readonly pods?: readonly string[];
}

function plan(parts: ClaimParts, { volumes = [], classes = [], pods = [] }: World = {}): ClaimPlan {
  return planClaim(buildClaim('c', parts), {
    volume: (name) => volumes.find((v) => v.metadata.name === name),
    match: (claim, reservedOnly) =>
      findReserved(needsOf(claim), volumes) ??
      (reservedOnly ? undefined : findFree(needsOf(claim), volumes, () => true)),
    storageClass: (name) => classes.find((c) => c.metadata.name === name),
    defaultClass: () => classes.find((c) => c.metadata.annotations !== undefined),
    waitingPods: () => pods,
  });
}
/** In few words. */
function told(p: ClaimPlan): string {
  switch (p.step) {
    case 'bind':
      return `bind ${p.volume.metadata.name}`;
    case 'assignClass':
      return `class ${p.name}`;
    case 'provision':
      return `provision ${p.storageClass?.metadata.name}`;
    case 'wait':
    case 'lose':
      return p.say === undefined ? p.step : `${p.step}: ${p.say.type} ${p.say.reason} ${p.say.message}`;
  }
}

const claim = buildClaim('c');
const other = buildClaim('other');
const late = buildClass('late', { waits: true });
const fast = buildClass('fast', { provisioner: 'example.com/p' });
const usual = buildClass('usual', { isDefault: true });
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' };

describe('a claim that names no volume', () => {
  it.each<[string, ClaimParts, World, string]>([
    [
      'takes the smallest that fits',
      { size: '2Gi' },
      { volumes: ['1Gi', '5Gi', '3Gi'].map((size) => buildVolume(`v${size}`, { size })) },
      'bind v3Gi',
    ],
    [
      'takes fewer modes before a smaller size',
      {},
      {
        volumes: [
          buildVolume('many', { modes: ['ReadWriteOnce', 'ReadWriteMany'] }),
          buildVolume('one', { size: '9Gi' }),
        ],
      },
      'bind one',
    ],
    ['takes the first by name of equals', {}, { volumes: [buildVolume('b'), buildVolume('a')] }, 'bind a'],
    [
      'does not take one without a mode that it asks for',
      { modes: ['ReadWriteMany'] },
      { volumes: [buildVolume('v')] },
      'wait: Normal FailedBinding no persistent volumes available for this claim and no storage class is set',
    ],
    [
      'does not take blocks for files',
      {},
      { volumes: [buildVolume('v', { spec: { volumeMode: 'Block' } })] },
      'wait: Normal FailedBinding no persistent volumes available for this claim and no storage class is set',
    ],
    [
      'does not take one of another class',
      { storageClass: 'fast' },
      { volumes: [buildVolume('v')], classes: [fast] },
      'provision fast',
    ],
    [
      'takes one of its class though that does not exist',
      { storageClass: 'x' },
      { volumes: [buildVolume('v', { storageClass: 'x' })] },
      'bind v',
    ],
    [
      'does not take one of another attributes class',
      { spec: { volumeAttributesClassName: 'gold' } },
      { volumes: [buildVolume('v'), buildVolume('w', { spec: { volumeAttributesClassName: 'gold' } })] },
      'bind w',
    ],
    [
      'minds its selector',
      { spec: { selector: { matchLabels: { a: 'b' } } } },
      { volumes: [buildVolume('v'), buildVolume('w', { meta: { labels: { a: 'b' } } })] },
      'bind w',
    ],
    [
      'leaves those of others',
      {},
      { volumes: [buildVolume('v', { claim: other }), buildVolume('w', { claim: 'other' })] },
      'wait: Normal FailedBinding no persistent volumes available for this claim and no storage class is set',
    ],
    [
      'leaves those that are going, released or not known yet',
      {},
      {
        volumes: [
          buildVolume('v', { meta: deleted }),
          buildVolume('w', { phase: 'Released' }),
          buildVolume('x', { phase: 'Pending' }),
        ],
      },
      'wait: Normal FailedBinding no persistent volumes available for this claim and no storage class is set',
    ],
    [
      'takes what is reserved for it before all others',
      {},
      {
        volumes: [
          buildVolume('a'),
          buildVolume('mine', { size: '9Gi', storageClass: 'x', claim: 'c', phase: 'Pending' }),
        ],
      },
      'bind mine',
    ],
    [
      'goes on with a volume that was given to it',
      { storageClass: 'late' },
      { volumes: [buildVolume('v', { claim })], classes: [late] },
      'bind v',
    ],
    [
      'does not take a reserved one that is too small',
      { size: '2Gi' },
      { volumes: [buildVolume('v', { claim: 'c' })] },
      'wait: Normal FailedBinding no persistent volumes available for this claim and no storage class is set',
    ],
    [
      'waits for its consumer',
      { storageClass: 'late' },
      { volumes: [buildVolume('v', { storageClass: 'late' })], classes: [late] },
      'wait: Normal WaitForFirstConsumer waiting for first consumer to be created before binding',
    ],
    [
      'waits for one pod',
      { storageClass: 'late' },
      { classes: [late], pods: ['p'] },
      'wait: Normal WaitForPodScheduled waiting for pod p to be scheduled',
    ],
    [
      'waits for pods',
      { storageClass: 'late' },
      { classes: [late], pods: ['p', 'q'] },
      'wait: Normal WaitForPodScheduled waiting for pods p,q to be scheduled',
    ],
    [
      'gets a volume where its consumer goes',
      { storageClass: 'late', annotations: { 'volume.kubernetes.io/selected-node': 'n' } },
      { classes: [late] },
      'provision late',
    ],
    ['gets the default class that came later', {}, { classes: [usual] }, 'class usual'],
    [
      'takes a volume without class before the default class',
      {},
      { classes: [usual], volumes: [buildVolume('v')] },
      'bind v',
    ],
    [
      'keeps that it wants no class',
      { storageClass: '' },
      { classes: [usual] },
      'wait: Normal FailedBinding no persistent volumes available for this claim and no storage class is set',
    ],
    ['asks for a class that is not there', { storageClass: 'gone' }, {}, 'provision undefined'],
    ['takes none while it is going', { meta: deleted }, { volumes: [buildVolume('v')] }, 'wait'],
  ])('%s', (_, parts, world, expected) => {
    expect(told(plan(parts, world))).toBe(expected);
  });
});

describe('a claim that names a volume', () => {
  it.each<[string, ClaimParts, World, string]>([
    ['waits until it is there', {}, {}, 'wait'],
    ['takes it', {}, { volumes: [buildVolume('v', { phase: 'Pending' })] }, 'bind v'],
    ['takes it when it is reserved for it', {}, { volumes: [buildVolume('v', { claim: 'c' })] }, 'bind v'],
    [
      'says that it is too small',
      { size: '2Gi' },
      { volumes: [buildVolume('v')] },
      'wait: Warning VolumeMismatch Cannot bind to requested volume "v": requested PV is too small',
    ],
    [
      'says that its class is another',
      { storageClass: 'x' },
      { volumes: [buildVolume('v')] },
      'wait: Warning VolumeMismatch Cannot bind to requested volume "v": storageClassName does not match',
    ],
    [
      'says that its mode is another',
      { spec: { volumeMode: 'Block' } },
      { volumes: [buildVolume('v')] },
      'wait: Warning VolumeMismatch Cannot bind to requested volume "v": incompatible volumeMode',
    ],
    [
      'says that it cannot be mounted so',
      { modes: ['ReadOnlyMany'] },
      { volumes: [buildVolume('v')] },
      'wait: Warning VolumeMismatch Cannot bind to requested volume "v": incompatible accessMode',
    ],
    [
      'says that it is going',
      {},
      { volumes: [buildVolume('v', { meta: deleted })] },
      'wait: Warning VolumeMismatch Cannot bind to requested volume "v": the volume is marked for deletion "v"',
    ],
    [
      'says that somebody else has it',
      {},
      { volumes: [buildVolume('v', { claim: other })] },
      'wait: Warning FailedBinding volume "v" already bound to a different claim.',
    ],
    [
      'says that one of its name before it had it',
      {},
      { volumes: [buildVolume('v', { claim: buildClaim('c', { meta: { uid: 'x' } }) })] },
      'wait: Warning FailedBinding volume "v" already bound to a different claim.',
    ],
  ])('%s', (_, parts, world, expected) => {
    expect(told(plan({ volume: 'v', ...parts }, world))).toBe(expected);
  });
});

describe('a claim that was bound', () => {
  it.each<[string, ClaimParts, World, string]>([
    ['stays so', {}, { volumes: [buildVolume('v', { claim })] }, 'bind v'],
    ['gets back a volume that was freed', {}, { volumes: [buildVolume('v')] }, 'bind v'],
    [
      'has lost its volume',
      {},
      {},
      'lose: Warning ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!',
    ],
    [
      'has lost its reference',
      { volume: '' },
      {},
      'lose: Warning ClaimLost Bound claim has lost reference to PersistentVolume. Data on the volume is lost!',
    ],
    [
      'was not the only one',
      {},
      { volumes: [buildVolume('v', { claim: other })] },
      'lose: Warning ClaimMisbound Two claims are bound to the same volume, this one is bound incorrectly',
    ],
  ])('%s', (_, parts, world, expected) => {
    expect(told(plan({ volume: 'v', bound: true, ...parts }, world))).toBe(expected);
  });
});

describe('patches', () => {
  const yes = { 'pv.kubernetes.io/bind-completed': 'yes' };
  it('note the volume once, and whether the user had named it', () => {
    const v = buildVolume('v');
    expect(patchToBindClaim(buildClaim('c'), v)).toEqual({
      metadata: {
        resourceVersion: '1',
        annotations: { ...yes, 'pv.kubernetes.io/bound-by-controller': 'yes' },
      },
      spec: { volumeName: 'v' },
    });
    expect(patchToBindClaim(buildClaim('c', { volume: 'v' }), v)).toEqual({
      metadata: { resourceVersion: '1', annotations: yes },
    });
    expect(patchToBindClaim(buildClaim('c', { volume: 'v', bound: true }), v)).toBeUndefined();
  });

  it('say what the volume has when the claim becomes bound, and leave its size alone afterwards', () => {
    const big = buildVolume('v', { size: '5Gi', spec: { volumeAttributesClassName: 'gold' } });
    expect(boundStatus(buildClaim('c'), big)).toEqual({
      metadata: { resourceVersion: '1' },
      status: {
        phase: 'Bound',
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '5Gi' },
        currentVolumeAttributesClassName: 'gold',
      },
    });
    expect(boundStatus(buildClaim('c', { bound: true }), big)).toBeUndefined();
    const growing = buildVolume('v', {
      size: '5Gi',
      annotations: { 'volume.alpha.kubernetes.io/pre-resize-capacity': '3Gi' },
    });
    expect(boundStatus(buildClaim('c'), growing)).toMatchObject({ status: { capacity: { storage: '3Gi' } } });
    expect(
      boundStatus(buildClaim('c', { bound: true }), buildVolume('v', { modes: ['ReadWriteMany'] })),
    ).toEqual({
      metadata: { resourceVersion: '1' },
      status: { phase: 'Bound', accessModes: ['ReadWriteMany'] },
    });
  });

  it('take back what a claim without a volume said', () => {
    expect(unboundStatus(buildClaim('c'), 'Pending')).toBeUndefined();
    expect(unboundStatus(buildClaim('c', { bound: true }), 'Lost')).toMatchObject({
      status: { phase: 'Lost', accessModes: null, capacity: null },
    });
  });
});
