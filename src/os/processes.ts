// Processes remembered over time. The choice: a process is its number, its start time and the boot it was started in, because
// numbers are used again; what does not match all three is a stranger and is never signalled.
import { readFileSync } from 'node:fs';
import { type Clock, sleep } from '../base/index.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from the boot to its start: field 22 of /proc/PID/stat. */
  readonly startTicks: number;
  readonly bootId: string;
}

export interface ProcessStat {
  readonly pid: number;
  /** The program's name, at most 15 letters. */
  readonly comm: string;
  /** R, S, D, T, Z … as in proc(5) */
  readonly state: string;
  readonly parent: number;
  readonly startTicks: number;
}

/** Reads one line of /proc/PID/stat. The name may hold blanks and brackets; the last bracket ends it. */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text.slice(close + 2).split(' ');
  const pid = Number.parseInt(text, 10);
  const startTicks = Number(fields[19]);
  if (!Number.isInteger(pid) || !Number.isInteger(startTicks)) return undefined;
  return { pid, comm: text.slice(open + 1, close), state: fields[0]!, parent: Number(fields[1]), startTicks };
}

export function readStat(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

/** Who has this number now; undefined when nobody has, or only its remains (a zombie). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
  return { pid, startTicks: stat.startTicks, bootId: readBootId() };
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identifyProcess(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** Signals it if it is still the one that was meant. Says whether it was. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

const pollMs = 10;

/** Resolves to true when it has ended, to false when it lives on after `timeoutMs`. */
export async function waitUntilGone(
  identity: ProcessIdentity,
  timeoutMs: number,
  clock: Clock,
): Promise<boolean> {
  const deadline = clock.monotonicMs() + timeoutMs;
  while (isAlive(identity)) {
    if (clock.monotonicMs() >= deadline) return false;
    await sleep(clock, pollMs);
  }
  return true;
}

/** Asks it to end, and after `graceMs` makes it. Resolves when it is gone; rejects if the kernel holds it (state D). */
export async function stopProcess(identity: ProcessIdentity, graceMs: number, clock: Clock): Promise<void> {
  if (graceMs > 0 && signalProcess(identity, 'SIGTERM') && (await waitUntilGone(identity, graceMs, clock)))
    return;
  signalProcess(identity, 'SIGKILL');
  if (!(await waitUntilGone(identity, 10_000, clock)))
    throw new Error(`process ${identity.pid} does not end, not even by SIGKILL`);
}
