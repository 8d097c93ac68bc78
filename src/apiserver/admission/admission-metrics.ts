// How long admission takes, by plugin and as a whole, under kube-apiserver's names. HOT: one look at the clock a plugin.
import type { Clock, Histogram, MetricFamily, MetricRegistry } from '../../base/index.ts';

export type AdmissionStep = 'admit' | 'validate';

type Operation = 'create' | 'update' | 'delete';

export interface AdmissionHook<Request> {
  readonly name: string;
  readonly act: (request: Request) => void;
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

  /** One function that calls the hooks in turn and measures each, and all. What a hook throws ends the step and is thrown on. */
  measured<Request extends { readonly operation: Operation }>(
    step: AdmissionStep,
    hooks: readonly AdmissionHook<Request>[],
  ): (request: Request) => void {
    const clock = this.#clock;
    const whole = new Durations((...rest) => this.#steps.of(step, ...rest));
    const parts = hooks.map(({ name, act }) => ({
      act,
      took: new Durations((...rest) => this.#plugins.of(name, step, ...rest)),
    }));
    return (request) => {
      const { operation } = request;
      const beganMs = clock.monotonicMs();
      let beforeMs = beganMs;
      for (const { act, took } of parts) {
        try {
          act(request);
        } catch (error) {
          const nowMs = clock.monotonicMs();
          took.of(operation, 'true').observe((nowMs - beforeMs) / 1000);
          whole.of(operation, 'true').observe((nowMs - beganMs) / 1000);
          throw error;
        }
        const nowMs = clock.monotonicMs();
        took.of(operation, 'false').observe((nowMs - beforeMs) / 1000);
        beforeMs = nowMs;
      }
      whole.of(operation, 'false').observe((beforeMs - beganMs) / 1000);
    };
  }
}

/** By operation, and by whether the request was rejected. Series appear with their first request. */
class Durations {
  readonly #make: (operation: string, rejected: string) => Histogram;
  readonly #of = { create: noSeries(), update: noSeries(), delete: noSeries() };

  constructor(make: (operation: string, rejected: string) => Histogram) {
    this.#make = make;
  }

  of(operation: Operation, rejected: 'true' | 'false'): Histogram {
    return (this.#of[operation][rejected] ??= this.#make(operation.toUpperCase(), rejected));
  }
}

const noSeries = (): Record<'true' | 'false', Histogram | null> => ({ true: null, false: null });
