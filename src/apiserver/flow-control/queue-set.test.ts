// Fair queueing by its invariants, over random lives of requests, and what a flood of one flow does to another.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Occupant, QueueSet } from './queue-set.ts';

class Request implements Occupant {
  readonly flow: string;
  seats: number;
  queue = null;
  arrivedMs = 0;
  seatedMs = -1;
  arrivedAt = 0;
  state: 'new' | 'waits' | 'runs' | 'done' | 'refused' | 'gone' = 'new';

  constructor(flow: string, seats: number) {
    this.flow = flow;
    this.seats = seats;
  }
}

/** A queue set, and whoever asked it for seats. */
class Level {
  nowMs = 0;
  readonly all: Request[] = [];
  readonly order: Request[] = [];
  readonly set: QueueSet;
  readonly #hands: Readonly<Record<string, readonly number[]>>;

  constructor(
    limits: { seats: number; queues: number; queueLength: number },
    hands: Readonly<Record<string, readonly number[]>> = {},
  ) {
    this.#hands = hands;
    this.set = new QueueSet(limits, 0, {
      seated: (request) => this.#seated(request as Request),
      noRoom: () => {},
    });
  }

  come(flow: string, seats = 1): Request {
    const request = new Request(flow, seats);
    this.all.push(request);
    request.state = 'waits';
    if (this.set.start(request, this.nowMs)) this.#seated(request);
    else if (this.set.limits.queues === 0) request.state = 'refused';
    else if (!this.set.enqueue(request, this.#hands[flow] ?? [0], this.nowMs)) request.state = 'refused';
    return request;
  }

  end(request: Request): void {
    request.state = 'done';
    this.set.finish(request, this.nowMs);
  }

  leave(request: Request): void {
    if (this.set.withdraw(request, this.nowMs)) request.state = 'gone';
  }

  in(state: Request['state']): Request[] {
    return this.all.filter((request) => request.state === state);
  }

  #seated(request: Request): void {
    expect(request.state).toBe('waits');
    request.state = 'runs';
    this.order.push(request);
  }
}

const seatsOf = (requests: readonly Request[]): number => requests.reduce((sum, { seats }) => sum + seats, 0);

describe('without queues', () => {
  it('refuses what finds no room, and lets one wide request run alone', () => {
    const level = new Level({ seats: 2, queues: 0, queueLength: 0 });
    const states = [level.come('a'), level.come('a'), level.come('a')].map(({ state }) => state);
    expect(states).toEqual(['runs', 'runs', 'refused']);
    for (const request of level.in('runs')) level.end(request);
    expect(level.come('a', 5).state).toBe('runs');
    expect(level.come('a').state).toBe('refused');
  });
});

describe('with queues', () => {
  it('refuses what finds its queue full', () => {
    const level = new Level({ seats: 1, queues: 1, queueLength: 2 });
    const states = Array.from({ length: 4 }, () => level.come('a').state);
    expect(states).toEqual(['runs', 'waits', 'waits', 'refused']);
  });

  it('holds everything while the level has no seats', () => {
    const level = new Level({ seats: 0, queues: 1, queueLength: 2 });
    expect(level.come('a').state).toBe('waits');
    level.set.reconfigure({ seats: 1, queues: 1, queueLength: 2 }, 0);
    expect(level.in('runs').length).toBe(1);
  });

  it('empties its queues when it has none any more', () => {
    const level = new Level({ seats: 1, queues: 2, queueLength: 2 });
    const first = level.come('a');
    const second = level.come('a');
    level.set.reconfigure({ seats: 1, queues: 0, queueLength: 0 }, 0);
    expect(level.come('a').state).toBe('refused');
    level.end(first);
    expect(second.state).toBe('runs');
    level.end(second);
    expect(level.set.isIdle).toBe(true);
    expect(level.set.busyQueues).toEqual([]);
  });

  it('seats whoever comes after a wide one that went away', () => {
    const level = new Level({ seats: 2, queues: 1, queueLength: 5 });
    level.come('a');
    const wide = level.come('a', 2);
    const narrow = level.come('a');
    expect([wide.state, narrow.state]).toEqual(['waits', 'waits']);
    level.leave(wide);
    expect(narrow.state).toBe('runs');
  });
});

/** 0 = a request comes, 1 = one ends, 2 = one goes away, 3 = the limit changes. */
const step = fc.record({
  what: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
  pick: fc.nat(1000),
  seats: fc.integer({ min: 1, max: 4 }),
  passMs: fc.integer({ min: 0, max: 20 }),
});

it('never gives more seats than there are, and loses no request', () => {
  const hands = { a: [0, 1], b: [1, 2], c: [3] };
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 8 }), fc.array(step, { maxLength: 120 }), (seats, steps) => {
      const level = new Level({ seats, queues: 4, queueLength: 3 }, hands);
      let limit = seats;
      for (const { what, pick, seats: wide, passMs } of steps) {
        level.nowMs += passMs;
        const runs = level.in('runs');
        const waits = level.in('waits');
        const seated = level.order.length;
        if (what === 0) level.come('abc'[pick % 3]!, wide);
        else if (what === 1 && runs.length > 0) level.end(runs[pick % runs.length]!);
        else if (what === 2 && waits.length > 0) level.leave(waits[pick % waits.length]!);
        else if (what === 3) {
          // Fewer seats than are taken: they come back one by one.
          limit = 4 + (pick % 5);
          level.set.reconfigure({ seats: limit, queues: 4, queueLength: 3 }, level.nowMs);
        }
        const { set } = level;
        expect(set.seatsInUse).toBe(seatsOf(level.in('runs')));
        expect(set.seatsWaiting).toBe(seatsOf(level.in('waits')));
        expect([set.executing, set.waiting]).toEqual([level.in('runs').length, level.in('waits').length]);
        if (level.order.length > seated) expect(set.seatsInUse).toBeLessThanOrEqual(limit);
        // Nothing waits while there is room for the widest.
        if (set.waiting > 0) expect(set.seatsInUse).toBeGreaterThan(limit - 4);
      }
      while (level.in('runs').length > 0) level.end(level.in('runs')[0]!);
      expect(level.set.isIdle).toBe(true);
      expect(level.set.busyQueues).toEqual([]);
      expect(level.in('waits')).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

it('with a limit that stays never gives more than it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 8 }), fc.array(step, { maxLength: 120 }), (seats, steps) => {
      const level = new Level({ seats, queues: 2, queueLength: 5 }, { a: [0], b: [1], c: [0, 1] });
      for (const { what, pick, seats: wide, passMs } of steps) {
        level.nowMs += passMs;
        const runs = level.in('runs');
        if (what === 1 && runs.length > 0) level.end(runs[pick % runs.length]!);
        else level.come('abc'[pick % 3]!, wide);
        expect(level.set.seatsInUse).toBeLessThanOrEqual(seats);
      }
    }),
    { numRuns: 200 },
  );
});

