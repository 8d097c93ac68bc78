// The seats of one priority level and the queues before them: fair queueing between queues, first come first served within one. A state
// machine without timers or promises: every call says what time it is. HOT: bench/flow-control.ts.
//
// The choice: while nobody waits and there is room, a request is a counter and knows no queue. Only what had to wait takes part in the
// virtual time by which queues are compared, so a flow's share is fair from the moment that seats are scarce. Queues exist only while they
// hold something: a level may have ten million.
//
// Invariants
// 1. `seatsInUse` is the sum over what is seated, `seatsWaiting` over what waits; each request is in one of them or gone.
// 2. With a limit of at least the request's width, `seatsInUse` never grows beyond the limit. A wider request runs alone.
// 3. While something waits, no request that comes later is seated before the fair order says so.
import { SeatDemand } from './seat-demand.ts';

export interface QueueSetLimits {
  /** 0 with queues = all wait. */
  readonly seats: number;
  /** 0 = what finds no room is refused. */
  readonly queues: number;
  readonly queueLength: number;
}

/** One request, from when it asks for seats to when it gives them back. The queue set fills it in. */
export interface Occupant {
  seats: number;
  /** null = it did not have to wait. */
  queue: Queue | null;
  /** Monotonic, as all times here. */
  arrivedMs: number;
  seatedMs: number;
  /** The virtual time at which it came to its queue. */
  arrivedAt: number;
}

export class Queue {
  readonly index: number;
  /** In the order in which they came. */
  readonly waiting = new Set<Occupant>();
  seatsWaiting = 0;
  executing = 0;
  seatsInUse = 0;
  /** The virtual time, in seat-seconds, at which its next request would start. */
  nextStart = 0;

  constructor(index: number) {
    this.index = index;
  }

  get isIdle(): boolean {
    return this.waiting.size === 0 && this.executing === 0;
  }
}

/** Before a request has run nobody knows how long it takes; kube-apiserver's guess. */
const guessedSeconds = 0.003;
const workOf = ({ seats }: Occupant): number => seats * guessedSeconds;

export class QueueSet {
  #limits: QueueSetLimits;
  readonly #onSeated: (occupant: Occupant) => void;
  readonly #onNoRoom: (occupant: Occupant) => void;
  readonly #queues = new Map<number, Queue>();
  readonly demand: SeatDemand;
  /** How many seat-seconds each busy queue could have had. */
  #virtual = 0;
  #virtualMs: number;
  #lastIndex = -1;
  #enqueued = 0;
  #queuedSeats = 0;
  executing = 0;
  waiting = 0;
  seatsInUse = 0;
  seatsWaiting = 0;

  /**
   * `onSeated` is told of each that had to wait, within the call that gave it room; `onNoRoom` of the one whose turn it is and for which
   * there are too few seats yet.
   */
  constructor(
    limits: QueueSetLimits,
    nowMs: number,
    on: { readonly seated: (o: Occupant) => void; readonly noRoom: (o: Occupant) => void },
  ) {
    this.#limits = limits;
    this.#onSeated = on.seated;
    this.#onNoRoom = on.noRoom;
    this.#virtualMs = nowMs;
    this.demand = new SeatDemand(nowMs);
  }

  get limits(): QueueSetLimits {
    return this.#limits;
  }

  get isIdle(): boolean {
    return this.waiting === 0 && this.executing === 0;
  }

