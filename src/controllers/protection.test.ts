import { expect, it } from 'vitest';
import { buildClaim } from '../testkit/index.ts';
import { planProtection, withFinalizer, withoutFinalizer } from './protection.ts';

const claim = (finalizers: string[] | undefined, deleted: boolean) =>
  buildClaim('c', {
    meta: {
      ...(finalizers && { finalizers }),
      ...(deleted && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
  });

it.each<[string, string[] | undefined, { deleted: boolean; used: boolean }, string]>([
  ['has it', ['a', 'x'], { deleted: false, used: false }, 'nothing'],
  ['lacks it', undefined, { deleted: false, used: true }, 'protect'],
  ['lacks it, has others', ['a'], { deleted: false, used: false }, 'protect'],
  ['is going, used', ['x'], { deleted: true, used: true }, 'nothing'],
  ['is going, unused', ['x'], { deleted: true, used: false }, 'release'],
  ['is going, lacks it', ['a'], { deleted: true, used: false }, 'nothing'],
])('%s', (_, finalizers, { deleted, used }, expected) => {
  expect(planProtection(claim(finalizers, deleted), 'x', () => used)).toBe(expected);
});

it('leaves other finalizers as they are', () => {
  expect(withFinalizer(claim(['a'], false), 'x')).toEqual(['a', 'x']);
  expect(withoutFinalizer(claim(['a', 'x', 'b'], false), 'x')).toEqual(['a', 'b']);
});
