import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, test } from 'vitest';
import { FakeClock, seededRandom, silentLog } from '../base/index.ts';
import type { Backend, BackendOptions, StoredRecord } from './backend.ts';
import { backendContract } from './contract.ts';
import { DirectoryInUse } from './directory-lock.ts';

import { openLmdbBackend } from './lmdb.ts';
import { storeContract } from './store-contract.ts';

const base = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-lmdb-'));
let places = 0;
const newDirectory = () => path.join(base, String(places++));
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  fs.rmSync(base, { recursive: true });
});

backendContract('lmdb', {
  make() {
    const directory = newDirectory();
    return { open: (options: BackendOptions) => openLmdbBackend(directory, options), survives: true };
  },
});
storeContract('lmdb', (options) => openLmdbBackend(newDirectory(), options));

const options = { clock: new FakeClock(), log: silentLog };

async function load(backend: Backend) {
  const records = new Map<string, StoredRecord>();
  const { revision } = await backend.load((record) => void records.set(record.key, record));
  return { revision, records };
}

/** A process that writes without pause and prints what was acknowledged. */
function startWriter(directory: string, ...args: string[]) {
  const script = path.join(import.meta.dirname, 'testdata', 'writer.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.add(child);
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return { child, ended, lines: createInterface(child.stdout), stderr: () => stderr };
}

describe('lmdb: the data directory', () => {
  test('is for one at a time, and only its owner can read it', async () => {
    const directory = newDirectory();
    const backend = await openLmdbBackend(directory, options);
    await expect(openLmdbBackend(directory, options)).rejects.toThrow(DirectoryInUse);
    await expect(openLmdbBackend(directory, options)).rejects.toThrow(`in use by process ${process.pid}`);
    expect(
      await backend.write({ key: '/a', value: Buffer.from('v'), expect: 0, ttlSeconds: 0 }),
    ).toMatchObject({
      ok: true,
    });
    const mode = (name: string) => fs.statSync(path.join(directory, name)).mode & 0o777;
    expect([mode('.'), mode('data.mdb'), mode('lock.mdb')]).toEqual([0o700, 0o600, 0o600]);
    await backend.close();
    const again = await openLmdbBackend(directory, options);
    await again.close();
    expect(fs.readdirSync(directory).sort()).toEqual(['data.mdb', 'lock.mdb']);
  });

  test('may lie deep', async () => {
    const directory = path.join(newDirectory(), 'd'.repeat(100), 'e'.repeat(100));
    const backend = await openLmdbBackend(directory, options);
    await expect(openLmdbBackend(directory, options)).rejects.toThrow(DirectoryInUse);
    await backend.close();
  });

  test('of several that start at once exactly one gets it, also after a crash', async () => {
    const directory = newDirectory();
    const { child, ended, lines } = startWriter(directory);
    await new Promise((resolve) => lines.once('line', resolve));
    child.kill('SIGKILL');
    await ended;
    const opened = await Promise.allSettled([1, 2, 3].map(() => openLmdbBackend(directory, options)));
    expect(opened.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
    for (const r of opened) if (r.status === 'fulfilled') await r.value.close();
  });
});

describe('lmdb: crashes', () => {
  test('killed under load, again and again: what was acknowledged is there, whole, and no revision comes twice', async () => {
    const directory = newDirectory();
    const random = seededRandom(7);
    /** revision → key: every acknowledgement of every life. */
    const acknowledged = new Map<number, string>();
    const latest = new Map<string, number>();
    let highest = 0;
    for (let life = 0; life < 4; life++) {
      const { child, ended, lines, stderr } = startWriter(directory);
      let seen = 0;
      const killAfter = 200 + Math.floor(random.next() * 2000);
      lines.on('line', (line) => {
        const [key, revisionText] = line.split(' ') as [string, string];
        const revision = Number(revisionText);
        expect(acknowledged.has(revision)).toBe(false);
        acknowledged.set(revision, key);
        latest.set(key, Math.max(latest.get(key) ?? 0, revision));
        if (++seen === killAfter) child.kill('SIGKILL');
      });
      await ended;
      expect(seen, stderr()).toBeGreaterThanOrEqual(killAfter);

      const backend = await openLmdbBackend(directory, options);
      const { revision, records } = await load(backend);
      expect(revision).toBeGreaterThanOrEqual(Math.max(highest, ...acknowledged.keys()));
      for (const [key, at] of latest) expect(records.get(key)?.revision).toBeGreaterThanOrEqual(at);
      for (const { key, value, revision: at } of records.values()) {
        expect(at).toBeLessThanOrEqual(revision);
        // The writer repeats its key: a value cut short or mixed would show.
        const unit = `${key};`;
        expect(value.toString()).toBe(unit.repeat(value.length / unit.length));
      }
      highest = revision;
      const next = await backend.write({
        key: `/life/${life}`,
        value: Buffer.from('/life;'),
        expect: 0,
        ttlSeconds: 0,
      });
      expect(next).toEqual({ ok: true, revision: revision + 1 });
      acknowledged.set(revision + 1, `/life/${life}`);
      await backend.write({ key: `/life/${life}`, value: undefined, expect: revision + 1, ttlSeconds: 0 });
      acknowledged.set(revision + 2, `/life/${life}`);
      await backend.close();
    }
  });

  test('a full disk refuses writes, keeps what is there, and takes writes again when there is room', async () => {
    const writer = startWriter(newDirectory(), 'until-full');
    const report = await new Promise<string>((resolve) => writer.lines.once('line', resolve));
    await writer.ended;
    expect(JSON.parse(report), writer.stderr()).toEqual({
      refusal: 'BackendUnavailable',
      retryable: true,
      refusedWhileFull: true,
      kept: true,
      writesAgain: true,
      reused: false,
      unhandled: 0,
    });
  });
});
