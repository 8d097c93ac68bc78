// The real kubectl, as tests use it: commands are lines, as one types them, and what they print is compared as a whole.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import * as os from 'node:os';
import * as path from 'node:path';
import { expect, vi } from 'vitest';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  /** Standard input. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface KubectlOptions {
  readonly kubeconfig: string;
  /** Where it runs, and what it takes for its home. */
  readonly dir: string;
  readonly program?: string;
}

const timeoutMs = 100_000;

export class Kubectl {
  readonly dir: string;
  private readonly program: string;
  private readonly env: Readonly<Record<string, string>>;
  private readonly running = new Set<ChildProcess>();

  constructor({ program = 'kubectl', kubeconfig, dir }: KubectlOptions) {
    this.program = program;
    this.dir = dir;
    this.env = { KUBECONFIG: kubeconfig, HOME: dir };
  }

  /** Single quotes keep a word together; there is no other quoting. */
  async run(command: string, { input = '', env }: RunOptions = {}): Promise<Said> {
    const child = this.spawn(command, env);
    const text = { out: '', err: '' };
    child.stdout?.on('data', (chunk) => (text.out += chunk));
    child.stderr?.on('data', (chunk) => (text.err += chunk));
    // Who refuses a command before reading closes the pipe.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    return { code: code ?? -1, ...text };
  }

  /** Standard output of a command that must work. */
  async ok(command: string, input = ''): Promise<string> {
    const { code, out, err } = await this.run(command, { input });
    expect({ command, code, err: code === 0 ? '' : err }).toEqual({ command, code: 0, err: '' });
    return out;
  }

  /** The same, compared; neither the last newline nor the spaces that fill columns count. */
  async says(command: string, wanted: string | RegExp, input = ''): Promise<void> {
    compare(command, await this.ok(command, input), wanted);
  }

  /** The same, of what comes about by itself, like an event or what a controller writes: asked again until it is said. */
  comesToSay(command: string, wanted: string | RegExp): Promise<void> {
    return vi.waitFor(() => this.says(command, wanted), { timeout: timeoutMs, interval: 50 });
  }

  /** A command that must fail: what it has to say on standard error. */
  async refuses(command: string, wanted: string | RegExp, input = ''): Promise<void> {
    const { code, out, err } = await this.run(command, { input });
    expect({ command, failed: code !== 0, out: code === 0 ? out : '' }).toEqual({
      command,
      failed: true,
      out: '',
    });
    compare(command, err, wanted);
  }

  async json<T = Record<string, unknown>>(command: string): Promise<T> {
    return JSON.parse(await this.ok(`${command} -o json`)) as T;
  }

  /** A command that goes on until it is told to stop. */
  follow(command: string): Follower {
    return new Follower(this.spawn(command));
  }

  /** Ends what still runs. */
  stop(): void {
    for (const child of this.running) child.kill('SIGKILL');
  }

  private spawn(command: string, env: Readonly<Record<string, string>> = {}): ChildProcess {
    const args = (command.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));
    const child = spawn(this.program, args, {
      cwd: this.dir,
      env: { ...process.env, ...this.env, ...env },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    this.running.add(child);
    child.once('close', () => this.running.delete(child));
    return child;
  }
}

const squeezed = (text: string): string => text.trimEnd().replace(/ {2,}/g, '  ').replace(/ +$/gm, '');

function compare(command: string, said: string, wanted: string | RegExp): void {
  if (typeof wanted === 'string')
    expect({ command, said: squeezed(said) }).toEqual({ command, said: wanted });
  else expect(squeezed(said), command).toMatch(wanted);
}

export class Follower {
  text = '';
  /** Standard error. */
  errors = '';
  /** The code that it ended with. */
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;
  private look = () => {};

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = new Promise((resolve) => child.once('close', resolve));
    child.stdout?.on('data', (chunk) => {
      this.text += chunk;
      this.look();
    });
    child.stderr?.on('data', (chunk) => {
      this.errors += chunk;
      this.look();
    });
  }

  /** Resolves when all that it said so far, on either, has this in it; the test's own time limit is the limit. */
  until(wanted: string): Promise<void> {
    return new Promise((resolve) => {
      this.look = () => {
        if (this.text.includes(wanted) || this.errors.includes(wanted)) resolve();
      };
      this.look();
    });
  }

  /** What it said, by lines. */
  stop(): string[] {
    this.child.kill('SIGKILL');
    return squeezed(this.text).split('\n');
  }
}

/** The minor version of a kubectl; undefined when there is none. */
function minorOf(program: string): number | undefined {
  const { status, stdout } = spawnSync(program, ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  return Number.parseInt(JSON.parse(stdout).clientVersion.minor, 10);
}

/** Says loudly what is not tested; where nothing may be left out, that is an error. */
export function without(what: string, how: string): undefined {
  const line = `SKIPPED what needs ${what}: ${how}`;
  if (process.env['JOTASU_REQUIRE_ALL'] === '1') throw new Error(line);
  console.warn(line);
  return undefined;
}

/** A kubectl that knows what these tests ask of it. */
export function findKubectl(): string | undefined {
  const minor = minorOf('kubectl');
  if (minor !== undefined && minor >= 28) return 'kubectl';
  return without('kubectl 1.28 or newer', minor === undefined ? 'there is none' : `this is 1.${minor}`);
}

/** The kubectl of Debian 12: `npm test` puts it where this looks. */
export function findKubectl120(): string | undefined {
  const { JOTASU_KUBECTL_120: named, XDG_CACHE_HOME: caches = path.join(os.homedir(), '.cache') } =
    process.env;
  const places = [named ?? path.join(caches, 'jotasu/kubectl-1.20/usr/bin/kubectl'), 'kubectl'];
  return (
    places.find((place) => minorOf(place) === 20) ??
    without('kubectl 1.20', 'set JOTASU_KUBECTL_120 to the kubectl in Debian 12’s package kubernetes-client')
  );
}
