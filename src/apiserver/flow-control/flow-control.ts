// API priority and fairness: who asks gets a seat at the level to which the first matching flow schema leads, waits for one, or is told
// to come again. HOT: bench/flow-control.ts. The choice: schemas and levels are followed from the store itself, as grants are, and
// compiled once a change; a request that finds room is two look-ups and a few counters, without a promise.
import { FlowSchema, PriorityLevelConfiguration } from '../../api/index.ts';
import type { Clock, MetricRegistry } from '../../base/index.ts';
import { type KindDef, type StatusError, tooManyRequests } from '../../machinery/index.ts';
import type { Store, StoreEvent } from '../../storage/index.ts';
import type { RequestAttributes } from '../auth/attributes.ts';
import { flowSchemas, priorityLevels } from '../bootstrap-flow-control.ts';
import { objectOf } from '../registry/objects.ts';
import { Classifier } from './classifier.ts';
import { dump } from './dump.ts';
import { FlowMetrics, type RejectReason } from './flow-metrics.ts';
import { allocateSeats, planLimits } from './limits.ts';
import { Flow, PriorityLevel, type Visit } from './priority-level.ts';
import { nextStats } from './seat-demand.ts';

export interface FlowControlOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly metrics: MetricRegistry;
  /** What all levels share: at least 1. */
  readonly seats: number;
}

/** How often levels lend each other seats anew. */
export const borrowingPeriodMs = 10_000;

/** What is known of a request that has to wait. */
export interface Asking {
  readonly attributes: RequestAttributes;
  /** How long it may wait in a queue. */
  readonly waitLimitMs: number;
  /** `close` = nobody waits for the answer any more. */
  readonly client: {
    once(event: 'close', listener: () => void): unknown;
    off(event: 'close', listener: () => void): unknown;
  };
}

/** The spec by its name, for as long as nobody has made the object. */
const imagined = <T>(name: string, table: readonly { metadata: { name?: string | undefined } }[]): T => {
  const found = table.find(({ metadata }) => metadata.name === name);
  return { ...found, metadata: { ...found?.metadata, uid: '' } } as unknown as T;
};
const mandatoryLevels = ['exempt', 'catch-all'].map((name) =>
  imagined<PriorityLevelConfiguration>(name, priorityLevels),
);
const mandatorySchemas = ['exempt', 'catch-all'].map((name) => imagined<FlowSchema>(name, flowSchemas));

export class FlowControl {
  readonly #options: FlowControlOptions;
  readonly #metrics: FlowMetrics;
  readonly #levels = new Map<string, PriorityLevel>();
  #classifier: Classifier<Flow> | null = null;
  #stops: (() => void)[] = [];

  constructor(options: FlowControlOptions) {
    this.#options = options;
    this.#metrics = new FlowMetrics(options.metrics);
  }

  /** The tables of /debug/api_priority_and_fairness/; undefined = there is none of that name. */
  dump(name: string, { details }: { details: boolean }): string | undefined {
    const { clock } = this.#options;
    return dump(name, {
      levels: this.levels,
      monotonicMs: clock.monotonicMs(),
      nowMs: clock.nowMs(),
      details,
    });
  }

