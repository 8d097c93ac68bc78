// The fake of a name server of somebody else, on real sockets of the loopback.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { decodeMessage, flag, type Message, type Question } from '../message.ts';
import { MessageWriter } from '../message-writer.ts';
import type { UpstreamServer } from '../upstream.ts';

const writer = new MessageWriter();
/** A message, and what is left out of it as it usually is. */
export const encode = (message: Partial<Message>): Buffer => {
  const whole = {
    id: 1,
    flags: 0,
    questions: [],
    answers: [],
    authorities: [],
    additionals: [],
    edns: undefined,
    ...message,
  };
  return Buffer.from(writer.buffer.subarray(0, writer.writeMessage(whole)));
};

/** Answers over UDP and TCP with what `reply` makes of a question; undefined = not at all. */
export class FakeUpstream {
  readonly asked: string[] = [];
  reply: (question: Question, over: 'udp' | 'tcp') => Partial<Message> | Buffer | undefined = () => ({});
  readonly #udp: UdpSocket = createSocket('udp4');
  readonly #tcp: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const answer = this.#answer(bytes.subarray(2), 'tcp');
      if (answer === undefined) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(length);
      socket.write(answer);
    });
  });
  server: UpstreamServer = { address: '127.0.0.1', port: 0 };

  async start(): Promise<this> {
    let port = await this.#listen();
    // What is free for TCP may be somebody's for UDP.
    while (!(await this.#bind(port))) {
      await new Promise((done) => this.#tcp.close(done));
      port = await this.#listen();
    }
    this.server = { address: '127.0.0.1', port };
    this.#udp.on('message', (bytes, from) => {
      const answer = this.#answer(bytes, 'udp');
      if (answer !== undefined) this.#udp.send(answer, from.port, from.address);
    });
    return this;
  }

  #listen(): Promise<number> {
    return new Promise((done) => {
      this.#tcp.listen(0, '127.0.0.1', () => done((this.#tcp.address() as AddressInfo).port));
    });
  }

  #bind(port: number): Promise<boolean> {
    return new Promise((done) => {
      this.#udp.once('error', () => done(false));
      this.#udp.bind(port, '127.0.0.1', () => {
        this.#udp.removeAllListeners('error');
        done(true);
      });
    });
  }

  #answer(bytes: Buffer, over: 'udp' | 'tcp'): Buffer | undefined {
    const { id, questions } = decodeMessage(bytes);
    const question = questions[0]!;
    this.asked.push(over);
    const made = this.reply(question, over);
    if (made === undefined || Buffer.isBuffer(made)) return made;
    return encode({ id, flags: flag.qr | flag.ra, questions, ...made });
  }

  stop(): void {
    this.#udp.close();
    this.#tcp.close();
  }
}
