// The supervisor as a real shell with small real children: when it starts again, when it ends, what it writes down.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseRuns, planSupervised, readRuns } from './supervisor.ts';

const directory = mkdtempSync(join(tmpdir(), 'jotasu-supervisor-'));
afterAll(() => rmSync(directory, { recursive: true }));

test.each([
  ['', { pid: undefined, failures: 0, restarts: 0 }],
  ['started 7\n', { pid: 7, failures: 0, restarts: 0 }],
  ['started 7\nended 1\n', { pid: undefined, failures: 1, restarts: 0 }],
  ['started 7\nended 137\nstarted 8\nended 143\nstarted 9\n', { pid: 9, failures: 0, restarts: 2 }],
  ['started 7\nended 139\nstarted 8\n', { pid: 8, failures: 1, restarts: 1 }],
])('%j', (text, runs) => {
  expect(parseRuns(text)).toEqual(runs);
});

test('no file yet', () => {
  expect(readRuns(join(directory, 'none'))).toEqual({ pid: undefined, failures: 0, restarts: 0 });
});

describe.skipIf(process.platform !== 'linux')('a supervisor', () => {
  let number = 0;
  function start(script: string) {
    const runs = join(directory, `${number++}.runs`);
    writeFileSync(runs, 'ended 1\n');
    const [command, ...args] = planSupervised(['sh', '-c', script, 'child', directory], runs);
    const child = spawn(command!, args, { stdio: 'ignore' });
    return {
      child,
      ended: once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string),
      now: () => readRuns(runs),
      words: () => readFileSync(runs, 'utf8').replace(/started \d+/g, 'started'),
    };
  }

  test('starts a child that failed again, and ends with one that was told to end', async () => {
    const { ended, words } = start('if mkdir "$1/first"; then exit 3; fi; exit 0');
    expect(await ended).toBe(0);
    expect(words()).toBe('started\nended 3\nstarted\nended 0\n');
  });

  test('starts a killed child again, passes SIGTERM on and waits for the end', async () => {
    const { child, ended, now, words } = start(
      'trap "sleep 0.2; exit 0" TERM; echo $$ >"$1/trapping"; while :; do sleep 0.05; done',
    );
    const trapping = () => readFileSync(join(directory, 'trapping'), 'utf8');
    await expect.poll(() => now().pid).toBeDefined();
    const first = now().pid!;
    process.kill(first, 'SIGKILL');
    await expect.poll(() => now().pid).not.toBe(first);
    await expect.poll(() => now().pid).toBeDefined();
    await expect.poll(trapping).toBe(`${now().pid}\n`);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(words()).toBe('started\nended 137\nstarted\nended 0\n');
  });

  test('passes on that the power goes, which is another end', async () => {
    const { child, ended, now, words } = start(
      'trap "echo power >>\\"$1/heard\\"; exit 0" PWR; echo $$ >"$1/trapping"; while :; do sleep 0.05; done',
    );
    await expect.poll(() => now().pid).toBeDefined();
    await expect
      .poll(
        () => existsSync(join(directory, 'trapping')) && readFileSync(join(directory, 'trapping'), 'utf8'),
      )
      .toBe(`${now().pid}\n`);
    child.kill('SIGPWR');
    expect(await ended).toBe(0);
    expect(readFileSync(join(directory, 'heard'), 'utf8')).toBe('power\n');
    expect(words()).toBe('started\nended 0\n');
  });

  test('is told to end while it waits to start again', async () => {
    const { child, ended, words } = start('exit 5');
    await expect.poll(() => words().match(/ended/g)?.length ?? 0).toBeGreaterThanOrEqual(3);
    child.kill('SIGTERM');
    expect([0, 5, 143]).toContain(await ended);
  });

  test('does not leave its child behind when it is killed', async () => {
    const { child, ended, now } = start('exec sleep 1000');
    await expect.poll(() => now().pid).toBeDefined();
    const pid = now().pid!;
    await expect.poll(() => readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe('sleep\n');
    child.kill('SIGKILL');
    await ended;
    await expect.poll(() => isThere(pid)).toBe(false);
  });
});

function isThere(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
