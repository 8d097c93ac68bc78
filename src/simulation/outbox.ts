// What simulated nodes have to tell the API server: a bounded number of calls under way, so that a burst of a hundred thousand steps
// becomes a queue and not a hundred thousand promises. Calls under way at the same time share a commit. HOT: bench/simulation.ts.
import { type Clock, type Log, RingQueue, type Scope, TurnBudget } from '../base/index.ts';

/** Something to be told: what is said is decided when it is its turn, so the newest state goes out and older ones do not. */
export abstract class Message {
  /** Kept by the outbox. */
  place: 'idle' | 'queued' | 'sending' | 'again' = 'idle';

  /** One call at a time for each message. It sees to its own retries; what it throws is logged. */
  abstract send(): Promise<void>;
}

export class Outbox {
  readonly #queue = new RingQueue<Message>();
  readonly #limit: number;
  readonly #scope: Scope;
  readonly #log: Log;
  /** A call to an API server of the same process does most of its work before it returns. */
  readonly #budget: TurnBudget;
  #sending = 0;
  #resting = false;

  constructor(options: {
    readonly limit: number;
    readonly scope: Scope;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#budget = new TurnBudget(options.clock);
    this.#limit = options.limit;
    this.#scope = options.scope;
    this.#log = options.log;
  }

  /** Queued once, however often it is put. What is put while it is being sent is sent again. */
  put(message: Message): void {
    if (this.#scope.stopped) return;
    if (message.place === 'sending') message.place = 'again';
    if (message.place !== 'idle') return;
    message.place = 'queued';
    this.#queue.push(message);
    this.#next();
  }

  #next(): void {
    while (this.#sending < this.#limit && !this.#resting) {
      if (this.#queue.size > 0 && this.#budget.due) {
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
