// A disk that is full, end to end: a small tmpfs, because only a real file system refuses as a real one does.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Secret } from '../../src/api/index.ts';
import { serverDefaults, startServer } from '../../src/app/index.ts';
import { silentLog as log, systemClock, systemRandom } from '../../src/base/index.ts';
import { type Draft, StatusError } from '../../src/machinery/index.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) await cleanup();
});

function mountTmpfs(size: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'jotasu-full-disk-'));
  cleanups.push(() => rmdirSync(directory));
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory]);
  if (status !== 0) throw new Error(`cannot mount a tmpfs: ${stderr}`);
  cleanups.push(() => void spawnSync('umount', ['--lazy', directory]));
  return directory;
}

const why = process.getuid?.() === 0 ? undefined : 'the full disk, because mounting a small one needs root';
if (why !== undefined) {
  if (process.env['JOTASU_REQUIRE_ALL'] === '1') throw new Error(`cannot test ${why}`);
  console.warn(`!! SKIPPING ${why}`);
}

describe.skipIf(why !== undefined)('a full disk', () => {
  test('refuses writes with 507 and says why, still answers reads, and takes writes when there is room', async () => {
    const disk = mountTmpfs('24m');
    const ballast = join(disk, 'ballast');
    writeFileSync(ballast, Buffer.alloc(12 * 1024 * 1024));
    const server = await startServer(
      {
        ...serverDefaults,
        dataDir: join(disk, 'data'),
        bindAddress: '127.0.0.1',
        httpsListenPort: 0,
        without: ['controllers', 'scheduler'],
      },
      { clock: systemClock, random: systemRandom(), log },
    );
    cleanups.push(() => server.stop());
    const secrets = server.client(Secret);
    const create = (name: string) =>
      secrets.create({
        metadata: { name, namespace: 'default' },
        data: { value: Buffer.alloc(300_000, 'x').toString('base64') },
      } as Draft<Secret>);

    const stored: string[] = [];
    let refusal: unknown;
    for (let i = 0; refusal === undefined && i < 200; i++)
      await create(`s${i}`).then(
        () => void stored.push(`s${i}`),
        (error: unknown) => (refusal = error),
      );
    if (!(refusal instanceof StatusError)) throw new Error('the disk never was full', { cause: refusal });
    expect([refusal.code, refusal.message]).toEqual([507, expect.stringContaining('no room left')]);
    expect(stored.length).toBeGreaterThan(3);
    const names = async () =>
      (await secrets.list({ namespace: 'default' })).items.map((s) => s.metadata.name).sort();
    expect(await names()).toEqual([...stored].sort());

    rmSync(ballast);
    await vi.waitFor(() => create('again'), { timeout: 60_000, interval: 200 });
    expect(await names()).toEqual([...stored, 'again'].sort());
  });
});
