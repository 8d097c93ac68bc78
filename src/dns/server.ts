// The sockets: UDP and TCP on each address. The choice: one process, one loop, no promise for an answer that is here already. HOT.
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Clock, Log, Timer } from '../base/index.ts';
import { rcode } from './message.ts';
import { type Answer, MessageWriter, maxMessageBytes, ownUdpPayload } from './message-writer.ts';
import { type Query, readQuery } from './query.ts';
import { type Resolver, silence } from './resolver.ts';

export interface DnsServerOptions {
  readonly addresses: readonly string[];
  /** 0 = any free one, the same for all. */
  readonly port: number;
  readonly resolver: Pick<Resolver, 'resolve'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly counts?: ServerCounts | undefined;
}

export interface ServerCounts {
  answered(query: Query, of: { rcode: number; protocol: 'udp' | 'tcp'; seconds: number }): void;
}

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

const leastUdpBytes = 512;
const idleMs = 10_000;
const maxConnections = 1_000;
/** Of one connection: who asks more at once waits until some are answered. */
const maxPending = 100;

/** Rejects when an address cannot be bound. */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  for (let left = options.port === 0 ? freePortAttempts : 0; ; left--) {
    try {
      return await startOn(options);
    } catch (error) {
      // Free for UDP on one address is not free for TCP on another.
      if (left === 0 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

const freePortAttempts = 20;

async function startOn(options: DnsServerOptions): Promise<DnsServer> {
  const parts: { close(): Promise<void> }[] = [];
  const close = async () => void (await Promise.all(parts.map((part) => part.close())));
  let { port } = options;
  try {
    for (const address of options.addresses) {
      const udp = await UdpPart.start(options, { address, port });
      parts.push(udp);
      ({ port } = udp);
      parts.push(await TcpPart.start(options, { address, port }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { port, close };
}

/** Answers one packet: at once where it can. Whatever goes wrong inside is SERVFAIL to the client, and logged. */
class Responder {
  readonly #options: DnsServerOptions;
  readonly #writer = new MessageWriter();
  readonly #protocol: 'udp' | 'tcp';

  constructor(options: DnsServerOptions, protocol: 'udp' | 'tcp') {
    this.#options = options;
    this.#protocol = protocol;
  }

  /** `reply` gets the answer, or undefined when there is none; it must not keep the buffer. May be called before this returns. */
  respond(packet: Buffer, reply: (bytes: Buffer | undefined) => void): void {
    const { clock } = this.#options;
    const query = readQuery(packet);
    if (query === undefined) {
      reply(undefined);
      return;
    }
    const startedMs = clock.monotonicMs();
    const finish = (answer: Answer) => {
      const maxBytes = this.#protocol === 'tcp' ? maxMessageBytes : udpBytes(query);
      const length = this.#writer.writeAnswer(query, answer, maxBytes);
      reply(this.#writer.buffer.subarray(0, length));
      this.#options.counts?.answered(query, {
        rcode: answer.rcode,
        protocol: this.#protocol,
        seconds: (clock.monotonicMs() - startedMs) / 1000,
      });
    };
    const fail = (error: unknown) => {
      this.#options.log.error('a question could not be answered', { error });
      finish({ rcode: rcode.servFail, authoritative: false, answers: [], authorities: [], additionals: [] });
    };
    try {
      const answer = this.#options.resolver.resolve(query);
      if (answer === silence) reply(undefined);
      else if (answer instanceof Promise) answer.then(finish).catch(fail);
      else finish(answer);
    } catch (error) {
      fail(error);
    }
  }
}

/** What the client says that it takes; more than fits into one datagram of an ordinary network is not sent. */
const udpBytes = ({ edns }: Query): number =>
  edns === undefined ? leastUdpBytes : Math.min(ownUdpPayload, Math.max(leastUdpBytes, edns.udpPayload));

class UdpPart {
  readonly #socket: UdpSocket;
  readonly #responder: Responder;
  readonly #log: Log;

  private constructor(options: DnsServerOptions, address: string) {
    // Addresses of clients are numbers: nothing is to be looked up, and not a tick later.
    const lookup = (host: string, _: unknown, done: (error: null, address: string, family: number) => void) =>
      done(null, host, isIPv6(host) ? 6 : 4);
    this.#socket = createSocket({
      type: isIPv6(address) ? 'udp6' : 'udp4',
      lookup: lookup as never,
    });
    this.#responder = new Responder(options, 'udp');
    this.#log = options.log;
  }

  static start(
    options: DnsServerOptions,
    { address, port }: { address: string; port: number },
  ): Promise<UdpPart> {
    const part = new UdpPart(options, address);
    const socket = part.#socket;
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off('error', reject);
        socket.on('error', (error) => part.#log.warn('a DNS socket failed', { error }));
        socket.on('message', part.#onMessage);
        growBuffer(socket);
        resolve(part);
      });
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  readonly #onMessage = (packet: Buffer, { address, port }: RemoteInfo): void => {
    this.#responder.respond(packet, (bytes) => {
      // A copy: the kernel may take it later. That it is lost is what clients expect of datagrams.
      if (bytes !== undefined) this.#send(Buffer.from(bytes), port, address);
    });
  };

  #send(bytes: Buffer, port: number, address: string): void {
    try {
      this.#socket.send(bytes, port, address, ignored);
    } catch (error) {
      // Closed meanwhile.
      this.#log.debug('an answer could not be sent', { error });
    }
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

const ignored = (): void => {};

/** Room for a burst while the loop is busy; the kernel may give less. */
function growBuffer(socket: UdpSocket): void {
  try {
    socket.setRecvBufferSize(4 << 20);
  } catch {
    // As large as it is by default.
  }
}

class TcpPart {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  private constructor(options: DnsServerOptions) {
    const responder = new Responder(options, 'tcp');
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
      serveConnection(socket, responder, options.clock);
    });
    this.#server.maxConnections = maxConnections;
  }

  static start(
    options: DnsServerOptions,
    { address, port }: { address: string; port: number },
  ): Promise<TcpPart> {
    const part = new TcpPart(options);
    return new Promise((resolve, reject) => {
      part.#server.once('error', reject);
      part.#server.listen({ host: address, port, exclusive: true }, () => {
        part.#server.off('error', reject);
        part.#server.on('error', (error) => options.log.warn('a DNS listener failed', { error }));
        resolve(part);
      });
    });
  }

  close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Several questions may be on their way at once; answers go out as they come (RFC 7766, 6.2.1.1). */
