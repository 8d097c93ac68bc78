// What a hostPath must be, or is made.
import * as fs from 'node:fs';
import { createServer, type Server } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureHostPath } from './host-path.ts';

let dir: string;
let server: Server;
beforeAll(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-host-'));
  fs.mkdirSync(path.join(dir, 'directory'));
  fs.writeFileSync(path.join(dir, 'file'), 'kept');
  fs.symlinkSync('directory', path.join(dir, 'link'));
  server = createServer();
  await new Promise<void>((resolve) => server.listen(path.join(dir, 'socket'), resolve));
});
afterAll(() => {
  server.close();
  fs.rmSync(dir, { recursive: true });
});

const found: [type: string, name: string][] = [
  ['', 'directory'],
  ['', 'file'],
  ['Directory', 'directory'],
  ['Directory', 'link'],
  ['DirectoryOrCreate', 'directory'],
  ['File', 'file'],
  ['FileOrCreate', 'file'],
  ['Socket', 'socket'],
  ['CharDevice', '/dev/null'],
];
it.each(found)('type %j takes %s', async (type, name) => {
  const at = path.resolve(dir, name);
  expect(await ensureHostPath({ path: at, type })).toBe(at);
  expect(fs.readFileSync(path.join(dir, 'file'), 'utf8')).toBe('kept');
});

const refused: [type: string, name: string, what: string][] = [
  ['Directory', 'file', 'a directory'],
  ['DirectoryOrCreate', 'file', 'a directory'],
  ['File', 'directory', 'a file'],
  ['FileOrCreate', 'directory', 'a file'],
  ['Socket', 'file', 'a socket file'],
  ['CharDevice', 'file', 'a character device'],
  ['BlockDevice', '/dev/null', 'a block device'],
  ['Directory', 'none', 'a directory'],
  ['File', 'none', 'a file'],
  ['Socket', 'none', 'a socket file'],
];
it.each(refused)('type %j does not take %s', async (type, name, what) => {
  const at = path.resolve(dir, name);
  await expect(ensureHostPath({ path: at, type })).rejects.toThrow(
    `hostPath type check failed: ${at} is not ${what}`,
  );
  expect(fs.existsSync(path.join(dir, 'none'))).toBe(false);
});

it('makes what may be made', async () => {
  const make = (name: string, type?: string) =>
    ensureHostPath({ path: path.join(dir, name), ...(type !== undefined && { type }) });
  await make('new/deep', 'DirectoryOrCreate');
  await make('new/file', 'FileOrCreate');
  await make('new/any');
  expect(['new/deep', 'new/any'].map((name) => fs.statSync(path.join(dir, name)).isDirectory())).toEqual([
    true,
    true,
  ]);
  expect(fs.readFileSync(path.join(dir, 'new/file'), 'utf8')).toBe('');
  await expect(make('nowhere/file', 'FileOrCreate')).rejects.toThrow(/ENOENT/);
});