  /** Those with requests of theirs, by number. */
  get busyQueues(): readonly Queue[] {
    return [...this.#queues.values()].sort((a, b) => a.index - b.index);
  }

  /** Seats it at once if nobody waits and there is room. */
  start(occupant: Occupant, nowMs: number): boolean {
    const { seats, queues } = this.#limits;
    if (this.waiting > 0 || !this.#hasRoom(occupant.seats)) return false;
    if (queues > 0 && this.seatsInUse >= seats) return false;
    occupant.arrivedMs = nowMs;
    this.#seat(occupant, nowMs);
    this.#noteDemand(nowMs);
    return true;
  }

  /** Seats it whatever the limit: for levels that are exempt. */
  startAnyway(occupant: Occupant, nowMs: number): void {
    occupant.arrivedMs = nowMs;
    this.#seat(occupant, nowMs);
    this.#noteDemand(nowMs);
  }

  /**
   * Puts it into the emptiest queue of its hand, and then seats whoever may go. False: that queue is full.
   * `hand` are numbers below `limits.queues`.
   */
  enqueue(occupant: Occupant, hand: readonly number[], nowMs: number): boolean {
    this.#advance(nowMs);
    const index = this.#chooseFrom(hand);
    let queue = this.#queues.get(index);
    if (this.seatsInUse >= this.#limits.seats && (queue?.waiting.size ?? 0) >= this.#limits.queueLength)
      return false;
    if (queue === undefined) {
      queue = new Queue(index);
      queue.nextStart = this.#virtual;
      this.#queues.set(index, queue);
    }
    occupant.queue = queue;
    occupant.arrivedMs = nowMs;
    occupant.arrivedAt = this.#virtual;
    queue.waiting.add(occupant);
    queue.seatsWaiting += occupant.seats;
    this.waiting++;
    this.seatsWaiting += occupant.seats;
    this.#keepUp(queue);
    this.#dispatch(nowMs);
    this.#noteDemand(nowMs);
    return true;
  }

  /** Takes one out that waits no more. False: it does not wait. */
  withdraw(occupant: Occupant, nowMs: number): boolean {
    const { queue } = occupant;
    if (queue?.waiting.has(occupant) !== true) return false;
    this.#advance(nowMs);
    this.#unqueue(queue, occupant);
    this.#keepUp(queue);
    if (queue.isIdle) this.#queues.delete(queue.index);
    // It may have been too wide for the room that the next one finds.
    this.#dispatch(nowMs);
    this.#noteDemand(nowMs);
    return true;
  }

  /** Gives back the seats of one that was seated, and seats whoever may go. */
  finish(occupant: Occupant, nowMs: number): void {
    const { queue, seats } = occupant;
    if (queue !== null) {
      this.#advance(nowMs);
      queue.executing--;
      queue.seatsInUse -= seats;
      this.#queuedSeats -= seats;
      // It was charged what requests take on average; now it is known what it took.
      queue.nextStart -= seats * (guessedSeconds - (nowMs - occupant.seatedMs) / 1000);
      this.#keepUp(queue);
      if (queue.isIdle) this.#queues.delete(queue.index);
    }
    this.executing--;
    this.seatsInUse -= seats;
    if (this.waiting > 0) {
      if (queue === null) this.#advance(nowMs);
      this.#dispatch(nowMs);
    }
    this.#noteDemand(nowMs);
  }

  /** Queues that are no more are emptied first. */
  reconfigure(limits: QueueSetLimits, nowMs: number): void {
    this.#advance(nowMs);
    this.#limits = limits;
    this.#dispatch(nowMs);
  }

  #noteDemand(nowMs: number): void {
    this.demand.set(this.seatsInUse + this.seatsWaiting, nowMs);
  }

  #hasRoom(seats: number): boolean {
    const limit = this.#limits.seats;
    return seats > limit ? this.executing === 0 : this.seatsInUse + seats <= limit;
  }

  #seat(occupant: Occupant, nowMs: number): void {
    occupant.seatedMs = nowMs;
    this.executing++;
    this.seatsInUse += occupant.seats;
  }

  #unqueue(queue: Queue, occupant: Occupant): void {
    queue.waiting.delete(occupant);
    queue.seatsWaiting -= occupant.seats;
    this.waiting--;
    this.seatsWaiting -= occupant.seats;
  }

  /** Virtual time goes on as fast as each busy queue could be served. */
  #advance(nowMs: number): void {
    const seconds = (nowMs - this.#virtualMs) / 1000;
    this.#virtualMs = nowMs;
    const busy = this.#queues.size;
    if (busy === 0 || seconds <= 0) return;
    const wanted = this.#queuedSeats + this.seatsWaiting;
    this.#virtual += (Math.min(wanted, this.#limits.seats) / busy) * seconds;
  }

  /** A queue that could not use its share does not save it up. */
  #keepUp(queue: Queue): void {
    const [oldest] = queue.waiting;
    if (oldest !== undefined && queue.nextStart < oldest.arrivedAt) queue.nextStart = oldest.arrivedAt;
  }

  /** Looked at from another card each time, so that hands which overlap do not all begin with the same one. */
  #chooseFrom(hand: readonly number[]): number {
    const offset = this.#enqueued++ % hand.length;
    let best = hand[offset]!;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < hand.length; i++) {
      const index = hand[(offset + i) % hand.length]!;
      const work = this.#queues.get(index)?.seatsWaiting ?? 0;
      if (work < least) {
        least = work;
        best = index;
      }
    }
    return best;
  }

  #dispatch(nowMs: number): void {
    while (this.waiting > 0 && this.seatsInUse < this.#limits.seats) {
      const queue = this.#nextQueue();
      const [oldest] = queue.waiting;
      if (oldest === undefined) throw new Error('a queue without requests was chosen');
      if (!this.#hasRoom(oldest.seats)) {
        this.#onNoRoom(oldest);
        return;
      }
      this.#lastIndex = queue.index;
      this.#unqueue(queue, oldest);
      this.#seat(oldest, nowMs);
      queue.executing++;
      queue.seatsInUse += oldest.seats;
      this.#queuedSeats += oldest.seats;
      queue.nextStart += workOf(oldest);
      this.#keepUp(queue);
      this.#onSeated(oldest);
    }
  }

  /** Whose oldest request would be done first in virtual time; among equals the next after the last one that had its turn. */
  #nextQueue(): Queue {
    let best: Queue | undefined;
    let bestFinish = 0;
    let bestDistance = 0;
    for (const queue of this.#queues.values()) {
      const [oldest] = queue.waiting;
      if (oldest === undefined) continue;
      const finish = queue.nextStart + workOf(oldest);
      const distance = this.#distance(queue.index);
      if (best === undefined || finish < bestFinish || (finish === bestFinish && distance < bestDistance)) {
        best = queue;
        bestFinish = finish;
        bestDistance = distance;
      }
    }
    if (best === undefined) throw new Error('requests wait in no queue');
    return best;
  }

  /** Steps from the last queue that had its turn, round the circle. */
  #distance(index: number): number {
    return index > this.#lastIndex ? index - this.#lastIndex : index - this.#lastIndex + 1e9;
  }
}
