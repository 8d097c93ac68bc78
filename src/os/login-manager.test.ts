import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock, silentLog, systemClock } from '../base/index.ts';
import { systemExec } from './exec.ts';
import { FakeExec } from './fake-exec.ts';
import { delayShutdowns, parseAnnouncement } from './login-manager.ts';

describe('parseAnnouncement', () => {
  const line = (member: string, data: unknown[]) =>
    JSON.stringify({ type: 'signal', member, payload: { type: 'b', data } });

  test.each([
    ['a shutdown begins', line('PrepareForShutdown', [true]), true],
    ['it is called off', line('PrepareForShutdown', [false]), false],
    ['another signal', line('PrepareForSleep', [true]), undefined],
    ['no value', line('PrepareForShutdown', []), undefined],
    ['no JSON', 'Monitoring bus message stream.', undefined],
    ['nothing', '', undefined],
  ])('%s', (_, text, expected) => {
    expect(parseAnnouncement(text)).toBe(expected);
  });
});

describe('delayShutdowns', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'jotasu-login-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** Programs that play systemd's: what is appended to `bus` is announced, and `locks` tells how many are held. */
  function program(name: string, text: string): void {
    const file = join(directory, name);
    writeFileSync(file, `#!/bin/sh\ncd "${directory}"\n${text}\n`);
    chmodSync(file, 0o755);
  }
  const read = (name: string) => readFileSync(join(directory, name), 'utf8');

  test('holds a shutdown back until pods have ended, and the next one again', async () => {
    writeFileSync(join(directory, 'bus'), '');
    writeFileSync(join(directory, 'locks'), '');
    program('busctl', 'case $1 in get-property) echo "t 30000000";; monitor) exec tail -n +1 -f bus;; esac');
    program(
      'systemd-inhibit',
      'echo taken >>locks; while [ "$1" != cat ]; do shift; done; cat; echo released >>locks',
    );
    const announce = (begins: boolean) =>
      writeFileSync(
        join(directory, 'bus'),
        `${JSON.stringify({ member: 'PrepareForShutdown', payload: { data: [begins] } })}\n`,
        { flag: 'a' },
      );
    const ending = new AbortController();
    let ended!: () => void;
    const seen: string[] = [];
    const path = process.env['PATH'];
    process.env['PATH'] = `${directory}:${path}`;
    try {
      const following = delayShutdowns(
        {
          seconds: 30,
          begun: () => {
            seen.push('begun');
            return new Promise<void>((resolve) => (ended = resolve));
          },
          calledOff: () => void seen.push('called off'),
          exec: systemExec,
          clock: systemClock,
          log: silentLog,
          configDir: join(directory, 'logind.conf.d'),
        },
        ending.signal,
      );
      const limit = { timeout: 60_000 };
      await expect.poll(() => read('locks'), limit).toBe('taken\n');
      announce(true);
      await expect.poll(() => seen.join(), limit).toBe('begun');
      expect(read('locks')).toBe('taken\n');
      ended();
      await expect.poll(() => read('locks'), limit).toBe('taken\nreleased\n');
      announce(false);
      await expect.poll(() => seen.join(), limit).toBe('begun,called off');
      await expect.poll(() => read('locks'), limit).toBe('taken\nreleased\ntaken\n');
      ending.abort();
      await following;
      await expect.poll(() => read('locks'), limit).toBe('taken\nreleased\ntaken\nreleased\n');
    } finally {
      process.env['PATH'] = path;
      ending.abort();
    }
  });

  test('asks for a longer delay where the machine gives less', async () => {
    const clock = new FakeClock();
    let reloaded = false;
    const exec = new FakeExec()
      .answer(/get-property/, () => ({ stdout: reloaded ? 't 45000000\n' : 't 5000000\n' }))
      .answer(/systemctl kill/, () => {
        reloaded = true;
        return {};
      });
    const ending = new AbortController();
    ending.abort();
    const asking = delayShutdowns(
      {
        seconds: 45,
        begun: async () => {},
        calledOff: () => {},
        exec,
        clock,
        log: silentLog,
        configDir: directory,
      },
      ending.signal,
    );
    while (!reloaded) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(500);
    await asking;
    expect(read('99-jotasu.conf')).toContain('[Login]\nInhibitDelayMaxSec=45\n');
    expect(exec.ran.filter((line) => line.includes('get-property'))).toHaveLength(2);
  });

  test('says so where there is no login manager', async () => {
    const exec = new FakeExec().answer(/busctl/, { code: 1, stderr: 'no such name' });
    const asking = delayShutdowns(
      { seconds: 1, begun: async () => {}, calledOff: () => {}, exec, clock: systemClock, log: silentLog },
      new AbortController().signal,
    );
    await expect(asking).rejects.toThrow('no such name');
  });
});
