import { expect, test } from 'vitest';
import { settle } from '../../base/index.ts';
import { SharedRead } from './shared-read.ts';

test('a read that began before the question does not answer it; those that wait share one', async () => {
  const began: { resolve: (value: number) => void; reject: (error: Error) => void }[] = [];
  const shared = new SharedRead(
    () => new Promise<number>((resolve, reject) => void began.push({ resolve, reject })),
  );
  const first = shared.read();
  const later = [shared.read(), shared.read(), shared.read()];
  expect(began).toHaveLength(1);
  began[0]!.resolve(1);
  expect(await first).toBe(1);
  await settle();
  expect(began).toHaveLength(2);
  const last = shared.read();
  began[1]!.resolve(2);
  expect(await Promise.all(later)).toEqual([2, 2, 2]);
  await settle();
  began[2]!.resolve(3);
  expect(await last).toBe(3);
});

test('a failure is that of its askers only', async () => {
  let fail = true;
  const shared = new SharedRead(async () => {
    await settle();
    if (fail) throw new Error('away');
    return 1;
  });
  const first = shared.read();
  const next = shared.read();
  await expect(first).rejects.toThrow('away');
  fail = false;
  expect(await next).toBe(1);
  expect(await shared.read()).toBe(1);
});
