// A containerd of our own, started and kept alive, or one that is there already. Containers belong to their shims, not to the
// daemon: neither a restart of it nor of us touches them. A daemon that outlived us is adopted when its configuration is the same.
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Backoff, type Clock, type Log, Scope, sleep } from '../base/index.ts';
import { cniNetwork } from './cni.ts';
import { type ContainerdConfig, containerdToml, inspectMachine } from './containerd-config.ts';
import { findPauseProgram, localPauseImage, pauseArchive, registryPauseImage } from './containerd-pause.ts';
import { connectRuntime } from './cri/index.ts';
import type { Exec } from './exec.ts';
import { findProgram } from './packages.ts';
import { signalProcess } from './processes.ts';
import { listShims, StrayShims } from './shims.ts';
import { readNetworkRemains, removeStrayNetworks, strayNetworks } from './stray-networks.ts';

export interface ContainerdOptions {
  /** Images and snapshots; survives restarts. */
  readonly rootDir: string;
  /** Socket, pid file, configuration and the state of running containers; may be gone after a reboot of the machine. */
  readonly runDir: string;
  readonly logFile: string;
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  /** Where the plugins keep leases and results. */
  readonly cniDataDir: string;
  /** Default: the image made here, or the public one when no static program for it is installed. */
  readonly sandboxImage?: string | undefined;
  readonly systemdCgroup?: boolean | undefined;
  readonly registryConfigDir?: string | undefined;
  /** Goes before `containerd …` on its command line, e.g. `nsenter --net=… --`. Must replace itself (exec). */
  readonly commandPrefix?: readonly string[] | undefined;
  /** PATH. The places where administrators' programs live are looked in as well. */
  readonly searchPath?: string | undefined;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  /** How long it may take to answer the first time. Default 30 s. */
  readonly readyTimeoutMs?: number | undefined;
}

export interface Containerd {
  readonly socketPath: string;
  readonly sandboxImage: string;
  /** Imports every image of an OCI or docker archive; resolves to their names. */
  importImage(archive: string): Promise<readonly string[]>;
  /** The daemon's process, 0 while it is being restarted or when it is not ours. */
  readonly pid: number;
  /** Ends the daemon. Containers go on. */
  stop(): Promise<void>;
}

const importTimeoutMs = 600_000;
const stopTimeoutMs = 10_000;
const recordsTimeoutMs = 10_000;
/** Of the containers that are made through the CRI. */
const namespace = 'k8s.io';

export async function importImage(
  exec: Exec,
  socketPath: string,
  archive: string,
): Promise<readonly string[]> {
  if (!fs.existsSync(archive)) throw new Error(`${archive}: no such file`);
  const command = ['ctr', '--address', socketPath, '--namespace', namespace, 'images', 'import', archive];
  const { stdout } = await exec.run(command, { timeoutMs: importTimeoutMs });
  // `unpacking docker.io/library/busybox:1.36 (sha256:…)...done`
  return [...stdout.matchAll(/^unpacking (\S+)/gm)].map((m) => m[1]!);
}

/** Where one that was started with this `runDir` listens. */
export const containerdSocket = (runDir: string): string => path.join(runDir, 'containerd.sock');

/** Uses a containerd that somebody else runs. */
export function existingContainerd(exec: Exec, socketPath: string, sandboxImage: string): Containerd {
  return {
    socketPath,
    sandboxImage,
    pid: 0,
    importImage: (archive) => importImage(exec, socketPath, archive),
    stop: async () => {},
  };
}

/** Resolves when it answers and has the sandbox image. Rejects with the reason, and the end of its log, when it does not. */
export async function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  const { searchPath = '' } = options;
  const program = findProgram('containerd', searchPath);
  if (program === undefined) throw new Error('containerd is not installed');
  for (const dir of [options.rootDir, options.runDir, options.cniConfDir, path.dirname(options.logFile)])
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const pause = findPauseProgram(searchPath);
  const sandboxImage = options.sandboxImage ?? (pause === undefined ? registryPauseImage : localPauseImage);
  const config: ContainerdConfig = {
    rootDir: options.rootDir,
    runDir: path.join(options.runDir, 'state'),
    socketPath: containerdSocket(options.runDir),
    cniBinDir: options.cniBinDir,
    cniConfDir: options.cniConfDir,
    sandboxImage,
    machine: inspectMachine(searchPath),
    systemdCgroup: options.systemdCgroup,
    registryConfigDir: options.registryConfigDir,
  };
  const daemon = new Daemon(program, config.socketPath, options);
  await daemon.start(containerdToml(config));
  if (sandboxImage === localPauseImage && pause !== undefined) {
    const runtime = await connectRuntime({ socketPath: config.socketPath });
    try {
      if ((await runtime.imageStatus(sandboxImage)) === undefined) {
        const archive = path.join(options.runDir, 'pause.tar');
        fs.writeFileSync(archive, await pauseArchive(pause));
        await importImage(options.exec, config.socketPath, archive);
        fs.rmSync(archive);
      }
    } finally {
      runtime.close();
    }
  }
  return {
    socketPath: config.socketPath,
    sandboxImage,
    importImage: (archive) => importImage(options.exec, config.socketPath, archive),
    get pid() {
      return daemon.pid;
    },
    stop: () => daemon.stop(),
  };
}

