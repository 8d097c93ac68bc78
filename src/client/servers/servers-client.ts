// An HttpsClient over several API servers: calls go to one of them, and when that one fails, to another. The choice: nothing is asked in
// the background. A call that fails, or that waits for long, is what makes it look; then all servers are asked at once whether they are
// ready, and who answers first is taken. What goes on over the server that is left is ended, so that watches are taken up at the next.
import type { Readable } from 'node:stream';
import type { Clock, Log, Timer } from '../../base/index.ts';
import {
  ConnectionError,
  type HttpsAnswer,
  type HttpsCall,
  type HttpsClient,
  type KeyPairPem,
  type UpgradedConnection,
} from '../../http/index.ts';
import { planServerChoice, type ServerHealth } from './server-choice.ts';

export interface ServersClientOptions {
  /** At least one `https://HOST:PORT`, which stay. */
  readonly servers: readonly string[];
  /** Found out since then. */
  readonly learnt?: readonly string[] | undefined;
  /** A client of one of them. Opened when it is needed, closed with this one. */
  readonly open: (server: string) => HttpsClient;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Rejects as its clients do, with these differences while there are several servers: a call that was not sent goes to another server, and
 * one that only reads too, whatever became of it. Another one rejects, since it may have taken effect.
 */
export interface ServersClient extends HttpsClient {
  /** Where calls go now; undefined = none has answered yet, or none does any more. */
  readonly server: string | undefined;
  /** Replaces those that were found out. The one in use stays in use. */
  learn(servers: readonly string[]): void;
}

/** A call without an answer for this long makes us look whether its server is well, and again each time that long. */
const slowMs = 400;
/**
 * How long the server in use may take to say so once another has answered. With half a second between heartbeats and the time that the
 * look takes, a node is heard by another server 1.6 s after it was last heard, and is given up after 2 s.
 */
const patienceMs = 550;
/** Then once more, since an answer may be here that this process, held up itself, has not come to read. */
const lastLookMs = 50;
/** For a server to say whether it is ready. Its own look at its store takes 2 s at most. */
const askTimeoutMs = 2500;
const askPath = '/readyz';
/** While nobody is ready, who said so is asked again: it may just have started. */
const askAgainMs = 250;

/** What may be sent once more, though it may have taken effect. */
const repeatable = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Nothing of the call has reached the server. */
const unsent = new Set<ConnectionError['code']>(['refused', 'unreachable', 'tls']);

export function createServersClient(options: ServersClientOptions): ServersClient {
  return new Servers(options);
}

/** Something under way over one server, which can be ended. */
interface Underway {
  readonly server: string;
  /** A watch, a log, a terminal: it goes on for as long as its server is well. */
  readonly lasting: boolean;
  end(why: ConnectionError): void;
}

interface Sent<T> {
  readonly call: HttpsCall;
  readonly lasting: boolean;
  readonly send: (client: HttpsClient, call: HttpsCall) => Promise<T>;
  /** What of the answer outlives it. */
  readonly body?: (answer: T) => Readable | undefined;
}

class Servers implements ServersClient {
  readonly #options: ServersClientOptions;
  readonly #clients = new Map<string, HttpsClient>();
  readonly #underway = new Set<Underway>();
  #learnt: readonly string[];
  #current: string | undefined;
  /** The last one that calls went to. */
  #last: string | undefined;
  /** While the servers are being asked. */
  #choosing: Promise<string> | undefined;
  #certificate: KeyPairPem | undefined;
  #closed = false;

  constructor(options: ServersClientOptions) {
    if (options.servers.length === 0) throw new Error('there must be a server');
    this.#options = options;
    this.#learnt = options.learnt ?? [];
  }

  get server(): string | undefined {
    return this.#current;
  }

