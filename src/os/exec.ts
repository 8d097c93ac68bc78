// Runs the machine's programs. The choice: arguments are always a list, never a line for a shell, and a failure says which
// command failed and what it printed, so that a person can repeat it by hand.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

export interface RunOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string | Buffer | undefined;
  /** A file that becomes standard input; instead of `input`. */
  readonly inputFile?: string | undefined;
  /** After this long it is killed (SIGKILL) and the call rejects. undefined = no limit */
  readonly timeoutMs?: number | undefined;
  /** Added to this process's own environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  /** Aborting kills the command; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Resolves on a code other than 0 too. */
  readonly mayFail?: boolean | undefined;
}

export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DetachedOptions {
  /** Standard output and error are appended to it. Created readable by its owner alone. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
}

export interface DetachedProcess {
  readonly pid: number;
  /** Resolves if it ends while this process still lives; waiting for it keeps nothing alive. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

/** The seam to the machine's programs. The real one is `systemExec`, the fake `FakeExec`. */
export interface Exec {
  /** Rejects with a CommandError when the command is not there, ends with another code than 0, by a signal, or too late. */
  run(argv: readonly string[], options?: RunOptions): Promise<CommandOutput>;
  /** Starts a process in a session of its own, which outlives this one. Rejects when it cannot be started. */
  spawnDetached(argv: readonly string[], options: DetachedOptions): Promise<DetachedProcess>;
}

export type CommandErrorCode = 'missing' | 'failed' | 'killed' | 'timeout';

export class CommandError extends Error {
  readonly code: CommandErrorCode;
  readonly argv: readonly string[];
  /** undefined unless it ended by itself */
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(
    code: CommandErrorCode,
    argv: readonly string[],
    detail: { exitCode?: number; stderr?: string; what: string; cause?: unknown },
  ) {
    const said = detail.stderr?.trim() ?? '';
    super(
      `${commandLine(argv)}: ${detail.what}${said === '' ? '' : `: ${said}`}`,
      detail.cause === undefined ? undefined : { cause: detail.cause },
    );
    this.name = 'CommandError';
    this.code = code;
    this.argv = argv;
    this.exitCode = detail.exitCode;
    this.stderr = detail.stderr ?? '';
  }
}

/** As one would type it. */
export function commandLine(argv: readonly string[]): string {
  return argv.map(shellQuote).join(' ');
}

/** One word for a POSIX shell. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Variables are added by env(1), so that nothing here reads this process's own environment. */
function withEnv(
  argv: readonly string[],
  env: Readonly<Record<string, string>> | undefined,
): [command: string, args: string[]] {
  const full =
    env === undefined
      ? argv
      : ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...argv];
  const [command, ...args] = full;
  if (command === undefined) throw new Error('an empty command');
  return [command, args];
}

function run(argv: readonly string[], options: RunOptions = {}): Promise<CommandOutput> {
  const [command, args] = withEnv(argv, options.env);
  return new Promise((resolve, reject) => {
    const stdin =
      options.inputFile !== undefined
        ? openSync(options.inputFile, 'r')
        : options.input === undefined
          ? 'ignore'
          : 'pipe';
    const child = spawn(command, args, {
      stdio: [stdin, 'pipe', 'pipe'],
      cwd: options.cwd,
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      signal: options.signal,
    });
    if (typeof stdin === 'number') closeSync(stdin);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout!.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr!.on('data', (chunk: Buffer) => err.push(chunk));
    // A command may end without reading all of its input; its exit code tells whether that was right.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (options.signal?.aborted) reject(options.signal.reason);
      else if (cause.code === 'ENOENT')
        reject(new CommandError('missing', argv, { what: 'there is no such command', cause }));
      else reject(new CommandError('failed', argv, { what: cause.message, cause }));
    });
    child.on('close', (code, signal) => {
      const stdout = Buffer.concat(out).toString('utf8');
      const stderr = Buffer.concat(err).toString('utf8');
      if (code === 0 || (code !== null && options.mayFail === true)) resolve({ code, stdout, stderr });
      else if (code !== null)
        reject(new CommandError('failed', argv, { exitCode: code, stderr, what: `exit code ${code}` }));
      // `killed` is set by our own time limit alone: nobody else holds the child.
      else if (child.killed)
        reject(new CommandError('timeout', argv, { stderr, what: `no end after ${options.timeoutMs} ms` }));
      else reject(new CommandError('killed', argv, { stderr, what: `ended by ${signal}` }));
    });
  });
}

function spawnDetached(argv: readonly string[], options: DetachedOptions): Promise<DetachedProcess> {
  const [command, args] = withEnv(argv, options.env);
  return new Promise((resolve, reject) => {
    const log = openSync(options.logFile, 'a', 0o600);
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: options.cwd ?? '/',
    });
    closeSync(log);
    const ended = new Promise<{ code: number | null; signal: string | null }>((done) => {
      child.on('exit', (code, signal) => done({ code, signal }));
    });
    child.on('error', (cause: NodeJS.ErrnoException) => {
      const what = cause.code === 'ENOENT' ? 'there is no such command' : cause.message;
      reject(new CommandError(cause.code === 'ENOENT' ? 'missing' : 'failed', argv, { what, cause }));
    });
    child.on('spawn', () => {
      child.unref();
      resolve({ pid: child.pid!, ended });
    });
  });
}

export const systemExec: Exec = { run, spawnDetached };