function serveConnection(socket: Socket, responder: Responder, clock: Clock): void {
  let got = Buffer.alloc(0);
  let pending = 0;
  let ended = false;
  let timer: Timer | undefined;
  const rest = () => {
    timer?.cancel();
    timer = clock.after(idleMs, () => socket.destroy());
  };
  const read = () => {
    while (pending < maxPending && got.length >= 2) {
      const length = got.readUInt16BE(0);
      if (got.length < 2 + length) break;
      const packet = got.subarray(2, 2 + length);
      got = got.subarray(2 + length);
      pending++;
      responder.respond(packet, (bytes) => {
        pending--;
        if (bytes !== undefined && !socket.destroyed) {
          const framed = Buffer.allocUnsafe(2 + bytes.length);
          framed.writeUInt16BE(bytes.length);
          bytes.copy(framed, 2);
          socket.write(framed);
        }
        rest();
        if (pending === maxPending - 1 && socket.isPaused()) {
          socket.resume();
          read();
        }
        if (ended && pending === 0) socket.end();
      });
    }
    if (pending >= maxPending) socket.pause();
  };
  rest();
  socket.on('error', () => socket.destroy());
  socket.once('close', () => timer?.cancel());
  socket.on('data', (bytes) => {
    got = got.length === 0 ? bytes : Buffer.concat([got, bytes]);
    rest();
    read();
  });
  socket.on('end', () => {
    ended = true;
    if (pending === 0) socket.end();
  });
}
