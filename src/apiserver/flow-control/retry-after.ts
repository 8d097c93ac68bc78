// When who was refused may come again: doubled while many are refused, one second less when few are, from 1 s to 32 s. Pure but for what
// it remembers; the rule is kube-apiserver's.

const mostSeconds = 32;

interface Second {
  readonly at: number;
  readonly refused: number;
}

/** Of one priority level. */
export class RetryAfter {
  #seconds = 1;
  #raisedAt = 0;
  #history: Second[] = [];
  #current = 0;
  #count = 0;

  /** Seconds. */
  get seconds(): number {
    return this.#seconds;
  }

  /** `nowSeconds` is whole. */
  refused(nowSeconds: number): void {
    if (nowSeconds === this.#current) {
      this.#count++;
      return;
    }
    if (this.#count > 0) this.#history.push({ at: this.#current, refused: this.#count });
    this.#history = this.#history.filter(({ at }) => nowSeconds - at <= mostSeconds);
    this.#current = nowSeconds;
    this.#count = 1;
    this.#adjust(nowSeconds);
  }

  /** By what was refused within the time that is told to wait now. Raised at most once in that time, or one burst would raise it twice. */
  #adjust(now: number): void {
    let refused = 0;
    for (const second of this.#history) if (now - second.at <= this.#seconds) refused += second.refused;
    if (now - this.#raisedAt >= this.#seconds && refused >= 3 * this.#seconds) {
      this.#seconds = Math.min(mostSeconds, this.#seconds * 2);
      this.#raisedAt = now;
    } else if (refused < this.#seconds && this.#seconds > 1) this.#seconds--;
  }
}
