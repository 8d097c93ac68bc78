// What a process takes while nothing is asked of it: `node --import tsx bench/idle.ts PID [SECONDS]`. For an agent, PID is that of
// `jotasu status`, some time after its pods have become ready.
import { readFileSync } from 'node:fs';

const [pid, seconds = '30'] = process.argv.slice(2);
if (pid === undefined) {
  console.error('usage: node --import tsx bench/idle.ts PID [SECONDS]');
  process.exit(2);
}
const ticksPerSecond = 100;

/** User and system time: fields 14 and 15 of /proc/PID/stat. */
function readTicks(): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

const readKb = (file: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'latin1'))?.[1]);

const ticks = readTicks();
const beganMs = performance.now();
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
const cpuSeconds = (readTicks() - ticks) / ticksPerSecond;
const wallSeconds = (performance.now() - beganMs) / 1000;
const megabytes = (kb: number) => `${((kb * 1024) / 1e6).toFixed(1)} MB`;
console.log(
  `${megabytes(readKb('status', 'VmRSS'))} resident, ${megabytes(readKb('smaps_rollup', 'Private_Dirty'))} of it private, ${((100 * cpuSeconds) / wallSeconds).toFixed(2)} % of a core`,
);
