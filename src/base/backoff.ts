// How long to wait before trying again: longer after each failure, with jitter so that many clients spread out.
import type { Random } from './random.ts';

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Default 2. */
  readonly factor?: number;
  /** Adds up to this share of the delay, e.g. 0.5 = delay to 1.5 × delay. Needs `random`. Default 0. */
  readonly jitter?: number;
  readonly random?: Random | undefined;
}

/** The delay after `failures` earlier failures (0 = the first), without jitter. */
export function backoffMs(
  failures: number,
  options: Pick<BackoffOptions, 'initialMs' | 'maxMs' | 'factor'>,
): number {
  return Math.min(options.maxMs, options.initialMs * (options.factor ?? 2) ** failures);
}

export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** How many delays were handed out since the last reset. */
  get failures(): number {
    return this.#failures;
  }

  nextMs(): number {
    const delayMs = backoffMs(this.#failures++, this.#options);
    const { jitter = 0, random } = this.#options;
    return random === undefined ? delayMs : delayMs * (1 + jitter * random.next());
  }

  reset(): void {
    this.#failures = 0;
  }
}
