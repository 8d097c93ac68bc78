// Shutdowns of this machine, as systemd's login manager announces them: it waits, as long as its configuration lets it, until whoever
// asked for a delay lets go. Spoken to through `busctl` and `systemd-inhibit`, which come with it.
// https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { type Clock, type Log, sleep } from '../base/index.ts';
import type { Exec } from './exec.ts';

export interface ShutdownDelayOptions {
  /** How long a shutdown is to be held back at most. */
  readonly seconds: number;
  /** A shutdown begins, and is held back until this resolves. */
  begun(): Promise<void>;
  /** It does not happen after all. */
  calledOff(): void;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the login manager reads its configuration. */
  readonly configDir?: string | undefined;
}

const commandTimeoutMs = 10_000;
const retryMs = 5_000;
const looks = 5;
const lookMs = 500;
const manager = ['org.freedesktop.login1', '/org/freedesktop/login1', 'org.freedesktop.login1.Manager'];
const announcement = "type='signal',interface='org.freedesktop.login1.Manager',member='PrepareForShutdown'";

/** What a line of `busctl monitor --json=short` says: a shutdown begins, or is called off; undefined = something else. Pure. */
export function parseAnnouncement(line: string): boolean | undefined {
  try {
    const { member, payload } = JSON.parse(line) as { member?: string; payload?: { data?: unknown[] } };
    const [begins] = payload?.data ?? [];
    return member === 'PrepareForShutdown' && typeof begins === 'boolean' ? begins : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Holds shutdowns of this machine back until `signal` aborts. Rejects when there is no login manager: the machine is then shut down
 * without a word.
 */
export async function delayShutdowns(options: ShutdownDelayOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  await allowDelay(options);
  while (!signal.aborted) {
    await follow(options, signal);
    if (signal.aborted) return;
    log.warn('shutdowns of this machine are not announced any more, trying again');
    await sleep(clock, retryMs, signal).catch(() => {});
  }
}

/** The most that the login manager waits for anybody. */
async function longestDelay({ exec }: ShutdownDelayOptions): Promise<number> {
  const { stdout } = await exec.run(['busctl', 'get-property', ...manager, 'InhibitDelayMaxUSec'], {
    timeoutMs: commandTimeoutMs,
  });
  // `t 5000000`
  return Number(stdout.trim().split(' ')[1]) / 1_000_000;
}

async function allowDelay(options: ShutdownDelayOptions): Promise<void> {
  const { seconds, exec, clock, log } = options;
  let most = await longestDelay(options);
  if (most >= seconds) return;
  const dir = options.configDir ?? '/etc/systemd/logind.conf.d';
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(
    path.join(dir, '99-jotasu.conf'),
    `# Pods are given time to end before the machine does.\n[Login]\nInhibitDelayMaxSec=${seconds}\n`,
  );
  await exec.run(['systemctl', 'kill', '--signal=HUP', 'systemd-logind.service'], {
    timeoutMs: commandTimeoutMs,
    mayFail: true,
  });
  for (let i = 0; i < looks && most < seconds; i++) {
    await sleep(clock, lookMs);
    most = await longestDelay(options);
  }
  if (most < seconds)
    log.warn('the login manager waits for less than --shutdown-grace-period', { seconds: most });
}

/** Until the announcements end. */
async function follow(options: ShutdownDelayOptions, signal: AbortSignal): Promise<void> {
  const { log, begun, calledOff } = options;
  // Before the lock is taken: what is announced between the two would be waited for in vain.
  const monitor = spawn('busctl', ['monitor', '--json=short', `--match=${announcement}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  monitor.once('error', (error) => log.warn('cannot follow shutdowns of this machine', { error }));
  let lock = takeLock(log);
  const end = () => monitor.kill();
  signal.addEventListener('abort', end, { once: true });
  try {
    for await (const line of createInterface({ input: monitor.stdout })) {
      const begins = parseAnnouncement(line);
      if (begins === true) {
        const held = lock;
        void begun()
          .catch((error: unknown) => log.error('pods could not be ended before the machine', { error }))
          .finally(() => held.release());
      } else if (begins === false) {
        calledOff();
        lock.release();
        lock = takeLock(log);
      }
    }
  } catch (error) {
    log.warn('cannot follow shutdowns of this machine', { error });
  } finally {
    signal.removeEventListener('abort', end);
    lock.release();
  }
}

/** Held for as long as a program runs that ends with its standard input, and so with this process too. */
function takeLock(log: Log): { release(): void } {
  const words = ['--what=shutdown', '--mode=delay', '--who=jotasu', '--why=Pods are given time to end'];
  const holder = spawn('systemd-inhibit', [...words, 'cat'], { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  holder.stderr.on('data', (data: Buffer) => (said += data.toString()));
  holder.stdin.on('error', () => {});
  holder.once('error', (error) => log.warn('cannot hold back shutdowns of this machine', { error }));
  holder.once('exit', (code) => {
    if (code !== 0 && code !== null)
      log.warn('cannot hold back shutdowns of this machine', { why: said.trim() });
  });
  return { release: () => void holder.stdin.end() };
}
