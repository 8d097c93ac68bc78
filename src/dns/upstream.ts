// One question to one server of somebody else: UDP, and TCP when the answer did not fit. The choice: a socket for each exchange, so
// that port and id are both random, and only the asked server's datagrams arrive.
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock, Random } from '../base/index.ts';
import { decodeMessage, flag, type Message, type Question } from './message.ts';
import { MessageWriter, ownUdpPayload } from './message-writer.ts';

export interface UpstreamServer {
  readonly address: string;
  readonly port: number;
}

export interface UpstreamQuestion extends Question {
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/** Asks; rejects when there is no usable answer in time. The seam of tests: no network behind a fake. */
export type Exchange = (
  server: UpstreamServer,
  question: UpstreamQuestion,
  signal: AbortSignal,
) => Promise<Message>;

export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
}

export interface ExchangeOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** For the datagram, and once more for the connection. */
  readonly timeoutMs: number;
}

export function networkExchange({ clock, random, timeoutMs }: ExchangeOptions): Exchange {
  const writer = new MessageWriter();
  const encode = (question: UpstreamQuestion, id: number): Buffer => {
    const length = writer.writeMessage({
      id,
      flags: flag.rd | (question.checkingDisabled ? flag.cd : 0),
      questions: [question],
      answers: [],
      authorities: [],
      additionals: [],
      edns: { version: 0, udpPayload: ownUdpPayload, dnssecOk: question.dnssecOk, extendedRcode: 0 },
    });
    return Buffer.from(writer.buffer.subarray(0, length));
  };
  return async (server, question, signal) => {
    const ask = (over: typeof overUdp) => {
      const id = Math.floor(random.next() * 0x10000);
      return withTimeout({ clock, timeoutMs, signal }, (ending) =>
        over(server, encode(question, id), { accepts: (message) => isAnswer(message, id, question), ending }),
      );
    };
    const answer = await ask(overUdp);
    return (answer.flags & flag.tc) === 0 ? answer : await ask(overTcp);
  };
}

/** Whether it answers what was asked and not something that another sent. */
function isAnswer(
  { id, flags, questions }: Message,
  expected: number,
  { name, type, class: of }: Question,
): boolean {
  const [question] = questions;
  return (
    id === expected &&
    (flags & flag.qr) !== 0 &&
    questions.length === 1 &&
    question?.name === name &&
    question.type === type &&
    question.class === of
  );
}

interface Exchanging {
  accepts(message: Message): boolean;
  readonly ending: AbortSignal;
}

function overUdp(server: UpstreamServer, packet: Buffer, { accepts, ending }: Exchanging): Promise<Message> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: isIPv6(server.address) ? 'udp6' : 'udp4', signal: ending });
    const end = (error: unknown) => {
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.close();
      reject(error);
    };
    socket.once('close', () => reject(ending.reason));
    socket.once('error', end);
    socket.on('message', (bytes) => {
      let message: Message;
      try {
        message = decodeMessage(bytes);
      } catch {
        // It may be a stranger's: the right one may still come.
        return;
      }
      if (!accepts(message)) return;
      resolve(message);
      socket.close();
    });
    // Not as a callback of connect, which is called when there is no way to the server as well.
    socket.once('connect', () => {
      socket.send(packet, (error) => {
        if (error !== null) end(error);
      });
    });
    socket.connect(server.port, server.address);
  });
}

function overTcp(server: UpstreamServer, packet: Buffer, { accepts, ending }: Exchanging): Promise<Message> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: server.port, noDelay: true });
    const stop = () => socket.destroy(ending.reason as Error);
    ending.addEventListener('abort', stop, { once: true });
    let got = Buffer.alloc(0);
    socket.once('close', () => {
      ending.removeEventListener('abort', stop);
      reject(new UpstreamError('the server closed the connection'));
    });
    socket.once('error', reject);
    socket.once('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(packet.length);
      socket.write(Buffer.concat([length, packet]));
    });
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes]);
      if (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) return;
      try {
        const message = decodeMessage(got.subarray(2, 2 + got.readUInt16BE(0)));
        if (!accepts(message)) throw new UpstreamError('the server answered something else');
        resolve(message);
      } catch (error) {
        reject(error);
      }
      socket.destroy();
    });
    if (ending.aborted) stop();
  });
}

async function withTimeout<T>(
  { clock, timeoutMs, signal }: { clock: Clock; timeoutMs: number; signal: AbortSignal },
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const abort = new AbortController();
  const timer = clock.after(timeoutMs, () =>
    abort.abort(new UpstreamError(`no answer within ${timeoutMs} ms`)),
  );
  const stop = () => abort.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await run(abort.signal);
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', stop);
  }
}
