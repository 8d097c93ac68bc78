// Parts of volumes: found or made, and never outside.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSubPath } from './sub-path.ts';

let top: string;
let base: string;
beforeEach(() => {
  top = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-sub-'));
  base = path.join(top, 'volume');
  fs.mkdirSync(base);
  fs.mkdirSync(path.join(top, 'outside'));
});
afterEach(() => fs.rmSync(top, { recursive: true }));

/** The real path of what would be mounted. */
async function open(subPath: string): Promise<string> {
  const held = await openSubPath({ base, subPath, volume: 'v' });
  try {
    return fs.readlinkSync(`/proc/self/fd/${held.fd}`);
  } finally {
    await held.close();
  }
}
const openFiles = () => fs.readdirSync('/proc/self/fd').length;

describe('openSubPath', () => {
  it('makes what is missing, as the volume’s own directory is', async () => {
    fs.chmodSync(base, 0o2777);
    const before = openFiles();
    expect(await open('a/./b//c')).toBe(path.join(fs.realpathSync(base), 'a/b/c'));
    expect(fs.statSync(path.join(base, 'a/b')).mode & 0o7777).toBe(0o2777);
    expect(await open('a/b/c')).toBe(path.join(fs.realpathSync(base), 'a/b/c'));
    expect(openFiles()).toBe(before);
  });

  it('finds files, and follows links that stay inside', async () => {
    fs.mkdirSync(path.join(base, '..2026'));
    fs.writeFileSync(path.join(base, '..2026/key'), '1');
    fs.symlinkSync('..2026', path.join(base, '..data'));
    fs.symlinkSync('..data/key', path.join(base, 'key'));
    expect(await open('key')).toBe(path.join(fs.realpathSync(base), '..2026/key'));
  });

  it.each([
    ['/etc', "must be a relative path without '..'"],
    ['a/../b', "must be a relative path without '..'"],
    ['out/x', 'not within volume path'],
    ['up', 'not within volume path'],
    ['gone', 'has become a symbolic link'],
    ['file/x', 'ENOTDIR'],
  ])('%s is refused', async (subPath, why) => {
    fs.symlinkSync(path.join(top, 'outside'), path.join(base, 'out'));
    fs.symlinkSync('..', path.join(base, 'up'));
    fs.symlinkSync(path.join(top, 'nowhere'), path.join(base, 'gone'));
    fs.writeFileSync(path.join(base, 'file'), '');
    const before = openFiles();
    await expect(open(subPath)).rejects.toThrow(why);
    expect(fs.readdirSync(path.join(top, 'outside'))).toEqual([]);
    expect(fs.existsSync(path.join(top, 'nowhere'))).toBe(false);
    expect(openFiles()).toBe(before);
  });

  it('whatever is in the volume, nothing outside is ever reached or made', async () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const entry = fc.record({
      at: fc.array(name, { minLength: 1, maxLength: 3 }),
      what: fc.oneof(
        fc.constant(null),
        fc.constantFrom('../outside', '../../outside', '/', '..', 'a', '../b', './c', '../../../..'),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 6 }),
        fc.array(name, { minLength: 1, maxLength: 4 }),
        async (entries, parts) => {
          fs.rmSync(base, { recursive: true });
          fs.mkdirSync(base);
          for (const { at, what } of entries) {
            const file = path.join(base, ...at);
            try {
              if (fs.realpathSync(path.dirname(file)).startsWith(fs.realpathSync(base)))
                what === null ? fs.mkdirSync(file) : fs.symlinkSync(what, file);
            } catch {
              // Its directory is not there, or it is there already.
            }
          }
          const found = await open(parts.join('/')).catch(() => undefined);
          if (found !== undefined) expect(`${found}/`.startsWith(`${fs.realpathSync(base)}/`)).toBe(true);
          expect(fs.readdirSync(path.join(top, 'outside'))).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });
});
