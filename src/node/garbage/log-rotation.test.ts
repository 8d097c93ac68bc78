import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock, silentLog } from '../../base/index.ts';
import { FakeRuntime, RuntimeError } from '../../os/index.ts';
import { LogRotator, planRotation, removeContainerLogs, rotationStamp } from './log-rotation.ts';

describe('planRotation', () => {
  const cases: [what: string, names: string[], maxFiles: number, remove: string[], compress: string[]][] = [
    ['nothing yet', [], 5, [], []],
    ['the one of last time is compressed', ['0.log.1'], 5, [], ['0.log.1']],
    [
      'the oldest goes first, room is kept for two',
      ['0.log.4', '0.log.2.gz', '0.log.1.gz', '0.log.3.gz'],
      5,
      ['0.log.1.gz'],
      ['0.log.4'],
    ],
    ['two files: nothing old is kept', ['0.log.1'], 2, ['0.log.1'], []],
    [
      'what an interrupted run left',
      ['0.log.1', '0.log.1.gz', '0.log.2', '0.log.2.tmp'],
      5,
      ['0.log.1', '0.log.2.tmp'],
      ['0.log.2'],
    ],
  ];
  it.each(cases)('%s', (_, names, maxFiles, remove, compress) => {
    expect(planRotation(names, maxFiles)).toEqual({ remove, compress });
  });

  it('keeps the newest, at most two less than allowed, and compresses what it keeps', () => {
    const name = fc
      .tuple(fc.integer({ min: 10, max: 40 }), fc.constantFrom('', '.gz', '.tmp'))
      .map(([n, end]) => `0.log.${n}${end}`);
    fc.assert(
      fc.property(fc.uniqueArray(name), fc.integer({ min: 2, max: 9 }), (names, maxFiles) => {
        const { remove, compress } = planRotation(names, maxFiles);
        const left = names.filter((n) => !remove.includes(n));
        expect(left.length).toBeLessThanOrEqual(maxFiles - 2);
        expect(compress).toEqual(left.filter((n) => !n.endsWith('.gz')).sort());
        const stems = (list: readonly string[]) => list.map((n) => n.slice(0, 8));
        const complete = remove.filter((n) => !n.endsWith('.tmp') && !names.includes(`${n}.gz`));
        for (const gone of stems(complete)) for (const kept of stems(left)) expect(gone <= kept).toBe(true);
      }),
    );
  });
});

describe('LogRotator', () => {
  const dirs: string[] = [];
  afterEach(() => {
    for (const dir of dirs.splice(0)) fs.rmSync(dir, { recursive: true });
  });

  async function world() {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-rotation-'));
    dirs.push(dir);
    const file = path.join(dir, '0.log');
    const clock = new FakeClock();
    const runtime = new FakeRuntime({ clock, images: ['a:1'] });
    let reopened = 0;
    runtime.reopenContainerLog = async () => {
      reopened++;
      fs.writeFileSync(file, '');
    };
    const rotator = new LogRotator({
      runtime,
      clock,
      log: silentLog,
      policy: { maxBytes: 10, maxFiles: 3 },
      running: () => [{ id: 'c', logPath: file }],
    });
    return { dir, file, clock, runtime, rotator, reopened: () => reopened };
  }

  it('leaves small files alone, rotates and compresses large ones, and keeps as many as allowed', async () => {
    const { dir, file, clock, rotator, reopened } = await world();
    fs.writeFileSync(file, 'short');
    await rotator.rotateAll();
    expect([fs.readdirSync(dir), reopened()]).toEqual([['0.log'], 0]);
    const stamps: string[] = [];
    for (const round of ['one', 'two', 'three']) {
      fs.writeFileSync(file, `${round} and more`);
      stamps.push(rotationStamp(clock.nowMs()));
      await rotator.rotateAll();
      await clock.advance(10_000);
    }
    expect(fs.readdirSync(dir).sort()).toEqual(['0.log', `0.log.${stamps[1]}.gz`, `0.log.${stamps[2]}`]);
    expect(gunzipSync(fs.readFileSync(path.join(dir, `0.log.${stamps[1]}.gz`))).toString()).toBe(
      'two and more',
    );
    expect(reopened()).toBe(3);
    await removeContainerLogs(file);
    expect(fs.readdirSync(dir)).toEqual([]);
  });

  it('puts the file back when the runtime does not follow, and asks for a new one when there is none', async () => {
    const { dir, file, runtime, rotator } = await world();
    const obeys = runtime.reopenContainerLog;
    runtime.reopenContainerLog = async () => {
      throw new RuntimeError('unavailable', 'no');
    };
    fs.writeFileSync(file, 'long enough to go');
    await rotator.rotateAll();
    expect(fs.readdirSync(dir)).toEqual(['0.log']);
    expect(fs.readFileSync(file, 'utf8')).toBe('long enough to go');
    fs.rmSync(file);
    runtime.reopenContainerLog = obeys;
    await rotator.rotateAll();
    expect(fs.readFileSync(file, 'utf8')).toBe('');
  });
});