  learn(servers: readonly string[]): void {
    this.#learnt = servers;
    const kept = new Set(this.#all());
    for (const [server, client] of this.#clients) {
      if (kept.has(server)) continue;
      for (const one of [...this.#underway])
        if (one.server === server) one.end(new ConnectionError('reset', `${server}: is no server any more`));
      this.#clients.delete(server);
      client.close();
    }
  }

  request(call: HttpsCall): Promise<HttpsAnswer<Buffer>> {
    return this.#perform({ call, lasting: false, send: (client, sent) => client.request(sent) });
  }

  stream(call: HttpsCall): Promise<HttpsAnswer<Readable>> {
    return this.#perform({
      call,
      lasting: true,
      send: (client, sent) => client.stream(sent),
      body: (answer) => answer.body,
    });
  }

  upgrade(call: HttpsCall): Promise<UpgradedConnection | HttpsAnswer<Buffer>> {
    return this.#perform<UpgradedConnection | HttpsAnswer<Buffer>>({
      call,
      lasting: true,
      send: (client, sent) => client.upgrade(sent),
      body: (answer) => ('socket' in answer ? answer.socket : undefined),
    });
  }

  setCertificate(cert: string, key: string): void {
    this.#certificate = { cert, key };
    for (const client of this.#clients.values()) client.setCertificate(cert, key);
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#clients.values()) client.close();
  }

  /** Without doubles; the one in use first. */
  #all(): readonly string[] {
    const { servers } = this.#options;
    const own = this.#current === undefined ? [] : [this.#current];
    return [...new Set([...own, ...servers, ...this.#learnt])];
  }

  #clientOf(server: string): HttpsClient {
    let client = this.#clients.get(server);
    if (client === undefined) {
      client = this.#options.open(server);
      const pair = this.#certificate;
      if (pair !== undefined) client.setCertificate(pair.cert, pair.key);
      if (this.#closed) client.close();
      this.#clients.set(server, client);
    }
    return client;
  }

  async #perform<T extends object>(sent: Sent<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const servers = this.#all();
      if (servers.length === 1) this.#last = this.#current = servers[0]!;
      const server = this.#current ?? (await this.#choose());
      try {
        const answer = await this.#over(server, sent);
        // Its store is away, or it ends: another one may do better.
        if ('status' in answer && Number(answer.status) >= 500) this.#doubt(server);
        return answer;
      } catch (error) {
        if (!(error instanceof ConnectionError) || error.code === 'closed') throw error;
        // Those who come after it wait for what becomes of it.
        if (unsent.has(error.code) && this.#current === server && this.#all().length > 1)
          this.#current = undefined;
        else this.#doubt(server);
        const again = unsent.has(error.code) || repeatable.has(sent.call.method);
        if (!again || tries > servers.length || this.#all().length === 1) throw error;
        if (sent.call.signal?.aborted) throw sent.call.signal.reason;
        await this.#choosing;
      }
    }
  }

  async #over<T>(server: string, { call, lasting, send, body }: Sent<T>): Promise<T> {
    const ended = new AbortController();
    const signal = call.signal === undefined ? ended.signal : AbortSignal.any([call.signal, ended.signal]);
    const underway: Underway = { server, lasting, end: (why) => ended.abort(why) };
    this.#underway.add(underway);
    const timer = this.#whileSlow(() => this.#doubt(server));
    try {
      const answer = await send(this.#clientOf(server), { ...call, signal });
      const rest = body?.(answer);
      if (rest !== undefined) this.#follow(server, rest);
      return answer;
    } finally {
      timer.cancel();
      this.#underway.delete(underway);
    }
  }

  #whileSlow(look: () => void): Timer {
    const { clock } = this.#options;
    let timer: Timer;
    const wait = () => {
      timer = clock.after(slowMs, () => {
        look();
        wait();
      });
    };
    wait();
    return { cancel: () => timer.cancel() };
  }

  #follow(server: string, body: Readable): void {
    const underway: Underway = { server, lasting: true, end: (why) => body.destroy(why) };
    this.#underway.add(underway);
    body.once('close', () => this.#underway.delete(underway));
  }

  /** Somebody has reason to think that the server in use is not well. */
  #doubt(server: string): void {
    if (server !== this.#current || this.#closed || this.#all().length === 1) return;
    this.#choose().catch(() => {
      // Whoever calls next is told.
    });
  }

