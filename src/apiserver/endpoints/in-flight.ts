// How many requests may be worked on at once, reads and writes apart, as kube-apiserver's --max-requests-inflight has it: who
// comes too late is told to come again, so that the others are answered in time. Watches and streams do not count.
import type { Clock } from '../../base/index.ts';
import { type StatusError, tooManyRequests, type Verb } from '../../machinery/index.ts';
import { type UserInfo, wellKnown } from '../auth/attributes.ts';

export interface InFlightLimits {
  /** 0 = no limit */
  readonly reads: number;
  /** 0 = no limit */
  readonly writes: number;
}

export type Lane = 'reads' | 'writes';

export const laneOf = (verb: Verb): Lane => (verb === 'get' || verb === 'list' ? 'reads' : 'writes');

const peakOverMs = 1000;

/** How many requests of a lane run, and the most that ran at once of late. */
class Running {
  now = 0;
  /** Of the time since `#sinceMs`, and of the like span before it. */
  #peak = 0;
  #peakBefore = 0;
  #sinceMs = 0;

  enter(nowMs: number): void {
    this.#turn(nowMs);
    if (++this.now > this.#peak) this.#peak = this.now;
  }

  peak(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(this.#peak, this.#peakBefore);
  }

  #turn(nowMs: number): void {
    const passedMs = nowMs - this.#sinceMs;
    if (passedMs < peakOverMs) return;
    this.#peakBefore = passedMs < 2 * peakOverMs ? this.#peak : this.now;
    this.#peak = this.now;
    this.#sinceMs = nowMs;
  }
}

export class InFlight {
  readonly #limits: InFlightLimits;
  readonly #clock: Clock;
  readonly #lanes = { reads: new Running(), writes: new Running() };

  constructor(limits: InFlightLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** The most requests of a lane that ran at once within the last second or two. */
  peak(lane: Lane): number {
    return this.#lanes[lane].peak(this.#clock.monotonicMs());
  }

  /** False = `run` would refuse. */
  hasRoom(lane: Lane, user: UserInfo): boolean {
    const limit = this.#limits[lane];
    return limit === 0 || this.#lanes[lane].now < limit || user.groups.includes(wellKnown.masters);
  }

  /** Runs `work` when there is room, else throws 429. Administrators are always let in. */
  async run<T>(lane: Lane, user: UserInfo, work: () => Promise<T>): Promise<T> {
    if (!this.hasRoom(lane, user)) throw busy();
    const running = this.#lanes[lane];
    running.enter(this.#clock.monotonicMs());
    try {
      return await work();
    } finally {
      running.now--;
    }
  }
}

const busy = (): StatusError => tooManyRequests('Too many requests, please try again later.', 1);
