// How a follower learns that it has everything up to a revision R when nothing under our prefix changed at R, because R was
// somebody else's write to the same etcd. A write of ours gets a revision above R, and its event comes after everything before it.
// In an etcd of our own every revision is an event of ours and no such write is ever made.
import type { Clock, Timer } from '../../base/index.ts';

export interface ProgressOptions {
  readonly clock: Clock;
  /** Writes under the watched prefix and says at which revision. After a failure it is tried again, as long as somebody waits. */
  readonly nudge: () => Promise<number>;
}

/** How long events get to arrive by themselves. They take about a millisecond. */
const patienceMs = 20;
/** After others were seen writing, so long without that patience. */
const foreignMs = 10_000;
const retryMs = 500;

export class Progress {
  readonly #clock: Clock;
  readonly #nudge: () => Promise<number>;
  #following = false;
  #delivered = 0;
  #wanted = 0;
  #timer: Timer | null = null;
  #nudging = false;
  #foreignUntilMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, nudge }: ProgressOptions) {
    this.#clock = clock;
    this.#nudge = nudge;
  }

  /** A watch follows from `revision`. */
  start(revision: number): void {
    this.#following = true;
    this.#delivered = revision;
    this.#arm(patienceMs);
  }

  /** The watch is over. What was wanted is wanted of the next one. */
  stop(): void {
    this.#following = false;
    this.#timer?.cancel();
    this.#timer = null;
  }

  delivered(revision: number): void {
    this.#delivered = revision;
    if (revision < this.#wanted) return;
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Somebody waits until everything up to `revision` is delivered. */
  want(revision: number): void {
    this.#wanted = Math.max(this.#wanted, revision);
    this.#arm(this.#clock.monotonicMs() < this.#foreignUntilMs ? 0 : patienceMs);
  }

  #arm(delayMs: number): void {
    if (!this.#following || this.#delivered >= this.#wanted || this.#timer !== null || this.#nudging) return;
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = null;
      this.#nudging = true;
      this.#foreignUntilMs = this.#clock.monotonicMs() + foreignMs;
      const again = (reached: number) => {
        this.#nudging = false;
        // What was wanted meanwhile may lie beyond this nudge. Otherwise its event is on its way, or the watch is in trouble.
        this.#arm(this.#wanted > reached ? 0 : retryMs);
      };
      this.#nudge().then(again, () => again(Number.POSITIVE_INFINITY));
    });
  }
}
