// Names that are not the cluster's: asked of the node's own servers, kept for a while, and one question for all who wait for it.
import { type Clock, type Log, type Random, sleep } from '../base/index.ts';
import { AnswerCache } from './answer-cache.ts';
import {
  classIn,
  flag,
  type Message,
  type Question,
  type ResourceRecord,
  rcode,
  rcodeOf,
  type as rrType,
} from './message.ts';
import type { Answer } from './message-writer.ts';
import { lowerCase, nameOf, textOf, type WireName } from './name.ts';
import type { Exchange, UpstreamQuestion, UpstreamServer } from './upstream.ts';

export interface ForwarderOptions {
  /** Asked for each exchange: they may change. Servers of our own are not among them. */
  readonly servers: () => readonly UpstreamServer[];
  readonly exchange: Exchange;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Exchanges end with it. */
  readonly signal: AbortSignal;
  readonly cacheBytes?: number | undefined;
  readonly counts?: ForwardCounts | undefined;
}

export interface ForwardCounts {
  cacheHit(kind: 'success' | 'denial'): void;
  cacheMiss(): void;
  exchange(server: string, seconds: number, failed: boolean): void;
}

/** A resolver gives up after five seconds: it shall hear of a failure before. */
const deadlineMs = 4_500;
const maxKeepMs = 30_000;
/** A failure is remembered too, or a server that is down is asked by everybody all the time. */
const failureKeepMs = 1_000;
const maxExchanges = 1_000;
/** A server that did not answer is asked last for so long. */
const avoidMs = 10_000;
const loopAvoidMs = 60_000;

export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly cache: AnswerCache;
  readonly #running = new Map<string, Promise<Answer>>();
  readonly #avoidUntilMs = new Map<string, number>();
  /** Names that nobody but we ask for, and whom we asked: seen here, they tell a loop. */
  readonly #probes = new Map<WireName, UpstreamServer>();
  readonly #loopsUntilMs = new Map<string, number>();

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.cache = new AnswerCache({ clock: options.clock, maxBytes: options.cacheBytes ?? 8 << 20 });
  }

  /** Never rejects: what fails is SERVFAIL. An answer that is here already is given at once. */
  resolve(
    question: Question,
    flags: { dnssecOk: boolean; checkingDisabled: boolean },
  ): Answer | Promise<Answer> {
    const { counts } = this.#options;
    const key = `${String.fromCharCode(question.type, question.class, Number(flags.dnssecOk) + 2 * Number(flags.checkingDisabled))}${question.name}`;
    const kept = this.cache.get(key);
    if (kept !== undefined) {
      counts?.cacheHit(kept.answers.length > 0 ? 'success' : 'denial');
      return kept;
    }
    counts?.cacheMiss();
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    if (this.#probes.size > 0) this.#noticeLoop(question.name);
    if (this.#running.size >= maxExchanges) return failure;
    const promise = this.#ask({ ...question, ...flags }).then((answer) => {
      this.#running.delete(key);
      this.cache.put(key, answer, keepMs(answer));
      return answer;
    });
    this.#running.set(key, promise);
    return promise;
  }

  /** Asks each server once for a name that only we know; one that brings the question back is left alone for a minute. */
  async probeLoops(): Promise<void> {
    const { servers, exchange, random, clock, signal } = this.#options;
    for (const server of servers()) {
      // Below no domain of a special use: those are often answered without being passed on.
      const part = () => Math.floor(random.next() * 2 ** 48).toString(36);
      const name = nameOf(`${part()}.${part()}`);
      this.#probes.set(name, server);
      const question = { name, type: rrType.HINFO, class: classIn, dnssecOk: false, checkingDisabled: false };
      await exchange(server, question, signal).catch(() => {});
      // It may still be on its way when the exchange has timed out.
      if (!signal.aborted) await sleep(clock, 100, signal).catch(() => {});
      this.#probes.delete(name);
    }
  }

  #noticeLoop(name: WireName): void {
    const server = this.#probes.get(name);
    if (server === undefined) return;
    this.#loopsUntilMs.set(keyOf(server), this.#options.clock.monotonicMs() + loopAvoidMs);
    this.#options.log.error('a name server sends our own questions back to us, it is not asked', {
      server: server.address,
    });
  }

  async #ask(question: UpstreamQuestion): Promise<Answer> {
    const { clock, signal } = this.#options;
    const deadline = new AbortController();
    const stop = () => deadline.abort(signal.reason);
    const timer = clock.after(deadlineMs, stop);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await this.#askEach(question, deadline.signal);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', stop);
    }
  }

  async #askEach(question: UpstreamQuestion, signal: AbortSignal): Promise<Answer> {
    const { clock, exchange, log, counts } = this.#options;
    let last: Answer | undefined;
    const servers = this.#order();
    // A datagram may be lost: who has nobody else to ask asks again.
    for (const server of servers.length === 1 ? [...servers, ...servers] : servers) {
      if (signal.aborted) break;
      const sentMs = clock.monotonicMs();
      try {
        const answer = answerFrom(question, await exchange(server, question, signal));
        counts?.exchange(server.address, (clock.monotonicMs() - sentMs) / 1000, false);
        this.#avoidUntilMs.delete(keyOf(server));
        if (answer.rcode === rcode.noError || answer.rcode === rcode.nxDomain) return answer;
        // Another server may know better.
        last = answer;
      } catch (error) {
        if (this.#options.signal.aborted) break;
        counts?.exchange(server.address, (clock.monotonicMs() - sentMs) / 1000, true);
        this.#avoidUntilMs.set(keyOf(server), clock.monotonicMs() + avoidMs);
        log.debug('a name server did not answer', {
          server: server.address,
          name: textOf(question.name),
          error,
        });
      }
    }
    return last ?? failure;
  }

  /** As resolv.conf has them, those that failed lately last, those that loop not at all. */
  #order(): UpstreamServer[] {
    const nowMs = this.#options.clock.monotonicMs();
    const until = (times: Map<string, number>, server: UpstreamServer) =>
      (times.get(keyOf(server)) ?? 0) > nowMs;
    const usable = this.#options.servers().filter((server) => !until(this.#loopsUntilMs, server));
    const good = usable.filter((server) => !until(this.#avoidUntilMs, server));
    return [...good, ...usable.filter((server) => !good.includes(server))];
  }
}

