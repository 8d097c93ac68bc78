// How many requests may be worked on at once, reads and writes apart, as kube-apiserver's --max-requests-inflight has it: who
// comes too late is told to come again, so that the others are answered in time. Watches and streams do not count.
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

export class InFlight {
  readonly #limits: InFlightLimits;
  readonly #now = { reads: 0, writes: 0 };

  constructor(limits: InFlightLimits) {
    this.#limits = limits;
  }

  /** Runs `work` when there is room, else throws 429. Administrators are always let in. */
  async run(lane: Lane, user: UserInfo, work: () => Promise<void>): Promise<void> {
    const limit = this.#limits[lane];
    if (limit > 0 && this.#now[lane] >= limit && !user.groups.includes(wellKnown.masters)) throw busy();
    this.#now[lane]++;
    try {
      await work();
    } finally {
      this.#now[lane]--;
    }
  }
}

const busy = (): StatusError => tooManyRequests('Too many requests, please try again later.', 1);
