// Whose the files of a volume become.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ensureDirectory } from './new-directory.ts';
import { directoryModeFor, fileModeFor, ownByGroup } from './ownership.ts';

// Others than one's own only root can give.
const gid = process.getuid?.() === 0 ? 4321 : (process.getgid?.() ?? 0);
let dir: string;
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-own-'));
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

const make = (name: string, mode: number): string => {
  const file = path.join(dir, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, name);
  fs.chmodSync(file, mode);
  return file;
};
const modeOf = (file: string): string => (fs.lstatSync(file).mode & 0o7777).toString(8);
const rest = { gid, readOnly: false, onRootMismatch: false };

it.each<[number, boolean, string, string]>([
  [0o600, false, '660', '2770'],
  [0o600, true, '640', '2750'],
  [0o755, false, '775', '2775'],
  [0o4711, true, '4751', '6751'],
])('%o, read only: %s', (mode, readOnly, file, directory) => {
  expect([fileModeFor(mode, readOnly), directoryModeFor(mode, readOnly)].map((m) => m.toString(8))).toEqual([
    file,
    directory,
  ]);
});

it('everything below becomes the group’s, and what links lead to does not', async () => {
  fs.chmodSync(dir, 0o700);
  const outside = make('../outside-of-a-volume', 0o600);
  const inside = make('a/b/c', 0o640);
  fs.symlinkSync(outside, path.join(dir, 'a/link'));
  try {
    await ownByGroup(dir, rest);
    expect([dir, path.join(dir, 'a'), inside].map(modeOf)).toEqual(['2770', '2775', '660']);
    expect([dir, inside].map((file) => fs.statSync(file).gid)).toEqual([gid, gid]);
    expect(modeOf(outside)).toBe('600');
  } finally {
    fs.rmSync(outside);
  }
});

it('OnRootMismatch looks at the top alone', async () => {
  await ownByGroup(dir, rest);
  const late = make('late', 0o600);
  await ownByGroup(dir, { ...rest, onRootMismatch: true });
  expect(modeOf(late)).toBe('600');
  fs.chmodSync(dir, 0o770);
  await ownByGroup(dir, { ...rest, onRootMismatch: true });
  expect([modeOf(dir), modeOf(late)]).toEqual(['2770', '660']);
});

it('a new directory is whole from its first moment, also after a crash, and one that is there is left alone', async () => {
  const at = path.join(dir, 'a/b');
  // What a crash left.
  fs.mkdirSync(path.join(dir, 'a/.new-b'), { recursive: true, mode: 0o700 });
  expect(await ensureDirectory(at, { mode: 0o2777, gid })).toBe(true);
  expect([modeOf(at), fs.statSync(at).gid, fs.readdirSync(path.join(dir, 'a'))]).toEqual([
    '2777',
    gid,
    ['b'],
  ]);
  fs.chmodSync(at, 0o700);
  expect(await ensureDirectory(at, { mode: 0o2777, gid })).toBe(false);
  expect(modeOf(at)).toBe('700');
});
