// One timer for many things to come: heartbeats of ten thousand nodes, steps of a hundred thousand pods. What is due within the same
// tick runs together, so that its writes share a commit. HOT: bench/simulation.ts.
import { type Clock, Heap, type Timer, TurnBudget } from '../base/index.ts';

export interface Appointment {
  /** What is cancelled does not run. Idempotent. */
  cancel(): void;
}

class Entry implements Appointment {
  readonly dueMs: number;
  /** null = it has run or is cancelled. */
  run: (() => void) | null;

  constructor(dueMs: number, run: () => void) {
    this.dueMs = dueMs;
    this.run = run;
  }

  cancel(): void {
    this.run = null;
  }
}

export interface AgendaOptions {
  readonly tickMs: number;
  readonly patienceMs?: number;
}

export class Agenda {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #patienceMs: number;
  readonly #budget: TurnBudget;
  readonly #entries = new Heap<Entry>((a, b) => a.dueMs < b.dueMs);
  #timer: Timer | null = null;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #closed = false;

  /**
   * Nothing runs more than `tickMs` late, as long as the event loop is free. When it is not, what is more than `patienceMs` late runs
   * although this turn has had its share; default: everything can wait.
   */
  constructor(clock: Clock, { tickMs, patienceMs = Number.POSITIVE_INFINITY }: AgendaOptions) {
    this.#clock = clock;
    this.#budget = new TurnBudget(clock);
    this.#tickMs = tickMs;
    this.#patienceMs = patienceMs;
  }

  /** Calls `run` once, when `delayMs` have passed or at the next tick after them; never synchronously. It must not throw. */
  after(delayMs: number, run: () => void): Appointment {
    const entry = new Entry(this.#clock.monotonicMs() + Math.max(0, delayMs), run);
    if (this.#closed) return entry;
    this.#entries.push(entry);
    this.#arm();
    return entry;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#entries.clear();
  }

  #arm(): void {
    const next = this.#entries.peek();
    if (next === undefined || this.#closed) return;
    const dueMs = Math.ceil(next.dueMs / this.#tickMs) * this.#tickMs;
    if (dueMs >= this.#timerDueMs) return;
    this.#timer?.cancel();
    this.#timerDueMs = dueMs;
    this.#timer = this.#clock.after(dueMs - this.#clock.monotonicMs(), () => this.#fire());
  }

  #fire(): void {
    this.#timer = null;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonicMs();
    for (
      let next = this.#entries.peek();
      next !== undefined && next.dueMs <= nowMs;
      next = this.#entries.peek()
    ) {
      if (this.#budget.due && nowMs - next.dueMs <= this.#patienceMs) {
        this.#timerDueMs = nowMs;
        this.#timer = this.#clock.after(0, () => this.#fire());
        return;
      }
      this.#entries.pop();
      const { run } = next;
      next.run = null;
      run?.();
    }
    this.#arm();
  }
}