it('seats the requests of one queue in the order in which they came', () => {
  const level = new Level({ seats: 2, queues: 1, queueLength: 100 });
  const came = Array.from({ length: 20 }, () => level.come('a'));
  while (level.in('runs').length > 0) {
    level.nowMs += 3;
    level.end(level.in('runs')[0]!);
  }
  expect(level.order).toEqual(came);
});

it('gives a flow that asks little its seat, however much another one asks', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 20, max: 60 }),
      fc.integer({ min: 1, max: 30 }),
      (seats, flood, serviceMs) => {
        const level = new Level({ seats, queues: 8, queueLength: 100 }, { loud: [0, 1, 2], quiet: [2, 3] });
        for (let i = 0; i < flood; i++) level.come('loud');
        for (let round = 0; round < 10; round++) {
          // As many as end come anew: the flood does not subside.
          const quiet = level.come('quiet');
          let ended = 0;
          while (quiet.state === 'waits') {
            level.nowMs += serviceMs;
            for (const request of level.in('runs')) {
              level.end(request);
              ended++;
              level.come('loud');
            }
            expect(ended).toBeLessThanOrEqual(8 * seats);
          }
          level.end(quiet);
        }
      },
    ),
    { numRuns: 100 },
  );
});

it('divides the seats evenly between flows that ask without end, by their work and not by their number', () => {
  const level = new Level({ seats: 4, queues: 2, queueLength: 1000 }, { narrow: [0], wide: [1] });
  const seatMs = { narrow: 0, wide: 0 };
  for (let i = 0; i < 400; i++) {
    level.come('narrow', 1);
    level.come('wide', 2);
  }
  for (let tick = 0; tick < 150; tick++) {
    level.nowMs += 10;
    for (const request of level.in('runs')) {
      seatMs[request.flow as 'narrow' | 'wide'] += request.seats * (level.nowMs - request.seatedMs);
      level.end(request);
    }
  }
  expect(seatMs.narrow / seatMs.wide).toBeGreaterThan(0.8);
  expect(seatMs.narrow / seatMs.wide).toBeLessThan(1.25);
});
