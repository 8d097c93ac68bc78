// custom.metrics.k8s.io and external.metrics.k8s.io: read-only, and their resources are no kinds. The path names a resource or an object,
// then the metric; the answer is a list of values. They are listed by discovery as long as somebody feeds one.
import {
  type CustomMetricName,
  customMetricsGroup,
  type ExternalMetricValue,
  externalMetricsGroup,
  type Measured,
  type MetricSource,
  type MetricValue,
  type ObjectMeasured,
} from '../../api/index.ts';
import {
  badRequest,
  compileLabelSelector,
  defineKind,
  formatTime,
  type KindDef,
  type LabelMatcher,
  ObjectSchema,
  parseLabelSelector,
  StatusError,
} from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import type { KindTable } from '../registry/kind-table.ts';
import { objectOf } from '../registry/objects.ts';
import { select, selected } from '../registry/selection.ts';

/** A question, as path and query put it. */
export interface MetricsAsked {
  readonly group: string;
  readonly version: string;
  readonly namespace: string | undefined;
  readonly resource: string;
  /** `*` = all objects that the selector chooses. */
  readonly name: string;
  readonly subresource: string;
  /** For `*`: of the objects. For external metrics: of the series. */
  readonly labelSelector?: string | undefined;
  /** Of the series of a custom metric. */
  readonly metricLabelSelector?: string | undefined;
}

export interface WorkloadMetricsOptions {
  readonly sources: readonly MetricSource[];
  readonly store: Store;
  readonly kinds: KindTable;
}

type Values = readonly MetricValue[] | readonly ExternalMetricValue[];

export class WorkloadMetrics {
  readonly #sources: readonly MetricSource[];
  readonly #store: Store;
  readonly #kinds: KindTable;

  constructor({ sources, store, kinds }: WorkloadMetricsOptions) {
    this.#sources = sources;
    this.#store = store;
    this.#kinds = kinds;
  }

  /** What discovery shows, as if they were kinds. */
  kinds(): readonly KindDef[] {
    const out = new Map<string, KindDef>();
    const add = (kind: KindDef) => out.set(`${kind.group} ${kind.plural}`, kind);
    for (const source of this.#sources) {
      for (const { resource, metric } of source.customNames()) {
        const scope = resource === 'namespaces' ? 'Cluster' : (this.#kindOf(resource)?.scope ?? 'Namespaced');
        add(listed(customMetricsGroup, 'MetricValueList', { plural: `${resource}/${metric}`, scope }));
      }
      for (const metric of source.externalNames())
        add(listed(externalMetricsGroup, 'ExternalMetricValueList', { plural: metric, scope: 'Namespaced' }));
    }
    return [...out.values()];
  }

  /** The answer to a GET; undefined = no such path. Throws 404 for an object without the metric, 400 for a bad selector. */
  document(
    route: Omit<MetricsAsked, 'labelSelector' | 'metricLabelSelector'>,
    query: URLSearchParams,
  ): object | undefined {
    const items = this.list({
      ...route,
      labelSelector: query.get('labelSelector') ?? undefined,
      metricLabelSelector: query.get('metricLabelSelector') ?? undefined,
    });
    if (items === undefined) return undefined;
    const { group, version } = route;
    const kind = group === customMetricsGroup.group ? 'MetricValueList' : 'ExternalMetricValueList';
    return { kind, apiVersion: `${group}/${version}`, metadata: {}, items };
  }

  /** The values; undefined = the path is none of these groups. */
  list(asked: MetricsAsked): Values | undefined {
    if (isOf(asked, externalMetricsGroup)) return this.#external(asked);
    if (!isOf(asked, customMetricsGroup)) return undefined;
    const { namespace, resource, name, subresource } = asked;
    // What is about the namespace itself has a path of its own.
    if (resource === 'metrics' && namespace !== undefined && name !== '' && subresource === '')
      return this.#custom(
        asked,
        { resource: 'namespaces', metric: name },
        { name: namespace, namespace: undefined },
      );
    if (name === '' || subresource === '') return undefined;
    return this.#custom(asked, { resource, metric: subresource }, { name, namespace });
  }

  #external({ namespace, resource, name, labelSelector }: MetricsAsked): Values | undefined {
    if (namespace === undefined || name !== '') return undefined;
    const matches = matcherOf(labelSelector);
    return this.#sources
      .flatMap((source) => source.external(namespace, resource))
      .filter(({ labels }) => matches(labels))
      .map((measured) => ({
        metricName: resource,
        metricLabels: measured.labels ?? {},
        timestamp: formatTime(measured.timeMs),
        ...(measured.windowSeconds !== undefined && { window: measured.windowSeconds }),
        value: measured.value,
      }));
  }

  #custom(
    { labelSelector, metricLabelSelector }: MetricsAsked,
    metric: CustomMetricName,
    { name, namespace }: { name: string; namespace: string | undefined },
  ): Values {
    const matches = matcherOf(metricLabelSelector);
    const kind = this.#kindOf(metric.resource);
    const about = (measured: ObjectMeasured): MetricValue => ({
      describedObject: {
        ...(kind !== undefined && { kind: kind.kind, apiVersion: kind.apiVersion }),
        ...(namespace !== undefined && { namespace }),
        name: measured.name,
      },
      metric: { name: metric.metric },
      ...momentOf(measured),
      value: measured.value,
    });
    const series = this.#sources
      .flatMap((source) => source.custom(metric, namespace))
      .filter(({ labels }) => matches(labels));
    if (name === '*') {
      const chosen = kind === undefined ? undefined : this.#namesOf(kind, namespace, labelSelector);
      return series.filter((measured) => chosen?.has(measured.name) ?? false).map(about);
    }
    const found = series.filter((measured) => measured.name === name);
    if (found.length === 0)
      throw new StatusError(
        404,
        'NotFound',
        `the server could not find the metric ${metric.metric} for ${metric.resource} ${name}`,
      );
    return found.map(about);
  }

  #kindOf(resource: string): KindDef | undefined {
    const dot = resource.indexOf('.');
    const [plural, group] = dot < 0 ? [resource, ''] : [resource.slice(0, dot), resource.slice(dot + 1)];
    return this.#kinds.all.find((kind) => kind.plural === plural && kind.group === group);
  }

  #namesOf(
    kind: KindDef,
    namespace: string | undefined,
    labelSelector: string | undefined,
  ): ReadonlySet<string> {
    const selection = select(kind, namespace, { labelSelector });
    const names = new Set<string>();
    for (const entry of this.#store.list(selection.prefix))
      if (selected(selection, entry)) names.add(objectOf(entry).metadata.name);
    return names;
  }
}

type GroupVersion = { readonly group: string; readonly version: string };

const isOf = (asked: GroupVersion, { group, version }: GroupVersion): boolean =>
  asked.group === group && asked.version === version;

const momentOf = ({ timeMs, windowSeconds }: Measured) => ({
  timestamp: formatTime(timeMs),
  ...(windowSeconds !== undefined && { windowSeconds }),
});

function matcherOf(selector: string | undefined): LabelMatcher {
  const requirements = parseLabelSelector(selector ?? '');
  if (!requirements.ok) throw badRequest(requirements.error);
  return compileLabelSelector(requirements.value);
}

const shapeless = new ObjectSchema('metrics', () => new Map(), true);

const listed = (at: GroupVersion, kind: string, named: Pick<KindDef, 'plural' | 'scope'>): KindDef =>
  defineKind({ ...at, ...named, kind, singular: '', schema: shapeless, verbs: ['get'] });
