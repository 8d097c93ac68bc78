// How many seats a level could have used: the most, the average and the spread since it was last asked, weighted by time. From these
// follows what levels lend each other.

export interface DemandSeen {
  readonly max: number;
  readonly average: number;
  readonly deviation: number;
  readonly overMs: number;
}

/** What a number was over time. HOT: it is told of each request twice. */
export class SeatDemand {
  #value = 0;
  #max = 0;
  #sinceMs: number;
  #lastMs: number;
  /** Of value × time, and of value² × time. */
  #sum = 0;
  #squares = 0;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
    this.#lastMs = nowMs;
  }

  set(value: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#value = value;
    if (value > this.#max) this.#max = value;
  }

  /** What was seen since the last time, which begins anew. */
  take(nowMs: number): DemandSeen {
    this.#advance(nowMs);
    const overMs = nowMs - this.#sinceMs;
    const average = overMs > 0 ? this.#sum / overMs : 0;
    const variance = overMs > 0 ? this.#squares / overMs - average * average : 0;
    const seen = { max: this.#max, average, deviation: Math.sqrt(Math.max(0, variance)), overMs };
    this.#max = this.#value;
    this.#sum = 0;
    this.#squares = 0;
    this.#sinceMs = nowMs;
    return seen;
  }

  #advance(nowMs: number): void {
    const passedMs = nowMs - this.#lastMs;
    if (passedMs <= 0) return;
    this.#sum += this.#value * passedMs;
    this.#squares += this.#value * this.#value * passedMs;
    this.#lastMs = nowMs;
  }
}

/** A level's demand over the last period, and what is made of it for the next ones. */
export interface DemandStats {
  readonly highWatermark: number;
  readonly average: number;
  readonly deviation: number;
  readonly smoothed: number;
}

export const noDemand: DemandStats = { highWatermark: 0, average: 0, deviation: 0, smoothed: 0 };

/** kube-apiserver's: half of a demand that is gone is forgotten in about five minutes. */
const smoothing = 0.977;

/** Grows at once and goes down slowly. Pure. */
export function nextStats(before: DemandStats, seen: DemandSeen): DemandStats {
  if (seen.overMs <= 0) return { ...before, highWatermark: seen.max };
  const envelope = seen.average + seen.deviation;
  return {
    highWatermark: seen.max,
    average: seen.average,
    deviation: seen.deviation,
    smoothed: Math.max(envelope, smoothing * before.smoothed + (1 - smoothing) * envelope),
  };
}
