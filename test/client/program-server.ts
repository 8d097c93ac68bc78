// `jotasu server` as it ships: the built program in a process of its own, on a free port, with a data directory that goes with it.
// Without controllers and scheduler unless asked for, so that nothing but the tests changes objects; with both, and with nodes whose
// containers are simulated, when a test is about what becomes of objects.
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

/** The built program. */
export const bundle = path.resolve(import.meta.dirname, '../../dist/jotasu.js');
const startTimeoutMs = 60_000;

export interface ProgramServer {
  readonly url: string;
  /** An administrator's. */
  readonly kubeconfig: string;
  /** A directory for the tests' own files; it goes when the server stops. */
  readonly dir: string;
  /** Ends it as a power cut does, and starts it again on the same data and the same port. */
  crash(): Promise<void>;
  /** The first half of that. */
  kill(): Promise<void>;
  /** The second half. */
  restart(): Promise<void>;
  /** Ends it as an operator does; rejects when it does not end with 0. */
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly controllers?: boolean;
  /** How many nodes without containers run in it; the controllers run then, too. */
  readonly simulateNodes?: number;
  /** Further flags of `jotasu server`. */
  readonly flags?: readonly string[];
  /** What is different on them, as YAML (docs/simulation.md). */
  readonly simulation?: string;
  /** Lines of token,user,uid,groups. */
  readonly tokens?: string;
}

export async function startProgram({
  simulateNodes,
  controllers = simulateNodes !== undefined,
  simulation,
  flags = [],
  tokens,
}: ProgramOptions = {}): Promise<ProgramServer> {
  if (!fs.existsSync(bundle)) throw new Error(`no ${bundle}: run node tools/build.mjs`);
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-client-'));
  const kubeconfig = path.join(dir, 'kubeconfig');
  const args = ['server', '--data-dir', path.join(dir, 'data'), '--bind-address', '127.0.0.1'];
  args.push('--write-kubeconfig', kubeconfig, ...flags);
  if (!controllers) args.push('--without', 'controllers,scheduler');
  if (simulateNodes !== undefined) args.push('--simulate-nodes', String(simulateNodes));
  const addFile = (flag: string, name: string, text: string | undefined) => {
    if (text === undefined) return;
    fs.writeFileSync(path.join(dir, name), text);
    args.push(flag, path.join(dir, name));
  };
  addFile('--simulation', 'simulation.yaml', simulation);
  addFile('--token-auth-file', 'tokens.csv', tokens);
  try {
    let run = await startRun([...args, '--https-listen-port', '0']);
    const { url } = run;
    const kill = async () => {
      run.child.kill('SIGKILL');
      await run.ended;
    };
    const restart = async () => {
      run = await startRun([...args, '--https-listen-port', new URL(url).port]);
    };
    return {
      url,
      kubeconfig,
      dir,
      async crash() {
        await kill();
        await restart();
      },
      kill,
      restart,
      async stop() {
        run.child.kill('SIGTERM');
        const code = await run.ended;
        fs.rmSync(dir, { recursive: true, force: true });
        if (code !== 0) throw new Error(`jotasu server ended with ${code}`);
      },
    };
  } catch (error) {
    fs.rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

interface Run {
  readonly child: ChildProcess;
  readonly url: string;
  /** Its exit code; null after a signal. */
  readonly ended: Promise<number | null>;
}

/** One process of it, which answers. */
async function startRun(args: readonly string[]): Promise<Run> {
  const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  try {
    return { child, url: await ready(child), ended };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** The URL in the ready line. */
function ready(child: ChildProcess): Promise<string> {
  let said = '';
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`jotasu server is not ready:\n${said}`)), startTimeoutMs);
    const heard = (chunk: Buffer) => {
      said += chunk;
      const url = /is ready: (https:\/\/\S+?),/.exec(said)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    };
    child.stdout?.on('data', heard);
    child.stderr?.on('data', heard);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      reject(new Error(`jotasu server ended with ${code}:\n${said}`));
    });
  });
}