class Daemon {
  readonly #program: string;
  readonly #socketPath: string;
  readonly #options: ContainerdOptions;
  readonly #configFile: string;
  readonly #pidFile: string;
  readonly #scope: Scope;
  readonly #strays: StrayShims;
  pid = 0;

  constructor(program: string, socketPath: string, options: ContainerdOptions) {
    this.#program = program;
    this.#socketPath = socketPath;
    this.#options = options;
    this.#configFile = path.join(options.runDir, 'containerd.toml');
    this.#pidFile = path.join(options.runDir, 'containerd.pid');
    this.#scope = new Scope(options.log);
    this.#strays = new StrayShims({
      ...options,
      shims: () => listShims(socketPath, namespace),
      sandboxes: () => this.#sandboxes(),
      records: () => this.#records(),
      end: (shim) => signalProcess(shim, 'SIGKILL'),
    });
  }

  async start(toml: string): Promise<void> {
    await this.#startOrAdopt(toml);
    this.#scope.run('stray shims', (signal) => this.#strays.run(signal));
  }

  async #startOrAdopt(toml: string): Promise<void> {
    const same = readIfThere(this.#configFile) === toml;
    const left = this.#leftOver();
    if (left !== 0 && same && (await this.#answers(2_000))) {
      this.#options.log.info('adopted the running containerd', { pid: left });
      this.pid = left;
      this.#scope.run('containerd', (signal) => this.#supervise(left, signal));
      // Whoever started it may not have come to that.
      this.#endStrayNetworks();
      return;
    }
    if (left !== 0) await endProcess(left, this.#options.clock);
    fs.writeFileSync(this.#configFile, toml, { mode: 0o600 });
    const timeoutMs = this.#options.readyTimeoutMs ?? 30_000;
    const endMs = this.#options.clock.monotonicMs() + timeoutMs;
    let child: ChildProcess;
    let early: string | undefined;
    let killed: boolean;
    let ready: boolean;
    do {
      early = undefined;
      killed = false;
      child = this.#spawn();
      const onExit = (code: number | null, by: string | null) => {
        early = `exit code ${code ?? by}`;
        killed = by === 'SIGKILL';
      };
      child.once('exit', onExit);
      ready = await this.#answers(endMs - this.#options.clock.monotonicMs(), () => early !== undefined);
      child.off('exit', onExit);
      // What somebody else killed has not failed.
    } while (!ready && killed && this.#options.clock.monotonicMs() < endMs);
    if (!ready) {
      if (early === undefined) await endProcess(this.pid, this.#options.clock);
      const why = early ?? `no answer within ${timeoutMs / 1000} s`;
      throw new Error(`containerd did not start: ${why}\n${tail(this.#options.logFile)}`);
    }
    this.#scope.run('containerd', (signal) => this.#supervise(child, signal));
    this.#endStrayNetworks();
  }

  async stop(): Promise<void> {
    const { pid } = this;
    await this.#scope.stop();
    if (pid !== 0) await endProcess(pid, this.#options.clock);
    this.pid = 0;
    fs.rmSync(this.#pidFile, { force: true });
  }

  #spawn(): ChildProcess {
    const { logFile, commandPrefix = [] } = this.#options;
    rotate(logFile);
    // A socket left by a daemon that was killed refuses connections; it must not look like an answer.
    fs.rmSync(this.#socketPath, { force: true });
    const out = fs.openSync(logFile, 'a', 0o600);
    const [command, ...args] = [...commandPrefix, this.#program, '--config', this.#configFile];
    // A session of its own: a signal to our group, such as Ctrl-C, is not meant for it.
    const child = spawn(command!, args, { stdio: ['ignore', out, out], detached: true, cwd: '/' });
    fs.closeSync(out);
    child.on('error', (error) => this.#options.log.error('cannot start containerd', { error }));
    this.pid = child.pid ?? 0;
    if (this.pid !== 0) fs.writeFileSync(this.#pidFile, `${this.pid}\n`);
    child.unref();
    return child;
  }

  /** Waits for the daemon's end, starts it again, and so on until stopped. */
  async #supervise(first: ChildProcess | number, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const backoff = new Backoff({ initialMs: 100, maxMs: 10_000 });
    let current = first;
    for (;;) {
      const startedMs = clock.monotonicMs();
      await ended(current, clock, signal);
      if (signal.aborted) return;
      if (clock.monotonicMs() - startedMs > 60_000) backoff.reset();
      const delayMs = backoff.nextMs();
      log.error('containerd ended, starting it again', { delayMs, log: tail(this.#options.logFile, 400) });
      this.pid = 0;
      await sleep(clock, delayMs, signal).catch(() => {});
      if (signal.aborted) return;
      current = this.#spawn();
      this.#strays.containerdStarted();
      this.#endStrayNetworks();
    }
  }

  /** Once the daemon that runs now answers: it knows by then what the one before it has left in order. */
  #endStrayNetworks(): void {
    const { pid } = this;
    const { log, exec, cniDataDir } = this.#options;
    this.#scope.run('stray networks', async (signal) => {
      if (!(await this.#answers(60_000, () => signal.aborted || this.pid !== pid))) return;
      const startedMs = fs.statSync(this.#pidFile).mtimeMs;
      const remains = readNetworkRemains(cniDataDir, cniNetwork);
      const strays = strayNetworks(remains, { sandboxes: await this.#sandboxes(), startedMs });
      await removeStrayNetworks(exec, strays);
      const { namespaces, files } = strays;
      if (namespaces.length + files.length > 0)
        log.warn('removed what a containerd that was killed left of networks', {
          namespaces: namespaces.length,
          files: files.length,
        });
    });
  }

  async #sandboxes(): Promise<ReadonlySet<string>> {
    const runtime = await connectRuntime({ socketPath: this.#socketPath });
    try {
      return new Set((await runtime.listPodSandbox()).map(({ id }) => id));
    } finally {
      runtime.close();
    }
  }

  async #records(): Promise<ReadonlySet<string>> {
    const command = [
      'ctr',
      '--address',
      this.#socketPath,
      '--namespace',
      namespace,
      'containers',
      'list',
      '-q',
    ];
    const { stdout } = await this.#options.exec.run(command, { timeoutMs: recordsTimeoutMs });
    return new Set(stdout.split('\n').filter((id) => id !== ''));
  }

  /** The process in the pid file, if it is still a containerd with our configuration. */
  #leftOver(): number {
    const pid = Number(readIfThere(this.#pidFile) ?? 0);
    if (!(pid > 0)) return 0;
    const args = (readIfThere(`/proc/${pid}/cmdline`) ?? '').split('\0');
    return args.includes(this.#configFile) ? pid : 0;
  }

  async #answers(timeoutMs: number, givenUp: () => boolean = () => false): Promise<boolean> {
    const { clock } = this.#options;
    const runtime = await connectRuntime({ socketPath: this.#socketPath, timeoutMs: 2_000 });
    try {
      const endMs = clock.monotonicMs() + timeoutMs;
      while (clock.monotonicMs() < endMs && !givenUp()) {
        if (fs.existsSync(this.#socketPath)) {
          const status = await runtime.status().catch(() => undefined);
          if (status?.runtimeReady) return true;
        }
        await sleep(clock, 20);
      }
      return false;
    } finally {
      runtime.close();
    }
  }
}

const readIfThere = (file: string): string | undefined => {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
};

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A zombie answers signals.
    return !/^State:\s*Z/m.test(readIfThere(`/proc/${pid}/status`) ?? 'State: Z');
  } catch {
    return false;
  }
};

function ended(what: ChildProcess | number, clock: Clock, signal: AbortSignal): Promise<void> {
  if (typeof what !== 'number') {
    if (what.exitCode !== null || what.signalCode !== null || what.pid === undefined)
      return Promise.resolve();
    return new Promise((resolve) => {
      what.once('exit', () => resolve());
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
  return (async () => {
    while (!signal.aborted && alive(what)) await sleep(clock, 500, signal).catch(() => {});
  })();
}

async function endProcess(pid: number, clock: Clock): Promise<void> {
  if (!alive(pid)) return;
  process.kill(pid, 'SIGTERM');
  const killMs = clock.monotonicMs() + stopTimeoutMs;
  while (alive(pid)) {
    if (clock.monotonicMs() > killMs) {
      process.kill(pid, 'SIGKILL');
      return;
    }
    await sleep(clock, 20);
  }
}

const tail = (file: string, bytes = 2_000): string => (readIfThere(file) ?? '').slice(-bytes).trim();

/** Keeps the last log beside the new one when it has grown beyond 10 MB. */
function rotate(file: string): void {
  try {
    if (fs.statSync(file).size > 10_000_000) fs.renameSync(file, `${file}.1`);
  } catch {}
}
