// How long a request may take (kube-apiserver's --request-timeout and ?timeout=): who waits longer is told so with 504, and what was
// begun goes on without an answer, as its outcome cannot be taken back. HOT: bench/api.ts. Almost every request has the same limit,
// so they expire in the order in which they came: one timer serves them all, and a request costs a place in a set.
import type { Clock, Timer } from '../../base/index.ts';
import { badRequest, durationError, parseDuration, StatusError } from '../../machinery/index.ts';
import type { Query } from './query.ts';

interface Running {
  readonly deadlineMs: number;
  readonly expire: (error: StatusError) => void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #limitMs: number;
  /** In the order of their deadlines. */
  readonly #running = new Set<Running>();
  #timer: Timer | undefined;
  #draining = false;

  /** `limitMs` 0 = none */
  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** As `work` ends, or rejects with 504 when it takes too long; how it ends then is not told. */
  run<T>(query: Query, work: () => Promise<T>): Promise<T> {
    const asked = query.size === 0 ? 0 : askedTimeoutMs(query);
    const own = asked > 0 && (this.#limitMs === 0 || asked < this.#limitMs);
    if (!own && this.#limitMs === 0) return work();
    return new Promise((resolve, reject) => {
      if (own) {
        const timer = this.#clock.after(asked, () => reject(timedOut()));
        const done = () => timer.cancel();
        work().then(resolve, reject).finally(done);
        return;
      }
      const running = { deadlineMs: this.#clock.monotonicMs() + this.#limitMs, expire: reject };
      this.#running.add(running);
      if (this.#timer === undefined) this.#arm(this.#limitMs);
      work().then(
        (value) => {
          this.#done(running);
          resolve(value);
        },
        (error: unknown) => {
          this.#done(running);
          reject(error);
        },
      );
    });
  }

  /** No timer outlives the last request from now on. */
  drain(): void {
    this.#draining = true;
    if (this.#running.size === 0) this.#disarm();
  }

  #done(running: Running): void {
    this.#running.delete(running);
    if (this.#draining && this.#running.size === 0) this.#disarm();
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => this.#expire());
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The timer is left to run out instead of being set anew for each request; then it moves on to the oldest that is left. */
  #expire(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonicMs();
    for (const running of this.#running) {
      if (running.deadlineMs > now) {
        this.#arm(running.deadlineMs - now);
        return;
      }
      this.#running.delete(running);
      running.expire(timedOut());
    }
  }
}

const timedOut = (): StatusError =>
  new StatusError(504, 'Timeout', 'Timeout: request did not complete within the allotted timeout', {});

/** 0 = the client leaves it to the server. Throws 400 for what is no duration. */
export function askedTimeoutMs(query: Query): number {
  const text = query.get('timeout') ?? '';
  if (text === '') return 0;
  const why = durationError(text);
  if (why !== undefined) throw badRequest(`invalid timeout specified in the request URL - ${why}`);
  return parseDuration(text)!;
}
