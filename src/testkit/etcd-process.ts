// A real etcd for tests: Debian's, on free ports, its data in memory where the machine has such a place.
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePort } from './free-port.ts';

const programs = ['/usr/bin/etcd', '/usr/local/bin/etcd'];

/** Why tests with etcd cannot run here, said loudly; undefined when they can. Throws instead when JOTASU_REQUIRE_ALL is set. */
export function whyNoEtcd(): string | undefined {
  if (programs.some((program) => fs.existsSync(program))) return undefined;
  const line = 'the tests with etcd, because this machine lacks etcd (apt-get install etcd-server)';
  if (process.env['JOTASU_REQUIRE_ALL'] === '1') throw new Error(`cannot run ${line}`);
  console.warn(`!! SKIPPING ${line}`);
  return line;
}

export interface EtcdProcessOptions {
  /** PEM files: serve TLS, and ask clients for certificates of this authority. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile: string };
  readonly args?: readonly string[];
  /** Where its data go; in memory, where the machine has such a place, when nothing is said. */
  readonly parent?: string;
}

/** One member. Killed, paused and started again on the same port and data. */
export class EtcdProcess {
  readonly url: string;
  readonly #directory: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;

  private constructor(url: string, directory: string, args: readonly string[]) {
    this.url = url;
    this.#directory = directory;
    this.#args = args;
  }

  static async start({ tls, args = [], parent }: EtcdProcessOptions = {}): Promise<EtcdProcess> {
    const inMemory = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
    const directory = fs.mkdtempSync(path.join(parent ?? inMemory, 'jotasu-etcd-'));
    const port = await freePort();
    let peerPort = await freePort();
    while (peerPort === port) peerPort = await freePort();
    const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    const secure =
      tls === undefined
        ? []
        : [
            `--cert-file=${tls.certFile}`,
            `--key-file=${tls.keyFile}`,
            `--trusted-ca-file=${tls.caFile}`,
            '--client-cert-auth',
          ];
    const etcd = new EtcdProcess(url, directory, [
      '--name=test',
      `--data-dir=${path.join(directory, 'data')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=test=${peer}`,
      ...secure,
      ...args,
    ]);
    await etcd.restart();
    return etcd;
  }

  /** Resolves when the port answers; whether etcd does as well is for its client to find out. */
  async restart(): Promise<void> {
    const program = programs.find((name) => fs.existsSync(name))!;
    const log = fs.openSync(path.join(this.#directory, 'log'), 'a');
    const child = spawn(program, this.#args, { stdio: ['ignore', log, log] });
    fs.closeSync(log);
    this.#child = child;
    const { hostname, port } = new URL(this.url);
    for (let i = 0; i < 3000 && child.exitCode === null; i++) {
      if (await answers(hostname, Number(port))) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`etcd does not start: ${fs.readFileSync(path.join(this.#directory, 'log'), 'utf8')}`);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** Kills it and starts it again with nothing. */
  async reset(): Promise<void> {
    await this.kill();
    fs.rmSync(path.join(this.#directory, 'data'), { recursive: true });
    await this.restart();
  }

  /** Kills it and removes its data. */
  async remove(): Promise<void> {
    await this.kill();
    fs.rmSync(this.#directory, { recursive: true, force: true });
  }
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
