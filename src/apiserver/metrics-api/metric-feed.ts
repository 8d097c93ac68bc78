// Metrics of workloads that somebody in this process sets: simulations, tests, programs that embed a cluster. What is set stays until it
// is set anew or taken away.

import type {
  CustomMetricName,
  ExternalMeasured,
  Measured,
  MetricSource,
  ObjectMeasured,
} from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';

interface Series {
  /** A quantity: `250m`, `12`. */
  readonly value: string;
  readonly windowSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface ObjectSeries extends Series, CustomMetricName {
  /** '' for what is in no namespace. */
  readonly namespace: string;
  readonly name: string;
}

export interface ExternalSeries extends Series {
  readonly namespace: string;
  readonly metric: string;
}

/** Labels tell series of one name apart. */
const seriesKey = ({ labels }: Series): string => JSON.stringify(Object.entries(labels ?? {}).sort());

export class MetricFeed implements MetricSource {
  readonly #clock: Clock;
  /** By resource, metric and namespace, then by object and labels. */
  readonly #custom = new Map<
    string,
    { readonly at: CustomMetricName; readonly series: Map<string, ObjectMeasured> }
  >();
  /** By metric and namespace, then by labels. */
  readonly #external = new Map<
    string,
    { readonly metric: string; readonly series: Map<string, ExternalMeasured> }
  >();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  setObject(series: ObjectSeries): void {
    const { resource, metric, namespace, name } = series;
    const key = `${resource} ${metric} ${namespace}`;
    let found = this.#custom.get(key);
    if (found === undefined) this.#custom.set(key, (found = { at: { resource, metric }, series: new Map() }));
    found.series.set(`${name} ${seriesKey(series)}`, { ...this.#now(series), name });
  }

  setExternal(series: ExternalSeries): void {
    const { metric, namespace } = series;
    const key = `${metric} ${namespace}`;
    let found = this.#external.get(key);
    if (found === undefined) this.#external.set(key, (found = { metric, series: new Map() }));
    found.series.set(seriesKey(series), this.#now(series));
  }

  /** Every series of that metric of the object, or with no name of all objects in the namespace. */
  removeObject({ resource, metric }: CustomMetricName, at: { namespace: string; name?: string }): void {
    const key = `${resource} ${metric} ${at.namespace}`;
    const found = this.#custom.get(key);
    if (found === undefined) return;
    for (const [one, { name }] of found.series)
      if (at.name === undefined || name === at.name) found.series.delete(one);
    if (found.series.size === 0) this.#custom.delete(key);
  }

  removeExternal({ namespace, metric }: { namespace: string; metric: string }): void {
    this.#external.delete(`${metric} ${namespace}`);
  }

  customNames(): readonly CustomMetricName[] {
    return [...this.#custom.values()].map(({ at }) => at);
  }

  custom({ resource, metric }: CustomMetricName, namespace: string | undefined): readonly ObjectMeasured[] {
    return [...(this.#custom.get(`${resource} ${metric} ${namespace ?? ''}`)?.series.values() ?? [])];
  }

  externalNames(): readonly string[] {
    return [...new Set([...this.#external.values()].map(({ metric }) => metric))];
  }

  external(namespace: string, metric: string): readonly ExternalMeasured[] {
    return [...(this.#external.get(`${metric} ${namespace}`)?.series.values() ?? [])];
  }

  #now({ value, windowSeconds, labels }: Series): Measured & Pick<ExternalMeasured, 'labels'> {
    return { value, timeMs: this.#clock.nowMs(), windowSeconds, labels };
  }
}