  /** In the order of their names. */
  get levels(): readonly PriorityLevel[] {
    return [...this.#levels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  classify(a: RequestAttributes): Flow {
    return (this.#classifier ?? this.#follow()).find(a);
  }

  /** True: it has `visit.seats` of the level, and gives them back with `leave`. False: there is no room for it now. */
  enter(visit: Visit, flow: Flow): boolean {
    const { level, series } = flow;
    const nowMs = this.#options.clock.monotonicMs();
    visit.flow = flow;
    series.estimated.observe(visit.seats);
    if (flow.isExempt) level.set.startAnyway(visit, nowMs);
    else if (level.set.start(visit, nowMs)) series.waited.observe(0);
    else return false;
    level.totals.dispatched++;
    series.dispatched.increment();
    series.executing.add(1);
    series.executingSeats.add(visit.seats);
    return true;
  }

  /**
   * For whom `enter` had no room. undefined = it has its seats after all; a promise of it = it waits for them. Throws, or rejects with,
   * 429 when it does not get them.
   */
  wait(visit: Visit, { attributes, waitLimitMs, client }: Asking): Promise<void> | undefined {
    const { clock } = this.#options;
    const { flow } = visit;
    if (flow === null) throw new Error('a request that was not classified cannot wait');
    const { level, series } = flow;
    const nowMs = clock.monotonicMs();
    if (level.set.limits.queues === 0) throw this.#refused(visit, 'concurrency-limit');
    visit.attributes = attributes;
    series.waiting.add(1);
    series.waitingSeats.add(visit.seats);
    if (!level.set.enqueue(visit, flow.handOf(attributes), nowMs)) {
      this.#unqueued(visit);
      throw this.#refused(visit, 'queue-full');
    }
    const { queue } = visit;
    series.queueLength.observe(queue?.waiting.size ?? 0);
    if (queue?.waiting.has(visit) !== true) return undefined;
    return new Promise((resolve, reject) => {
      const giveUp = (reason: RejectReason): void => {
        settle();
        if (!level.set.withdraw(visit, clock.monotonicMs())) return;
        this.#unqueued(visit);
        reject(this.#refused(visit, reason));
      };
      const onGone = () => giveUp('cancelled');
      const timer = clock.after(waitLimitMs, () => giveUp('time-out'));
      client.once('close', onGone);
      const settle = (): void => {
        timer.cancel();
        client.off('close', onGone);
      };
      visit.wake = () => {
        settle();
        resolve();
      };
    });
  }

  /** Gives back what `enter` gave. A watch leaves when it has begun. */
  leave(visit: Visit, was: 'regular' | 'watch'): void {
    const { flow } = visit;
    if (flow === null) return;
    const { level, series } = flow;
    const nowMs = this.#options.clock.monotonicMs();
    level.set.finish(visit, nowMs);
    series.executing.add(-1);
    series.executingSeats.add(-visit.seats);
    (was === 'watch' ? series.watchesBegun : series.executed).observe((nowMs - visit.seatedMs) / 1000);
    if (level.isQuiescing && level.set.isIdle) this.#digest();
  }

  /** Lends seats anew by what levels could have used since the last time. Call it every `borrowingPeriodMs`. */
  adjust(): void {
    if (this.#classifier === null) this.#follow();
    this.#share(this.#options.clock.monotonicMs());
  }

  #unqueued({ flow, seats }: Visit): void {
    flow?.series.waiting.add(-1);
    flow?.series.waitingSeats.add(-seats);
  }

  #refused(visit: Visit, reason: RejectReason): StatusError {
    const { clock } = this.#options;
    const { flow } = visit;
    if (flow !== null) {
      const { level, series } = flow;
      const waitedMs = visit.queue === null ? 0 : clock.monotonicMs() - visit.arrivedMs;
      series.waitedInVain.observe(waitedMs / 1000);
      series.rejected(reason);
      if (reason === 'time-out') level.totals.timedOut++;
      else if (reason === 'cancelled') level.totals.cancelled++;
      else level.totals.rejected++;
      level.retryAfter.refused(Math.floor(clock.monotonicMs() / 1000));
    }
    return tooManyRequests('Too many requests, please try again later.', flow?.level.retryAfter.seconds ?? 1);
  }

  #follow(): Classifier<Flow> {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    const { store } = this.#options;
    const { revision } = store;
    // Set first: a watch that is lost at once must not be taken for one that stands.
    const classifier = this.#digest();
    for (const kind of [FlowSchema, PriorityLevelConfiguration] as unknown as KindDef[])
      this.#stops.push(
        store.watch(kind.storagePrefix, revision, {
          onEvents: (events) => {
            if (events.some(changesSpec)) this.#digest();
          },
          onLost: () => {
            this.#classifier = null;
          },
        }),
      );
    return classifier;
  }

  /** Everything from all objects: changes are rare. */
  #digest(): Classifier<Flow> {
    const { store, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const wanted = new Map(mandatoryLevels.map((level) => [level.metadata.name, level]));
    for (const entry of store.list(PriorityLevelConfiguration.storagePrefix)) {
      const level = objectOf<PriorityLevelConfiguration>(entry);
      wanted.set(level.metadata.name, level);
    }
    for (const object of wanted.values()) {
      const { name, uid = '' } = object.metadata;
      let level = this.#levels.get(name);
      if (level === undefined) this.#levels.set(name, (level = new PriorityLevel(object, nowMs)));
      level.uid = uid;
      level.spec = object.spec;
      level.isQuiescing = false;
    }
    for (const level of this.#levels.values()) {
      if (wanted.has(level.name)) continue;
      level.isQuiescing = true;
      if (!level.set.isIdle) continue;
      this.#levels.delete(level.name);
      this.#metrics.forgetLevel(level.name);
    }
    const levels = [...this.#levels.values()];
    const limits = planLimits(
      this.#options.seats,
      levels.map(({ spec }) => spec),
    );
    for (const [i, level] of levels.entries()) {
      level.limits = limits[i]!;
      this.#metrics.showLimits(level.name, level.limits);
    }
    this.#share(nowMs);
    return (this.#classifier = this.#compile());
  }

  #compile(): Classifier<Flow> {
    const schemas = new Map(mandatorySchemas.map((schema) => [schema.metadata.name, schema]));
    for (const entry of this.#options.store.list(FlowSchema.storagePrefix)) {
      const schema = objectOf<FlowSchema>(entry);
      schemas.set(schema.metadata.name, schema);
    }
    const flows = [...schemas.values()].flatMap((schema) => {
      const level = this.#levels.get(schema.spec.priorityLevelConfiguration.name);
      // A schema whose level does not exist is passed over.
      if (level === undefined || level.isQuiescing) return [];
      const makeSeries = () => this.#metrics.flow(level.name, schema.metadata.name);
      return [{ schema, flow: new Flow(schema, level, makeSeries) }];
    });
    const last = flows.find(({ flow }) => flow.name === 'catch-all') ?? flows[0];
    if (last === undefined) throw new Error('there is no flow schema, not even a mandatory one');
    return new Classifier(flows, last.flow);
  }

  #share(nowMs: number): void {
    const levels = [...this.#levels.values()];
    for (const level of levels) level.demand = nextStats(level.demand, level.set.demand.take(nowMs));
    const allocation = allocateSeats(levels);
    for (const [at, level] of levels.entries()) {
      level.apply(allocation.seats[at]!, nowMs);
      this.#metrics.showAllocation(level.name, level.demand, { allocation, at });
    }
  }
}

/** Status and metadata decide nothing. */
function changesSpec({ type, entry, previous }: StoreEvent): boolean {
  if (type === 'delete' || previous === undefined) return true;
  const { generation, uid } = objectOf(entry).metadata;
  const before = objectOf(previous).metadata;
  return generation !== before.generation || uid !== before.uid;
}
