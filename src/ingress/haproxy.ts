// HAProxy as a process of the node. It outlives the agent, so that an agent that is started anew breaks no connection: a process that is
// there takes up the new configuration, passing its listening sockets on, and its older worker ends what it has begun.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, type Log, sleep } from '../base/index.ts';
import {
  type Exec,
  identifyProcess,
  isAlive,
  type ProcessIdentity,
  signalProcess,
  stopProcess,
} from '../os/index.ts';
import { type ConfigFile, configName, generationVariable, socketName } from './haproxy-config.ts';
import { RuntimeSocket } from './runtime-socket.ts';

export interface HaproxyOptions {
  /** Holds configuration, keys and sockets; readable by its owner alone. */
  readonly directory: string;
  readonly logFile: string;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
}

const startTimeoutMs = 15_000;
const pollMs = 20;
const stopGraceMs = 3_000;

export class Haproxy {
  readonly runtime: RuntimeSocket;
  readonly #options: HaproxyOptions;
  readonly #pidFile: string;
  #process: ProcessIdentity | undefined;

  constructor(options: HaproxyOptions) {
    this.#options = options;
    this.#pidFile = join(options.directory, 'haproxy.pid');
    this.runtime = new RuntimeSocket(join(options.directory, socketName));
    this.#process = readIdentity(this.#pidFile);
  }

  get isRunning(): boolean {
    return this.#process !== undefined && isAlive(this.#process);
  }

  /** Also when it is the same text: a process that is started again reads it. Files appear whole. */
  write(files: readonly ConfigFile[]): void {
    for (const { name, text } of files)
      writeFileSync(join(this.#options.directory, name), text, { mode: 0o600 });
  }

  /**
   * Starts it with the files, or lets the one that runs take them up. Resolves when it answers with the generation; rejects with what it
   * said when it does not. An older one then goes on as it was.
   */
  async load(files: readonly ConfigFile[], generation: string): Promise<void> {
    const { exec, directory, clock } = this.#options;
    const config = join(directory, configName);
    this.write(files);
    // A process that takes up a broken configuration must not be asked to.
    await exec.run(['haproxy', '-c', '-q', '-f', config], { timeoutMs: startTimeoutMs });
    if (this.isRunning) signalProcess(this.#process!, 'SIGUSR2');
    else await this.#start(config);
    const endMs = clock.monotonicMs() + startTimeoutMs;
    while ((await this.runtime.variable(generationVariable)) !== generation) {
      if (!this.isRunning) throw new Error(`HAProxy ended: ${this.#lastSaid()}`);
      if (clock.monotonicMs() > endMs)
        throw new Error(`HAProxy did not take up its configuration: ${this.#lastSaid()}`);
      await sleep(clock, pollMs);
    }
  }

  async stop(): Promise<void> {
    if (this.#process === undefined) return;
    await stopProcess(this.#process, stopGraceMs, this.#options.clock);
    this.#process = undefined;
    rmSync(this.#pidFile, { force: true });
  }

  async #start(config: string): Promise<void> {
    const { exec, logFile, log } = this.#options;
    const { pid } = await exec.spawnDetached(['haproxy', '-W', '-f', config], { logFile });
    this.#process = identifyProcess(pid);
    if (this.#process === undefined) throw new Error(`HAProxy ended: ${this.#lastSaid()}`);
    writeFileSync(this.#pidFile, JSON.stringify(this.#process));
    log.info('started HAProxy', { pid });
  }

  #lastSaid(): string {
    try {
      const lines = readFileSync(this.#options.logFile, 'utf8').trim().split('\n');
      return (
        (lines
          .filter((line) => line.includes('ALERT'))
          .slice(-3)
          .join('; ') ||
          lines.at(-1)) ??
        ''
      );
    } catch {
      return '';
    }
  }
}

function readIdentity(file: string): ProcessIdentity | undefined {
  try {
    const identity = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
    return isAlive(identity) ? identity : undefined;
  } catch {
    return undefined;
  }
}
