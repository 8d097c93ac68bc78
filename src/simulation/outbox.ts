// What simulated nodes have to tell the API server: a bounded number of calls under way, so that a burst of a hundred thousand steps
// becomes a queue and not a hundred thousand promises. Calls under way at the same time share a commit. HOT: bench/simulation.ts.
import { type Clock, type Log, RingQueue, type Scope, TurnBudget } from '../base/index.ts';

/** Something to be told: what is said is decided when it is its turn, so the newest state goes out and older ones do not. */
export abstract class Message {
  /** Kept by the outbox. */
  place: 'idle' | 'queued' | 'sending' | 'again' = 'idle';
  /** Since when it is queued, monotonic. Kept by the outbox. */
  queuedMs = 0;

  /** One call at a time for each message. It sees to its own retries; what it throws is logged. */
  abstract send(): Promise<void>;
}

export interface OutboxOptions {
  /** How many calls are under way at most. */
  readonly limit: number;
  /**
   * What has waited longer goes out even when this turn of the event loop has had its share: a server with more to do than it can
   * must not take nodes for dead because they have no turn to speak. Default: everything can wait.
   */
  readonly patienceMs?: number;
  readonly scope: Scope;
  readonly clock: Clock;
  readonly log: Log;
}

export class Outbox {
  readonly #queue = new RingQueue<Message>();
  readonly #limit: number;
  readonly #patienceMs: number;
  readonly #clock: Clock;
  readonly #scope: Scope;
  readonly #log: Log;
  /** A call to an API server of the same process does most of its work before it returns. */
  readonly #budget: TurnBudget;
  #sending = 0;
  #resting = false;

  constructor(options: OutboxOptions) {
    this.#clock = options.clock;
    this.#budget = new TurnBudget(options.clock);
    this.#limit = options.limit;
    this.#patienceMs = options.patienceMs ?? Number.POSITIVE_INFINITY;
    this.#scope = options.scope;
    this.#log = options.log;
  }

  /** Queued once, however often it is put. What is put while it is being sent is sent again. */
  put(message: Message): void {
    if (this.#scope.stopped) return;
    if (message.place === 'sending') message.place = 'again';
    if (message.place !== 'idle') return;
    message.place = 'queued';
    message.queuedMs = this.#clock.monotonicMs();
    this.#queue.push(message);
    this.#next();
  }

  #next(): void {
    while (this.#sending < this.#limit && !this.#resting) {
      if (this.#budget.due && this.#canWait(this.#queue.peek())) {
        this.#rest();
        return;
      }
      const message = this.#queue.shift();
      if (message === undefined) return;
      message.place = 'sending';
      this.#sending++;
      this.#scope.run('simulated node', () => this.#send(message));
    }
  }

  #canWait(first: Message | undefined): boolean {
    return first !== undefined && this.#clock.monotonicMs() - first.queuedMs <= this.#patienceMs;
  }

  /** The rest goes out when everything else had its turn. */
  #rest(): void {
    this.#resting = true;
    setImmediate(() => {
      this.#resting = false;
      this.#next();
    });
  }

  async #send(message: Message): Promise<void> {
    try {
      await message.send();
    } catch (error) {
      if (!this.#scope.stopped) this.#log.warn('a simulated node could not tell', { error });
    }
    this.#sending--;
    const again = message.place === 'again';
    message.place = 'idle';
    if (again) this.put(message);
    else this.#next();
  }
}
