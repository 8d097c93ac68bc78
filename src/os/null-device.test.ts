import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { restoreNullDevice } from './null-device.ts';

test('what was closed to others is opened again, once', () => {
  const dir = mkdtempSync(join(tmpdir(), 'jotasu-null-'));
  const path = join(dir, 'null');
  writeFileSync(path, '');
  const { uid, gid } = statSync(path);
  chmodSync(path, 0o600);
  expect(restoreNullDevice(path, { uid, gid })).toBe(`${uid}:${gid} mode 600`);
  expect(statSync(path).mode & 0o777).toBe(0o666);
  expect(restoreNullDevice(path, { uid, gid })).toBeUndefined();
  rmSync(dir, { recursive: true });
});
