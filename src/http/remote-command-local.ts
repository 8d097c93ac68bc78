// The fake of a container runtime's streaming server: hands out URLs for commands and runs them as processes of this machine.
// For tests of everything in front of it. Without a terminal: a session with one gets plain pipes, and the sizes are kept.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { finished } from 'node:stream/promises';
import type { Clock } from '../base/index.ts';
import {
  exitStatus,
  failureStatus,
  type RemoteStreamOptions,
  type RemoteStreams,
  type TerminalSize,
} from './remote-command.ts';
import { refuseUpgrade } from './remote-command-refusal.ts';
import { acceptRemoteCommand } from './remote-command-server.ts';

export interface LocalCommand extends RemoteStreamOptions {
  readonly command: readonly string[];
}

export class LocalCommands {
  readonly #clock: Clock;
  readonly #asked = new Map<string, LocalCommand>();
  readonly #children = new Set<ChildProcess>();
  readonly #sessions = new Set<RemoteStreams>();
  readonly #server = createServer((_, response) => response.writeHead(404).end('404 page not found\n'));
  #count = 0;
  /** Of every session, in the order in which they came. */
  readonly sizes: TerminalSize[] = [];
  /** How many processes have ended. */
  ended = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#server.on('upgrade', (request, socket, head) => {
      const asked = this.#asked.get(request.url ?? '');
      this.#asked.delete(request.url ?? '');
      if (asked === undefined) refuseUpgrade(socket, { status: 404, message: '404 page not found' });
      else void this.#serve(asked, { request, socket, head });
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  /** The URL at which one client can run the command, once. */
  async exec(command: LocalCommand): Promise<string> {
    const path = `/exec/${++this.#count}`;
    this.#asked.set(path, command);
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  /** Cuts every session and kills what still runs. */
  async close(): Promise<void> {
    for (const streams of this.#sessions) streams.destroy();
    for (const child of this.#children) child.kill('SIGKILL');
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(asked: LocalCommand, upgrade: Parameters<typeof acceptRemoteCommand>[0]): Promise<void> {
    const streams = await acceptRemoteCommand(upgrade, asked, this.#clock);
    if (streams === undefined) return;
    this.#sessions.add(streams);
    void streams.closed.then(() => this.#sessions.delete(streams));
    streams.onResize((size) => this.sizes.push(size));
    await streams.finish(await this.#run(asked.command, streams));
  }

  async #run([program, ...args]: readonly string[], streams: RemoteStreams) {
    const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#children.add(child);
    child.stdin.on('error', () => {});
    if (streams.stdin === undefined) child.stdin.end();
    else streams.stdin.pipe(child.stdin);
    const outputs = [
      [child.stdout, streams.stdout],
      [child.stderr, streams.stderr],
    ] as const;
    for (const [from, to] of outputs) {
      if (to === undefined) from.resume();
      else {
        from.pipe(to);
        to.once('close', () => from.resume());
      }
    }
    const exit = new Promise<number | Error>((resolve) => {
      child.once('error', resolve);
      child.once('exit', (code) => resolve(code ?? 137));
    });
    const result = await exit;
    await Promise.all([child.stdout, child.stderr].map((from) => finished(from).catch(() => {})));
    this.#children.delete(child);
    this.ended++;
    return typeof result === 'number' ? exitStatus(result) : failureStatus(result.message);
  }
}
