// What is counted of flow control, under kube-apiserver's names. HOT: the series of a flow are looked up once, with its first request.
import type { Counter, Gauge, Histogram, MetricFamily, MetricRegistry } from '../../base/index.ts';
import type { Allocation, SeatLimits } from './limits.ts';
import type { DemandStats } from './seat-demand.ts';

export type RejectReason = 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled';

const durations = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
const queueLengths = [0, 10, 25, 50, 100, 250, 500, 1000];
const seatCounts = [1, 2, 4, 10];
const name = (rest: string): string => `apiserver_flowcontrol_${rest}`;

/** What the requests of one schema at one level count into. */
export interface FlowSeries {
  readonly dispatched: Counter;
  readonly executing: Gauge;
  readonly executingSeats: Gauge;
  readonly waiting: Gauge;
  readonly waitingSeats: Gauge;
  readonly estimated: Histogram;
  readonly waited: Histogram;
  readonly waitedInVain: Histogram;
  readonly executed: Histogram;
  readonly watchesBegun: Histogram;
  readonly queueLength: Histogram;
  readonly noRoom: Counter;
  rejected(reason: RejectReason): void;
}

const levelGauges = {
  nominal_limit_seats: 'Seats of a level by its shares.',
  lower_limit_seats: 'Seats that are left to a level that lends all it may.',
  upper_limit_seats: 'Seats of a level that borrows all it may.',
  current_limit_seats: 'Seats of a level now.',
  demand_seats_high_watermark: 'Most seats that a level could have used at once over the last period.',
  demand_seats_average: 'Seats that a level could have used over the last period, on average.',
  demand_seats_stdev: 'How much that varied.',
  demand_seats_smoothed: 'Average and deviation, going down slowly.',
  target_seats: 'Seats that a level was to get if all had enough.',
} as const;
type LevelGauge = keyof typeof levelGauges;

export class FlowMetrics {
  readonly #registry: MetricRegistry;
  readonly #ofLevel: Readonly<Record<LevelGauge, MetricFamily<Gauge>>>;
  readonly #fairFraction: Gauge;

  constructor(registry: MetricRegistry) {
    this.#registry = registry;
    const gauges = Object.entries(levelGauges).map(([key, help]) => [
      key,
      registry.gauge({ name: name(key), help, labels: ['priority_level'] }),
    ]);
    this.#ofLevel = Object.fromEntries(gauges);
    this.#fairFraction = registry
      .gauge({ name: name('seat_fair_frac'), help: 'Part of its target that each level gets.' })
      .of();
  }

  /** The series of one schema at one level. */
  flow(level: string, schema: string): FlowSeries {
    const registry = this.#registry;
    const labels = ['priority_level', 'flow_schema'];
    const counter = (key: string, help: string) => registry.counter({ name: name(key), help, labels });
    const gauge = (key: string, help: string) =>
      registry.gauge({ name: name(key), help, labels }).of(level, schema);
    const histogram = (key: string, help: string, buckets: readonly number[], more: readonly string[] = []) =>
      registry.histogram({ name: name(key), help, labels: [...labels, ...more], buckets });
    const waits = histogram('request_wait_duration_seconds', 'Time in a queue.', durations, ['execute']);
    const runs = histogram('request_execution_seconds', 'Time on a seat.', durations, ['type']);
    const rejections = registry.counter({
      name: name('rejected_requests_total'),
      help: 'Requests that were told to come again.',
      labels: [...labels, 'reason'],
    });
    return {
      dispatched: counter('dispatched_requests_total', 'Requests that got a seat.').of(level, schema),
      executing: gauge('current_executing_requests', 'Requests on a seat; watches only while they begin.'),
      executingSeats: gauge('current_executing_seats', 'Seats that these take.'),
      waiting: gauge('current_inqueue_requests', 'Requests in a queue.'),
      waitingSeats: gauge('current_inqueue_seats', 'Seats that these wait for.'),
      estimated: histogram('work_estimated_seats', 'Seats that a request takes.', seatCounts).of(
        level,
        schema,
      ),
      waited: waits.of(level, schema, 'true'),
      waitedInVain: waits.of(level, schema, 'false'),
      executed: runs.of(level, schema, 'regular'),
      watchesBegun: runs.of(level, schema, 'watch'),
      queueLength: histogram(
        'request_queue_length_after_enqueue',
        'Length of a queue as who joins it sees it.',
        queueLengths,
      ).of(level, schema),
      noRoom: counter(
        'request_dispatch_no_accommodation_total',
        'Times that a request was next and the free seats were too few for it.',
      ).of(level, schema),
      rejected: (reason) => rejections.of(level, schema, reason).increment(),
    };
  }

  showLimits(level: string, { nominal, lower, upper }: SeatLimits): void {
    this.#set(level, { nominal_limit_seats: nominal, lower_limit_seats: lower, upper_limit_seats: upper });
  }

  /** `at` is the index of the level in the allocation. */
  showAllocation(
    level: string,
    demand: DemandStats,
    { allocation, at }: { allocation: Allocation; at: number },
  ): void {
    this.#fairFraction.set(allocation.fairFraction);
    this.#set(level, {
      current_limit_seats: allocation.seats[at] ?? 0,
      target_seats: allocation.targets[at] ?? 0,
      demand_seats_high_watermark: demand.highWatermark,
      demand_seats_average: demand.average,
      demand_seats_stdev: demand.deviation,
      demand_seats_smoothed: demand.smoothed,
    });
  }

  forgetLevel(level: string): void {
    for (const family of Object.values(this.#ofLevel)) family.delete(level);
  }

  #set(level: string, values: Partial<Record<LevelGauge, number>>): void {
    for (const [key, value] of Object.entries(values)) this.#ofLevel[key as LevelGauge].of(level).set(value);
  }
}