  /** Rejects with a ConnectionError when none can be reached. */
  #choose(): Promise<string> {
    this.#choosing ??= this.#ask().finally(() => {
      this.#choosing = undefined;
    });
    return this.#choosing;
  }

  #ask(): Promise<string> {
    const { clock, log } = this.#options;
    const before = this.#current;
    const servers = this.#all();
    const over = new AbortController();
    const health = new Map<string, ServerHealth>(servers.map((server) => [server, 'asked']));
    const failures = new Map<string, unknown>();
    return new Promise((resolve, reject) => {
      let isPatient = true;
      let patience: Timer | undefined;
      const again = new Map<string, Timer>();
      const look = () => {
        if (over.signal.aborted) return;
        const asked = [...health].map(([server, is]) => ({ server, health: is }));
        const chosen = planServerChoice(asked, before, { isPatient });
        if (chosen === undefined) {
          if (asked.some((one) => one.health === 'ready'))
            patience ??= clock.after(patienceMs, () => {
              patience = clock.after(lastLookMs, () => {
                isPatient = false;
                look();
              });
            });
          return;
        }
        patience?.cancel();
        for (const timer of again.values()) timer.cancel();
        over.abort(new Error('a server was chosen'));
        if (chosen === 'none') {
          this.#current = undefined;
          reject(noServer([...failures.values()]));
          return;
        }
        const left = this.#last;
        this.#last = this.#current = chosen.server;
        if (left !== undefined && left !== chosen.server)
          log.warn('the API server does not answer as it should: going on with another', {
            server: chosen.server,
            left,
            health: health.get(left) ?? 'unknown',
          });
        this.#leave(chosen.server, health);
        resolve(chosen.server);
      };
      const ask = (server: string): void =>
        void this.#askOne(server, over.signal).then(({ is, failure }) => {
          if (over.signal.aborted) return;
          if (failure !== undefined) failures.set(server, failure);
          // Set anew, so that the order is that of the answers.
          health.delete(server);
          health.set(server, is);
          again.set(
            server,
            clock.after(askAgainMs, () => ask(server)),
          );
          look();
        });
      for (const server of servers) ask(server);
    });
  }

  async #askOne(server: string, signal: AbortSignal): Promise<{ is: ServerHealth; failure?: unknown }> {
    try {
      // As a stream: it does not wait behind what is under way.
      const { status, body } = await this.#clientOf(server).stream({
        method: 'GET',
        path: askPath,
        signal,
        timeoutMs: askTimeoutMs,
      });
      body.on('error', () => {});
      body.resume();
      return { is: status === 200 ? 'ready' : 'alive' };
    } catch (failure) {
      const isSilent = failure instanceof ConnectionError && failure.code === 'timeout';
      return { is: isSilent ? 'silent' : 'gone', failure };
    }
  }

  /**
   * What lasts is taken up at another server by who began it. Of the rest only what is at a server that has said nothing is ended: who
   * answers, or ends in order, finishes what it has begun.
   */
  #leave(chosen: string, health: ReadonlyMap<string, ServerHealth>): void {
    for (const one of [...this.#underway]) {
      if (one.server === chosen) continue;
      if (one.lasting || ['asked', 'silent'].includes(health.get(one.server) ?? 'asked'))
        one.end(new ConnectionError('reset', `${one.server}: left for ${chosen}, which answers`));
    }
  }
}

function noServer(failures: readonly unknown[]): ConnectionError {
  const [first] = failures;
  const code = first instanceof ConnectionError ? first.code : 'unreachable';
  const messages = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)));
  return new ConnectionError(code, messages.join('; '), first);
}
