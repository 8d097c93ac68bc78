// A process for the lmdb tests to kill or to starve. `writer.ts DIR` writes for ever from 16 places and prints `key revision` for
// each acknowledged write. `writer.ts DIR until-full` writes under a file size limit, lifts it, and prints what it saw.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createLog, sleep, systemClock } from '../../base/index.ts';
import { type Backend, BackendUnavailable } from '../backend.ts';
import { openLmdbBackend } from '../lmdb.ts';

const [directory, mode] = process.argv.slice(2) as [string, string | undefined];
const log = createLog({ level: 'info', write: (line) => process.stderr.write(line), nowMs: Date.now });
const backend = await openLmdbBackend(directory, { clock: systemClock, log });

function valueFor(key: string, turn: number): Buffer {
  return Buffer.from(`${key};`.repeat(1 + ((turn * 37) % 400)));
}

async function writeForEver(from: Backend, lane: number, known: ReadonlyMap<string, number>): Promise<void> {
  const revisions = new Map(known);
  for (let turn = 0; ; turn++) {
    const key = `/core/pods/lane-${lane}/${turn % 50}`;
    const result = await from.write({
      key,
      value: valueFor(key, turn),
      expect: revisions.get(key) ?? 0,
      ttlSeconds: 0,
    });
    if (!result.ok) throw new Error(`nobody else writes ${key}`);
    revisions.set(key, result.revision);
    await tell(`${key} ${result.revision}\n`);
  }
}

/** Synchronous, so that nothing acknowledged is lost in a buffer of this process. A reader that is behind is waited for. */
async function tell(line: string): Promise<void> {
  for (let rest = Buffer.from(line); rest.length > 0; ) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      await sleep(systemClock, 1);
    }
  }
}

function limitFileSize(bytes: number | 'unlimited'): void {
  execFileSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:unlimited`]);
}

async function writeUntilFull(): Promise<object> {
  let unhandled = 0;
  process.on('unhandledRejection', () => unhandled++);
  process.on('SIGXFSZ', () => {});
  const value = Buffer.alloc(20_000, 'x');
  const write = (key: string) => backend.write({ key, value, expect: 0, ttlSeconds: 0 });
  const revisions = new Set<number>();
  let last = 0;
  await write('/a/b/first');
  limitFileSize(fs.statSync(path.join(directory, 'data.mdb')).size + 1_000_000);
  let refusal: Error | undefined;
  for (let i = 0; refusal === undefined; i++) {
    const results = await Promise.allSettled([0, 1, 2].map((j) => write(`/a/b/${i}-${j}`)));
    for (const result of results) {
      if (result.status === 'rejected') refusal = result.reason as Error;
      else if (result.value.ok) revisions.add((last = result.value.revision));
    }
  }
  const refusedWhileFull = await write('/a/b/now').then(
    () => false,
    () => true,
  );
  limitFileSize('unlimited');
  let again: number | undefined;
  while (again === undefined) {
    await sleep(systemClock, 50);
    await write('/a/b/again').then(
      (result) => (again = result.ok ? result.revision : Number.NaN),
      () => {},
    );
  }
  let count = 0;
  await backend.load((record) => {
    if (record.value.equals(value)) count++;
  });
  const unavailable = refusal instanceof BackendUnavailable ? refusal : undefined;
  await backend.close();
  return {
    refusal: unavailable?.name ?? String(refusal),
    retryable: unavailable?.retryable,
    refusedWhileFull,
    kept: count === revisions.size + 2,
    writesAgain: again > last,
    reused: revisions.has(again),
    unhandled,
  };
}

if (mode === 'until-full') {
  const report = await writeUntilFull();
  fs.writeSync(1, `${JSON.stringify(report)}\n`);
} else {
  const known = new Map<string, number>();
  await backend.load((record) => void known.set(record.key, record.revision));
  for (let lane = 0; lane < 16; lane++) void writeForEver(backend, lane, known);
}
