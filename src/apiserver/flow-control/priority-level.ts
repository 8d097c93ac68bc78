// A priority level as the server runs it, and the flows that lead to it. It outlives changes of its object: what waits and runs stays
// where it is.
import type { FlowSchema, PriorityLevelConfiguration } from '../../api/index.ts';
import type { RequestAttributes } from '../auth/attributes.ts';
import type { FlowSeries } from './flow-metrics.ts';
import { type LevelSpec, maxSeatsOf, type SeatLimits } from './limits.ts';
import { type Occupant, type Queue, QueueSet } from './queue-set.ts';
import { RetryAfter } from './retry-after.ts';
import { type DemandStats, noDemand } from './seat-demand.ts';
import { Hands } from './shuffle-sharding.ts';

export class PriorityLevel {
  readonly name: string;
  /** '' while the object of a mandatory level is missing. */
  uid = '';
  spec: LevelSpec;
  limits: SeatLimits = { nominal: 0, lower: 0, upper: 0 };
  demand: DemandStats = noDemand;
  /** Its object is gone; it goes when its last request has. */
  isQuiescing = false;
  readonly set: QueueSet;
  readonly retryAfter = new RetryAfter();
  readonly totals = { dispatched: 0, rejected: 0, timedOut: 0, cancelled: 0 };

  constructor({ metadata, spec }: PriorityLevelConfiguration, nowMs: number) {
    this.name = metadata.name;
    this.spec = spec;
    this.set = new QueueSet({ seats: 0, queues: 0, queueLength: 0 }, nowMs, {
      seated: (occupant) => onSeated(this, occupant as Visit),
      noRoom: (occupant) => (occupant as Visit).flow?.series.noRoom.increment(),
    });
  }

  get isExempt(): boolean {
    return this.spec.type === 'Exempt';
  }

  /** How wide one request may be here. */
  get maxSeats(): number {
    return maxSeatsOf(this.spec, this.limits.nominal);
  }

  /** `seats` are those of the next period. */
  apply(seats: number, nowMs: number): void {
    const queuing = this.spec.limited?.limitResponse?.queuing;
    this.set.reconfigure(
      { seats, queues: queuing?.queues ?? 0, queueLength: queuing?.queueLengthLimit ?? 0 },
      nowMs,
    );
  }
}

/** A schema and the level that it leads to. Made anew with every change. */
export class Flow {
  readonly name: string;
  readonly uid: string;
  readonly level: PriorityLevel;
  readonly isExempt: boolean;
  readonly #by: string | undefined;
  readonly #hands: Hands;
  readonly #makeSeries: () => FlowSeries;
  #series: FlowSeries | null = null;
  #headers: Readonly<Record<string, string>> = {};
  #headersOf: string | null = null;

  constructor({ metadata, spec }: FlowSchema, level: PriorityLevel, makeSeries: () => FlowSeries) {
    this.name = metadata.name;
    this.uid = metadata.uid ?? '';
    this.level = level;
    this.isExempt = level.isExempt;
    this.#by = spec.distinguisherMethod?.type;
    const { queues = 1, handSize = 1 } = level.spec.limited?.limitResponse?.queuing ?? {};
    this.#hands = new Hands(metadata.name, queues, Math.min(handSize, queues));
    this.#makeSeries = makeSeries;
  }

  /**
   * What an answer says of it: which schema and which level, without their names: those may tell users what administrators think of them.
   * The object of a mandatory one may be deleted and not back yet.
   */
  get headers(): Readonly<Record<string, string>> {
    const { uid } = this.level;
    if (this.#headersOf === uid) return this.#headers;
    this.#headersOf = uid;
    this.#headers = {
      ...(this.uid !== '' && { 'x-kubernetes-pf-flowschema-uid': this.uid }),
      ...(uid !== '' && { 'x-kubernetes-pf-prioritylevel-uid': uid }),
    };
    return this.#headers;
  }

  get series(): FlowSeries {
    return (this.#series ??= this.#makeSeries());
  }

  /** What tells its requests apart: who asks, or where. */
  distinguisher({ user, namespace }: RequestAttributes): string {
    return this.#by === 'ByUser' ? user.name : this.#by === 'ByNamespace' ? namespace : '';
  }

  /** The queues that it may use. */
  handOf(a: RequestAttributes): readonly number[] {
    return this.#hands.of(this.distinguisher(a));
  }
}

/** One request on its way through; made by whoever serves it and filled in here, so that flow control itself allocates nothing. */
export class Visit implements Occupant {
  flow: Flow | null = null;
  seats = 1;
  queue: Queue | null = null;
  arrivedMs = 0;
  seatedMs = 0;
  arrivedAt = 0;
  /** Of one that waits. */
  attributes: RequestAttributes | null = null;
  wake: (() => void) | null = null;
}

function onSeated(level: PriorityLevel, visit: Visit): void {
  level.totals.dispatched++;
  const series = visit.flow?.series;
  if (series !== undefined) {
    series.waiting.add(-1);
    series.waitingSeats.add(-visit.seats);
    series.waited.observe((visit.seatedMs - visit.arrivedMs) / 1000);
    series.dispatched.increment();
    series.executing.add(1);
    series.executingSeats.add(visit.seats);
  }
  visit.wake?.();
}
