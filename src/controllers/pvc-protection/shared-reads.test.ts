import { expect, test } from 'vitest';
import { SharedReads } from './shared-reads.ts';

test('who asks in one turn shares a read; who asks while it is under way shares the next', async () => {
  const pending: ((value: string) => void)[] = [];
  const keys: string[] = [];
  const reads = new SharedReads<string>((key) => {
    keys.push(key);
    return new Promise((resolve) => pending.push(resolve));
  });
  const first = [reads.read('a'), reads.read('a')];
  const other = reads.read('b');
  await Promise.resolve();
  expect(keys).toEqual(['a', 'b']);
  const second = [reads.read('a'), reads.read('a')];
  await Promise.resolve();
  expect(keys).toEqual(['a', 'b']);
  pending[0]!('one');
  expect(await Promise.all(first)).toEqual(['one', 'one']);
  await Promise.resolve();
  expect(keys).toEqual(['a', 'b', 'a']);
  pending[2]!('two');
  pending[1]!('other');
  expect(await Promise.all([...second, other])).toEqual(['two', 'two', 'other']);
});

test('a read that fails fails for those who shared it, and no others', async () => {
  let fail = true;
  const reads = new SharedReads<string>(async () => {
    if (fail) throw new Error('away');
    return 'here';
  });
  const first = [reads.read('a'), reads.read('a')];
  expect((await Promise.allSettled(first)).map((r) => r.status)).toEqual(['rejected', 'rejected']);
  fail = false;
  expect(await reads.read('a')).toBe('here');
});
