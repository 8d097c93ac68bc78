// Reads the metrics that an autoscaler names through the metrics APIs. What could not be had is an answer too, in the words of
// kube-controller-manager.
import {
  type APIService,
  type autoscalingV2,
  type CustomResourceDefinition,
  customMetricsGroup,
  customMetricsOf,
  type ExternalMetricValue,
  externalMetric,
  type MetricValue,
  olderCustomMetricsGroup,
  PodMetrics,
} from '../../api/index.ts';
import type { Client, Lister, ListQuery, Target } from '../../client/index.ts';
import {
  formatLabelSelector,
  type KindDef,
  mustParseQuantity,
  parseDuration,
  parseTime,
  StatusError,
  toMilli,
} from '../../machinery/index.ts';
import type { Reading } from './metric.ts';
import type { Failure } from './outcome.ts';
import type { Sample } from './pod-groups.ts';
import { kindsNamed } from './targets.ts';

export interface MetricQuestion {
  readonly namespace: string;
  /** Of the target's pods. */
  readonly selector: string;
}

/** Metrics that do not say over how long they were measured. */
const defaultWindowMs = 60_000;

export class MetricReader {
  readonly #client: Client;
  readonly #definitions: Lister<CustomResourceDefinition>;
  readonly #apiServices: Lister<APIService>;

  constructor(
    client: Client,
    known: {
      readonly definitions: Lister<CustomResourceDefinition>;
      readonly apiServices: Lister<APIService>;
    },
  ) {
    this.#client = client;
    this.#definitions = known.definitions;
    this.#apiServices = known.apiServices;
  }

  /** Never rejects. */
  async read(spec: autoscalingV2.MetricSpec, question: MetricQuestion): Promise<Reading> {
    const api = apis[spec.type];
    try {
      switch (spec.type) {
        case 'Resource':
          return await this.#usage({ resource: spec.resource!.name, container: '' }, question);
        case 'ContainerResource':
          return await this.#usage(
            { resource: spec.containerResource!.name, container: spec.containerResource!.container },
            question,
          );
        case 'Pods':
          return await this.#pods(spec.pods!.metric, question);
        case 'Object':
          return await this.#object(spec.object!, question);
        case 'External':
          return await this.#external(spec.external!.metric, question);
        default:
          return { failure: `unknown metric source type ${JSON.stringify(spec.type)}` };
      }
    } catch (error) {
      return { failure: `unable to fetch metrics from ${api} metrics API: ${(error as Error).message}` };
    }
  }

  async #usage(
    { resource, container }: { resource: string; container: string },
    { namespace, selector }: MetricQuestion,
  ): Promise<Reading> {
    const items = await this.#podMetrics(namespace, selector);
    if (items.length === 0) return nothing('resource');
    const samples = new Map<string, Sample>();
    for (const { metadata, timestamp, window, containers } of items) {
      const counted = container === '' ? containers : containers.filter(({ name }) => name === container);
      if (container !== '' && counted.length === 0)
        return {
          failure: `failed to get container metrics: container ${container} not present in metrics for pod ${metadata.namespace}/${metadata.name}`,
        };
      let milli = 0;
      let isKnown = counted.length > 0;
      for (const { usage } of counted) {
        const used = usage[resource];
        if (used === undefined) isKnown = false;
        else milli += milliOf(used);
      }
      if (isKnown)
        samples.set(metadata.name, {
          milli,
          timeMs: parseTime(timestamp) ?? 0,
          windowMs: parseDuration(window) ?? 0,
        });
    }
    return { samples };
  }

  async #podMetrics(namespace: string, labelSelector: string): Promise<readonly PodMetrics[]> {
    try {
      return (await this.#client(PodMetrics).list({ namespace, labelSelector })).items;
    } catch (error) {
      // Which path it was is said where nothing else tells.
      if (error instanceof StatusError && error.code === 503)
        throw new Error(`${error.message} (get pods.metrics.k8s.io)`, { cause: error });
      throw error;
    }
  }

  async #pods(metric: autoscalingV2.MetricIdentifier, question: MetricQuestion): Promise<Reading> {
    const values = await this.#values<MetricValue>(
      {
        kind: this.#custom('pods'),
        namespace: question.namespace,
        name: '*',
        subresource: metric.name,
      },
      { labelSelector: question.selector, metricLabelSelector: seriesOf(metric) },
    );
    if (values.length === 0) return nothing('custom');
    const samples = new Map<string, Sample>();
    for (const { describedObject, timestamp, windowSeconds, value } of values)
      samples.set(describedObject.name, {
        milli: milliOf(value),
        timeMs: parseTime(timestamp) ?? 0,
        windowMs: windowSeconds === undefined ? defaultWindowMs : windowSeconds * 1000,
      });
    return { samples };
  }

  async #object(
    { describedObject, metric }: autoscalingV2.ObjectMetricSource,
    { namespace }: MetricQuestion,
  ): Promise<Reading> {
    const query = { metricLabelSelector: seriesOf(metric) };
    const { kind, name, apiVersion = '' } = describedObject;
    // A reference cannot leave its namespace, so which one it names is not asked.
    if (kind === 'Namespace' && !apiVersion.includes('/'))
      return firstOf(
        await this.#values<MetricValue>(
          {
            kind: this.#custom('metrics'),
            namespace,
            name: metric.name,
            subresource: '',
          },
          query,
        ),
      );
    const found = kindsNamed(describedObject, this.#definitions);
    if ('failure' in found) throw new Error(found.failure);
    const { plural, group } = found[0]!;
    const resource = group === '' ? plural : `${plural}.${group}`;
    const at = { kind: this.#custom(resource), namespace, name, subresource: metric.name };
    return firstOf(await this.#values<MetricValue>(at, query));
  }

  async #external(metric: autoscalingV2.MetricIdentifier, { namespace }: MetricQuestion): Promise<Reading> {
    const values = await this.#values<ExternalMetricValue>(
      { kind: externalMetric(metric.name), namespace, name: '', subresource: '' },
      { labelSelector: seriesOf(metric) },
    );
    if (values.length === 0) return nothing('external');
    return { milli: values.reduce((sum, { value }) => sum + milliOf(value), 0) };
  }

  /** In the version that there is: adapters register for the older one, the newer one, or both. */
  #custom(resource: string): KindDef {
    const has = ({ group, version }: { readonly group: string; readonly version: string }) =>
      this.#apiServices.get(`${version}.${group}`) !== undefined;
    const isOlder = has(olderCustomMetricsGroup) && !has(customMetricsGroup);
    return customMetricsOf(resource, 'Namespaced', isOlder ? olderCustomMetricsGroup : customMetricsGroup);
  }

  async #values<T>(target: Target, query: ListQuery): Promise<readonly T[]> {
    const { items } = await this.#client.transport.list(target, query);
    return items as readonly unknown[] as readonly T[];
  }
}

const apis: Readonly<Record<string, string>> = {
  Resource: 'resource',
  ContainerResource: 'resource',
  Pods: 'custom',
  Object: 'custom',
  External: 'external',
};

const nothing = (api: string): Failure => ({ failure: `no metrics returned from ${api} metrics API` });
const milliOf = (quantity: string): number => toMilli(mustParseQuantity(quantity));
const firstOf = (values: readonly MetricValue[]): Reading =>
  values[0] === undefined ? nothing('custom') : { milli: milliOf(values[0].value) };
const seriesOf = ({ selector }: autoscalingV2.MetricIdentifier): string =>
  selector === undefined ? '' : formatLabelSelector(selector);
