import { expect, test } from 'vitest';
import { buildPod } from '../../testkit/index.ts';
import { blocks, judge, type OwnerState, unblockPatch, unlinkPatch } from './plan.ts';

const objectWith = (owners: number, finalizers: string[] = [], going = false) =>
  buildPod('a', {
    meta: {
      ownerReferences: Array.from({ length: owners }, (_, i) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        name: `o${i}`,
        uid: `u${i}`,
        blockOwnerDeletion: i === 0,
      })),
      finalizers,
      ...(going && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
  });
const remove = (policy: string) => ({ do: 'delete', policy });

test.each<[string, OwnerState[], boolean, ReturnType<typeof objectWith>, object]>([
  ['nobody’s', [], false, objectWith(0), { do: 'nothing' }],
  ['its owner lives', ['solid'], true, objectWith(1), { do: 'nothing' }],
  ['its owner is gone', ['absent'], false, objectWith(1), remove('Background')],
  ['it is going already', ['absent'], false, objectWith(1, [], true), { do: 'nothing' }],
  [
    'its owner waits, and it has dependents of its own',
    ['waiting'],
    true,
    objectWith(1),
    remove('Foreground'),
  ],
  ['its owner waits, and it has none', ['waiting'], false, objectWith(1), remove('Background')],
  [
    'one owner lives, one is gone, one waits',
    ['solid', 'absent', 'waiting'],
    true,
    objectWith(3),
    { do: 'unlink', uids: ['u1', 'u2'] },
  ],
  ['all are gone or waiting', ['absent', 'waiting'], true, objectWith(2), remove('Foreground')],
  ['it was asked to orphan', ['absent'], true, objectWith(1, ['orphan']), remove('Orphan')],
  [
    'it was asked to go in the foreground',
    ['absent'],
    true,
    objectWith(1, ['foregroundDeletion']),
    remove('Foreground'),
  ],
])('%s', (_, owners, hasDependents, object, expected) => {
  expect(judge({ object, owners, hasDependents })).toEqual(expected);
});

test('only a reference that says so blocks', () => {
  expect(blocks(objectWith(2), 'u0')).toBe(true);
  expect(blocks(objectWith(2), 'u1')).toBe(false);
  expect(blocks(objectWith(2), 'u7')).toBe(false);
});

test('patches touch the references they name', () => {
  expect(unlinkPatch(objectWith(2), ['u1'])).toEqual({
    metadata: { uid: 'uid-a', ownerReferences: [{ $patch: 'delete', uid: 'u1' }] },
  });
  expect(unblockPatch(objectWith(2)).metadata.ownerReferences).toEqual([
    { uid: 'u0', blockOwnerDeletion: false },
    { uid: 'u1', blockOwnerDeletion: false },
  ]);
});
