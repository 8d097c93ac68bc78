// Opens TCP connections to localhost as a process in another network namespace sees it. The choice: this process cannot change its
// namespace (its threads are node's own), so a child in there connects and hands each connected socket over; no byte passes
// through the child. One child serves every connection to its namespace, until it is closed.
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, Socket } from 'node:net';
import { inNetns } from './netns.ts';

export interface LocalDialer {
  /**
   * A connection to a TCP port of localhost, IPv4 first. It is half-open when one side has ended. Rejects with a DialError that
   * says what each address answered.
   */
  dial(port: number): Promise<Socket>;
  /** Connections that were handed out live on. */
  close(): void;
}

/** What one address answered: `dial tcp4 127.0.0.1:80: connect: connection refused`. */
export class DialError extends Error {
  readonly ipv4: string;
  readonly ipv6: string;
  constructor(port: number, ipv4: DialFailure, ipv6: DialFailure) {
    const [four, six] = [reason(`tcp4 127.0.0.1:${port}`, ipv4), reason(`tcp6 [::1]:${port}`, ipv6)];
    super(`failed to connect to localhost:${port}, IPv4: ${four} IPv6 ${six}`);
    this.name = 'DialError';
    this.ipv4 = four;
    this.ipv6 = six;
  }
}

interface DialFailure {
  readonly code?: string | undefined;
  readonly message: string;
}

/** The kernel's own words. */
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  ETIMEDOUT: 'connection timed out',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'no route to host',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EAFNOSUPPORT: 'address family not supported by protocol',
};

const reason = (address: string, failure: DialFailure): string =>
  `dial ${address}: connect: ${words[failure.code ?? ''] ?? failure.message}`;

/** Dials localhost of the namespace that this process is in. */
export const ownDialer: LocalDialer = {
  async dial(port) {
    const failures: DialFailure[] = [];
    for (const host of ['127.0.0.1', '::1']) {
      try {
        return await new Promise<Socket>((resolve, reject) => {
          const socket = connect({ host, port, allowHalfOpen: true }, () => {
            socket.off('error', reject);
            resolve(socket);
          });
          socket.once('error', reject);
        });
      } catch (error) {
        failures.push(error as NodeJS.ErrnoException);
      }
    }
    throw new DialError(port, failures[0]!, failures[1]!);
  },
  close() {},
};

/**
 * Runs in the child. A socket is paused before it is connected, so that what the server says first stays in the kernel for
 * whoever gets the socket.
 */
const childProgram = `// jotasu: dials localhost of a pod
const net = require('node:net');
process.on('message', ({ id, port }) => {
  const failures = [];
  const attempt = (hosts) => {
    if (hosts.length === 0) return process.send({ id, failures }, () => {});
    const socket = new net.Socket({ allowHalfOpen: true });
    socket.pause();
    socket.once('error', (error) => {
      failures.push({ code: error.code, message: error.message });
      attempt(hosts.slice(1));
    });
    socket.connect({ host: hosts[0], port }, () => process.send({ id }, socket, () => {}));
  };
  attempt(['127.0.0.1', '::1']);
});
process.on('disconnect', () => process.exit(0));
`;

interface Answer {
  readonly id: number;
  readonly failures?: readonly DialFailure[] | undefined;
}

interface Waiting {
  readonly port: number;
  resolve(socket: Socket): void;
  reject(error: Error): void;
}

/** `file` is what nsenter takes for a network namespace: /proc/PID/ns/net. The child starts with the first call of `dial`. */
export function netnsDialer(file: string): LocalDialer {
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let child: ChildProcess | undefined;
  let closed = false;

  const fail = (error: Error) => {
    child = undefined;
    for (const one of waiting.values()) one.reject(error);
    waiting.clear();
  };
  const start = (): ChildProcess => {
    const [command, ...args] = inNetns(file, [process.execPath, '-e', childProgram]);
    const started = spawn(command!, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let said = '';
    started.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-1000)));
    started.on('message', (message: unknown, handle: unknown) => {
      const { id, failures } = message as Answer;
      const one = waiting.get(id);
      waiting.delete(id);
      if (handle instanceof Socket) {
        // Nothing has been read or ended yet: events come in later turns.
        handle.allowHalfOpen = true;
        if (one === undefined) handle.destroy();
        else one.resolve(handle);
      } else if (failures !== undefined) one?.reject(new DialError(one.port, failures[0]!, failures[1]!));
      else one?.reject(new Error(`the connection to port ${one.port} was lost as it was handed over`));
    });
    started.on('error', (cause) => fail(new Error(`${command}: ${cause.message}`, { cause })));
    started.on('close', (code, signal) => {
      if (child === started) {
        const how = signal === null ? `exit code ${code}` : `ended by ${signal}`;
        fail(new Error(`cannot dial in ${file}: ${said.trim() === '' ? how : said.trim()}`));
      }
    });
    return started;
  };

  return {
    dial(port) {
      if (closed) return Promise.reject(new Error('the dialer is closed'));
      child ??= start();
      const id = nextId++;
      return new Promise((resolve, reject) => {
        waiting.set(id, { port, resolve, reject });
        child!.send({ id, port }, (error) => {
          if (error === null || !waiting.delete(id)) return;
          reject(new Error(`cannot dial in ${file}: ${error.message}`, { cause: error }));
        });
      });
    },
    close() {
      closed = true;
      const last = child;
      fail(new Error('the dialer is closed'));
      if (last?.connected === true) last.disconnect();
    },
  };
}
