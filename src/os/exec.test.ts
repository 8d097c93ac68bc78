import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CommandError, commandLine, type Exec, shellQuote, systemExec } from './exec.ts';
import { FakeExec } from './fake-exec.ts';

describe('shellQuote', () => {
  test.each([
    ['plain-1.2/x:y,z=%@+', 'plain-1.2/x:y,z=%@+'],
    ['', "''"],
    ['a b', "'a b'"],
    ["it's", "'it'\\''s'"],
    ['$HOME;*', "'$HOME;*'"],
  ])('%j', (word, quoted) => {
    expect(shellQuote(word)).toBe(quoted);
  });

  test('a shell reads back what was quoted', () => {
    const word = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), (words) => {
        const printed = execFileSync('sh', ['-c', commandLine(['printf', '%s\\0', ...words])]).toString();
        expect(printed).toBe(words.length === 0 ? '\0' : words.map((one) => `${one}\0`).join(''));
      }),
      { numRuns: 20 },
    );
  });
});

/** What both the machine and the fake promise. */
function contract(exec: Exec): void {
  test('a code other than 0 rejects, naming command, code and what was said', async () => {
    const failing = exec.run(['sh', '-c', 'echo out; echo oh no >&2; exit 3']);
    await expect(failing).rejects.toThrow(CommandError);
    await expect(failing).rejects.toMatchObject({
      code: 'failed',
      exitCode: 3,
      stderr: 'oh no\n',
      message: "sh -c 'echo out; echo oh no >&2; exit 3': exit code 3: oh no",
    });
  });

  test('unless it may', async () => {
    const ended = await exec.run(['sh', '-c', 'echo out; echo oh no >&2; exit 3'], { mayFail: true });
    expect(ended).toEqual({ code: 3, stdout: 'out\n', stderr: 'oh no\n' });
  });
}

describe('the fake', () => {
  contract(new FakeExec().answer(/exit 3/, { code: 3, stdout: 'out\n', stderr: 'oh no\n' }));

  test('remembers what was asked', async () => {
    const exec = new FakeExec().answer(/^ls/, { stdout: 'a' }).answer(/^ls x/, (line) => ({ stdout: line }));
    expect((await exec.run(['ls'])).stdout).toBe('a');
    expect((await exec.run(['ls', 'x'])).stdout).toBe('ls x');
    await exec.run(['nft', '-f', '-'], { input: 'flush ruleset' });
    await exec.spawnDetached(['sleep', '1'], { logFile: '/log' });
    expect(exec.ran).toEqual(['ls', 'ls x', 'nft -f -\n< flush ruleset', 'sleep 1 >> /log &']);
  });
});

describe('the machine', () => {
  contract(systemExec);
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'jotasu-exec-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('input, as text and from a file; a variable; a directory', async () => {
    const file = join(directory, 'input');
    writeFileSync(file, 'from a file');
    expect((await systemExec.run(['cat'], { input: 'text' })).stdout).toBe('text');
    expect((await systemExec.run(['cat'], { inputFile: file })).stdout).toBe('from a file');
    const shown = await systemExec.run(['sh', '-c', 'echo "$A"; pwd'], { env: { A: 'a b' }, cwd: directory });
    expect(shown.stdout).toBe(`a b\n${directory}\n`);
  });

  test('input that nobody reads is no failure', async () => {
    await systemExec.run(['true'], { input: 'x'.repeat(1_000_000) });
  });

  test('a command that is not there', async () => {
    await expect(systemExec.run(['jotasu-no-such-command'])).rejects.toMatchObject({
      code: 'missing',
      message: 'jotasu-no-such-command: there is no such command',
    });
    const logFile = join(directory, 'missing.log');
    await expect(systemExec.spawnDetached(['jotasu-no-such-command'], { logFile })).rejects.toMatchObject({
      code: 'missing',
    });
  });

  test('a time limit, a signal of its own, an abort', async () => {
    await expect(systemExec.run(['sleep', '60'], { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'timeout',
    });
    await expect(systemExec.run(['sh', '-c', 'kill -9 $$'])).rejects.toMatchObject({ code: 'killed' });
    const abort = new AbortController();
    const running = systemExec.run(['sleep', '60'], { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  });

  test('a detached process writes to its log, and its end can be seen', async () => {
    const logFile = join(directory, 'log');
    writeFileSync(logFile, 'before\n');
    const { ended } = await systemExec.spawnDetached(['sh', '-c', 'echo out; echo err >&2; exit 5'], {
      logFile,
    });
    expect(await ended).toEqual({ code: 5, signal: null });
    expect(readFileSync(logFile, 'utf8')).toBe('before\nout\nerr\n');
  });
});