const keyOf = ({ address, port }: UpstreamServer): string => `${address} ${port}`;

const failure: Answer = {
  rcode: rcode.servFail,
  authoritative: false,
  answers: [],
  authorities: [],
  additionals: [],
};

/** Only what the question leads to is taken over, so that a server can plant no other names in the cache. */
function answerFrom(question: UpstreamQuestion, message: Message): Answer {
  const names = new Set([question.name]);
  // A chain is told in its order.
  const answers = message.answers.filter((record) => {
    if (!names.has(record.name)) return record.type === rrType.DNAME || record.type === signature;
    if (record.type === rrType.CNAME) names.add(lowerCaseName(record.data));
    return true;
  });
  const code = rcodeOf(message);
  const denies = answers.length === 0 || code !== rcode.noError;
  return {
    rcode: code,
    authoritative: false,
    authenticated: (message.flags & flag.ad) !== 0,
    answers: answers.map(capped),
    // Those who asked only for addresses have no use for more, and it fits better without.
    authorities: denies || question.dnssecOk ? message.authorities.map(capped) : [],
    additionals: [],
  };
}

const signature = 46;
const lowerCaseName = (data: Buffer): WireName => lowerCase(data.toString('latin1'));
const capped = (record: ResourceRecord): ResourceRecord =>
  record.ttl * 1000 > maxKeepMs ? { ...record, ttl: maxKeepMs / 1000 } : record;

/** The shortest time of its records; of a denial, what its SOA says (RFC 2308, 5). */
export function keepMs(answer: Answer): number {
  if (answer.rcode !== rcode.noError && answer.rcode !== rcode.nxDomain) return failureKeepMs;
  const seconds = answer.answers.map((record) => record.ttl);
  const denies = answer.answers.length === 0 || answer.rcode === rcode.nxDomain;
  if (denies) {
    const soa = answer.authorities.find((record) => record.type === rrType.SOA);
    // Without it there is nothing to go by: not kept.
    if (soa === undefined) return answer.answers.length === 0 ? 0 : Math.min(...seconds) * 1000;
    seconds.push(soa.ttl, soa.data.length >= 4 ? soa.data.readUInt32BE(soa.data.length - 4) : 0);
  }
  return Math.min(maxKeepMs, Math.min(...seconds) * 1000);
}
