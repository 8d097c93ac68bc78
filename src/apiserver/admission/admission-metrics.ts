// How long admission takes, by plugin and as a whole, under kube-apiserver's names. HOT: one look at the clock a plugin.
import type { Clock, Histogram, MetricFamily, MetricRegistry } from '../../base/index.ts';

export type AdmissionStep = 'admit' | 'validate';

type Operation = 'create' | 'update' | 'delete' | 'connect';

export interface AdmissionHook<Request> {
  readonly name: string;
  readonly act: (request: Request) => Promise<void> | void;
}

const buckets = [0.005, 0.025, 0.1, 0.5, 1, 2.5];

export class AdmissionMetrics {
  readonly #clock: Clock;
  readonly #plugins: MetricFamily<Histogram>;
  readonly #steps: MetricFamily<Histogram>;

  constructor(registry: MetricRegistry, clock: Clock) {
    this.#clock = clock;
    this.#plugins = registry.histogram({
      name: 'apiserver_admission_controller_admission_duration_seconds',
      help: 'Time an admission plugin took for a write.',
      labels: ['name', 'type', 'operation', 'rejected'],
      buckets,
    });
    this.#steps = registry.histogram({
      name: 'apiserver_admission_step_admission_duration_seconds',
      help: 'Time that all admission plugins together took for a write.',
      labels: ['type', 'operation', 'rejected'],
      buckets,
    });
  }

  /**
   * One function that calls the hooks in turn and measures each, and all. What a hook throws ends the step and is thrown on. As long
   * as no hook returns a promise, it returns none.
   */
  measured<Request extends { readonly operation: Operation }>(
    step: AdmissionStep,
    hooks: readonly AdmissionHook<Request>[],
  ): (request: Request) => Promise<void> | void {
    const whole = new Durations((...rest) => this.#steps.of(step, ...rest));
    const parts = hooks.map(({ name, act }) => ({
      act,
      took: new Durations((...rest) => this.#plugins.of(name, step, ...rest)),
    }));
    return (request) => new Step(this.#clock, parts, whole, request).run();
  }
}

/** One request on its way through the hooks of a step. */
class Step<Request extends { readonly operation: Operation }> {
  readonly #clock: Clock;
  readonly #parts: readonly { act: AdmissionHook<Request>['act']; took: Durations }[];
  readonly #whole: Durations;
  readonly #request: Request;
  readonly #beganMs: number;
  #next = 0;
  #beforeMs: number;

  constructor(
    clock: Clock,
    parts: readonly { act: AdmissionHook<Request>['act']; took: Durations }[],
    whole: Durations,
    request: Request,
  ) {
    this.#clock = clock;
    this.#parts = parts;
    this.#whole = whole;
    this.#request = request;
    this.#beganMs = clock.monotonicMs();
    this.#beforeMs = this.#beganMs;
  }

  run(): Promise<void> | void {
    while (this.#next < this.#parts.length) {
      let waiting: Promise<void> | void;
      try {
        waiting = this.#parts[this.#next]!.act(this.#request);
      } catch (error) {
        this.#rejected();
        throw error;
      }
      if (waiting !== undefined) return this.#runAfter(waiting);
      this.#passed();
    }
    this.#whole.of(this.#request.operation, 'false').observe((this.#beforeMs - this.#beganMs) / 1000);
  }

  async #runAfter(waiting: Promise<void>): Promise<void> {
    try {
      await waiting;
    } catch (error) {
      this.#rejected();
      throw error;
    }
    this.#passed();
    await this.run();
  }

  #passed(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#parts[this.#next]!.took.of(this.#request.operation, 'false').observe(
      (nowMs - this.#beforeMs) / 1000,
    );
    this.#beforeMs = nowMs;
    this.#next++;
  }

  #rejected(): void {
    const { operation } = this.#request;
    const nowMs = this.#clock.monotonicMs();
    this.#parts[this.#next]!.took.of(operation, 'true').observe((nowMs - this.#beforeMs) / 1000);
    this.#whole.of(operation, 'true').observe((nowMs - this.#beganMs) / 1000);
  }
}

/** By operation, and by whether the request was rejected. Series appear with their first request. */
class Durations {
  readonly #make: (operation: string, rejected: string) => Histogram;
  readonly #of = { create: noSeries(), update: noSeries(), delete: noSeries(), connect: noSeries() };

  constructor(make: (operation: string, rejected: string) => Histogram) {
    this.#make = make;
  }

  of(operation: Operation, rejected: 'true' | 'false'): Histogram {
    return (this.#of[operation][rejected] ??= this.#make(operation.toUpperCase(), rejected));
  }
}

const noSeries = (): Record<'true' | 'false', Histogram | null> => ({ true: null, false: null });
