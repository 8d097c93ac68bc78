// Runs one program to its end and says clearly what went wrong. Arguments are an array: no shell is ever involved.
import { spawn } from 'node:child_process';

export interface CommandOptions {
  readonly input?: string | Buffer | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Kills the program after this long; 0 = never. Default 60 s. */
  readonly timeoutMs?: number | undefined;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that could not be started, was killed, or ended with another code than 0. `exitCode` null = it never ran or was killed. */
export class CommandError extends Error {
  readonly exitCode: number | null;
  readonly stderr: string;
  /** `ENOENT` when there is no such program. */
  readonly code: string | undefined;
  constructor(message: string, exitCode: number | null, stderr: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CommandError';
    this.exitCode = exitCode;
    this.stderr = stderr;
    this.code = (cause as NodeJS.ErrnoException | undefined)?.code;
  }
}

export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: options.env as NodeJS.ProcessEnv | undefined,
      signal: options.signal,
      timeout: options.timeoutMs ?? 60_000,
      killSignal: 'SIGKILL',
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout!.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr!.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', (error: NodeJS.ErrnoException) => {
      const what = error.code === 'ENOENT' ? 'program not found' : error.message;
      reject(new CommandError(`${program}: ${what}`, null, '', error));
    });
    child.on('close', (exitCode, killedBy) => {
      const errors = Buffer.concat(stderr).toString();
      if (exitCode === 0) resolve({ stdout: Buffer.concat(stdout).toString(), stderr: errors });
      else {
        const end = exitCode === null ? `killed by ${killedBy}` : `exit code ${exitCode}`;
        const said = errors.trim() === '' ? '' : `: ${errors.trim().slice(-2000)}`;
        reject(new CommandError(`${[program, ...args].join(' ')}: ${end}${said}`, exitCode, errors));
      }
    });
    if (options.input !== undefined) {
      // A program that ends without reading its input is judged by its exit code.
      child.stdin!.on('error', () => {});
      child.stdin!.end(options.input);
    }
  });
}
