// Metrics of workloads that are no usage of resources: custom metrics are about an object of the cluster (requests a pod answers in a
// second), external ones about nothing in it (the length of a queue elsewhere). The seam by which the API learns of them, and the shapes
// in which it gives them away.
import { defineKind, type KindDef, type KubeObject, ObjectSchema } from '../../machinery/index.ts';

/** A value of a moment. */
export interface Measured {
  /** A quantity: `250m`, `12`. */
  readonly value: string;
  readonly timeMs: number;
  /** Over how long it was measured; undefined = at that moment. */
  readonly windowSeconds?: number | undefined;
}

export interface ObjectMeasured extends Measured {
  /** Of the object. */
  readonly name: string;
  /** By which a metric selector chooses among the series of one name; not the labels of the object. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface ExternalMeasured extends Measured {
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** A custom metric of all objects of a resource. */
export interface CustomMetricName {
  /** `pods`, `ingresses.networking.k8s.io` */
  readonly resource: string;
  readonly metric: string;
}

/** All calls are synchronous, from memory, and must not throw. */
export interface MetricSource {
  /** For discovery: which there are. Metrics of namespaces have the resource `namespaces`. */
  customNames(): readonly CustomMetricName[];
  /** Of all objects of that resource in the namespace; undefined = the resource has none. */
  custom(name: CustomMetricName, namespace: string | undefined): readonly ObjectMeasured[];
  externalNames(): readonly string[];
  external(namespace: string, metric: string): readonly ExternalMeasured[];
}

export const customMetricsGroup = { group: 'custom.metrics.k8s.io', version: 'v1beta2' } as const;
/** What older adapters serve. The values are named otherwise in it, and are found at the same places. */
export const olderCustomMetricsGroup = { group: 'custom.metrics.k8s.io', version: 'v1beta1' } as const;
export const externalMetricsGroup = { group: 'external.metrics.k8s.io', version: 'v1beta1' } as const;

/** An item of a MetricValueList. It has no metadata; what it is about is `describedObject`. */
export interface MetricValue {
  readonly describedObject: {
    readonly kind?: string;
    readonly namespace?: string;
    readonly name: string;
    readonly apiVersion?: string;
  };
  readonly metric: { readonly name: string; readonly selector?: object };
  readonly timestamp: string;
  readonly windowSeconds?: number;
  readonly value: string;
}

/** An item of an ExternalMetricValueList. */
export interface ExternalMetricValue {
  readonly metricName: string;
  readonly metricLabels: Readonly<Record<string, string>>;
  readonly timestamp: string;
  readonly window?: number;
  readonly value: string;
}

const open = (name: string) => new ObjectSchema(name, () => new Map(), true);
const valueShape = open('custom.metrics.v1beta2.MetricValue');
const externalShape = open('external.metrics.v1beta1.ExternalMetricValue');

/**
 * How a client names the values of a custom metric: list at `{ kind, namespace, name: OBJECT or '*', subresource: METRIC }`. There is one
 * such kind for each resource, since the resource is part of the path. Items are MetricValues.
 */
export const customMetricsOf = (
  resource: string,
  scope: KindDef['scope'],
  at: typeof customMetricsGroup | typeof olderCustomMetricsGroup = customMetricsGroup,
): KindDef =>
  defineKind<KubeObject>({
    ...at,
    kind: 'MetricValue',
    plural: resource,
    scope,
    schema: valueShape,
    verbs: ['list'],
  });

/** The same for an external metric, whose name stands where the resource does: list in a namespace. Items are ExternalMetricValues. */
export const externalMetric = (metric: string): KindDef =>
  defineKind<KubeObject>({
    ...externalMetricsGroup,
    kind: 'ExternalMetricValue',
    plural: metric,
    scope: 'Namespaced',
    schema: externalShape,
    verbs: ['list'],
  });
