// What keeps a server or an agent running: a loop around it that starts it again when it fails, in the same session, cgroups and
// namespaces. The choice: a shell and not this program, since that costs a megabyte and no time, and a bug of ours cannot end it.
import { readFileSync } from 'node:fs';

/**
 * The shell becomes the supervisor. SIGTERM and SIGPWR are passed on and waited for; a child that ends with 0 was told to, and ends it too. The
 * child is told when its supervisor is gone, so that never one of them runs without the other. What happened is in the file $1.
 */
const script = `runs=$1
shift
: >"$runs" || exit 1
child=
told=
pass() { told=$1; [ -z "$child" ] || kill -"$1" "$child" 2>/dev/null; }
trap 'pass TERM' TERM INT HUP
trap 'pass PWR' PWR
delays='0.1 0.2 0.5 1 2 5 10'
left=$delays
while :; do
  read -r began _ </proc/uptime
  setpriv --pdeathsig TERM -- "$@" &
  child=$!
  [ -z "$told" ] || kill -"$told" "$child"
  echo "started $child" >>"$runs"
  # A signal interrupts the wait; only a child that is gone ends it.
  while :; do
    wait "$child"
    code=$?
    kill -0 "$child" 2>/dev/null || break
  done
  child=
  echo "ended $code" >>"$runs"
  if [ "$code" = 0 ] || [ -n "$told" ]; then exit "$code"; fi
  read -r now _ </proc/uptime
  if [ $((\${now%.*} - \${began%.*})) -ge 10 ]; then left=$delays; fi
  delay=\${left%% *}
  case $left in *' '*) left=\${left#* } ;; esac
  # Killed by somebody: it has not failed, and need not wait for long.
  if [ "$code" = 137 ] && [ \${delay%.*} != 0 ]; then delay=0.5; fi
  echo "jotasu: it ended with code $code and is started again in $delay s" >&2
  sleep "$delay" &
  child=$!
  wait "$child"
  child=
  [ -z "$told" ] || exit 0
done`;

/** The command that runs `argv` under supervision. `runsFile` is emptied, and tells what happens from then on. */
export function planSupervised(argv: readonly string[], runsFile: string): string[] {
  return ['sh', '-c', script, 'jotasu-supervisor', runsFile, ...argv];
}

export interface Runs {
  /** Of the one that was started last, unless it has ended. */
  readonly pid: number | undefined;
  /** How many ended by themselves: not by SIGKILL or SIGTERM, which is somebody's doing. */
  readonly failures: number;
  /** How many were started after the first, for whatever reason. */
  readonly restarts: number;
}

/** Pure: what a supervisor has written. */
export function parseRuns(text: string): Runs {
  let pid: number | undefined;
  let failures = 0;
  let starts = 0;
  for (const line of text.split('\n')) {
    const [word, number] = line.split(' ');
    if (word === 'started') {
      pid = Number(number);
      starts++;
    }
    if (word !== 'ended') continue;
    pid = undefined;
    if (!['0', '137', '143'].includes(number!)) failures++;
  }
  return { pid, failures, restarts: Math.max(0, starts - 1) };
}

export function readRuns(runsFile: string): Runs {
  try {
    return parseRuns(readFileSync(runsFile, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return parseRuns('');
    throw error;
  }
}
