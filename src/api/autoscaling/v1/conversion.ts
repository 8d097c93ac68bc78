// autoscaling/v1 knows only the use of cpu. Everything else that a stored autoscaler says travels in annotations, in the form that
// kube-apiserver gives them, so that a client of v1 loses nothing when it writes back what it read.
import type { KubeObject } from '../../../machinery/index.ts';
import type { HorizontalPodAutoscaler as ServedAutoscaler } from '../../generated/autoscaling-v1.ts';
import type {
  HorizontalPodAutoscalerBehavior,
  HorizontalPodAutoscalerCondition,
  MetricSpec,
  MetricStatus,
  HorizontalPodAutoscaler as StoredAutoscaler,
} from '../../generated/autoscaling-v2.ts';

type Loose = Record<string, unknown>;

const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';
const statusesAnnotation = 'autoscaling.alpha.kubernetes.io/current-metrics';
const conditionsAnnotation = 'autoscaling.alpha.kubernetes.io/conditions';
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior';
const annotationsOfConversion = [
  metricsAnnotation,
  statusesAnnotation,
  conditionsAnnotation,
  behaviorAnnotation,
];

/** The record without what is undefined. */
const defined = (record: Loose): Loose =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

const isCpuUtilization = (metric: MetricSpec): boolean =>
  metric.type === 'Resource' &&
  metric.resource?.name === 'cpu' &&
  metric.resource.target?.averageUtilization !== undefined;

/** v2 → the form that the annotation has. */
function flatten(metric: MetricSpec | MetricStatus, part: 'target' | 'current'): Loose {
  const name = (field: string): string => (part === 'target' ? `target${field}` : `current${field}`);
  const { object, pods, resource, containerResource, external } = metric as unknown as Record<
    string,
    Loose | undefined
  >;
  const values = (from: Loose): Loose => (from[part] ?? {}) as Loose;
  const id = (from: Loose): Loose => (from['metric'] ?? {}) as Loose;
  const ofResource = (from: Loose | undefined): Loose | undefined =>
    from &&
    defined({
      name: from['name'],
      [name('AverageUtilization')]: values(from)['averageUtilization'],
      [name('AverageValue')]: values(from)['averageValue'],
      container: from['container'],
    });
  return defined({
    type: metric.type,
    object:
      object &&
      defined({
        target: object['describedObject'],
        metricName: id(object)['name'] ?? '',
        [name('Value')]: values(object)['value'],
        selector: id(object)['selector'],
        averageValue: values(object)['averageValue'],
      }),
    pods:
      pods &&
      defined({
        metricName: id(pods)['name'] ?? '',
        [name('AverageValue')]: values(pods)['averageValue'],
        selector: id(pods)['selector'],
      }),
    resource: ofResource(resource),
    containerResource: ofResource(containerResource),
    external:
      external &&
      defined({
        metricName: id(external)['name'] ?? '',
        metricSelector: id(external)['selector'],
        [name('Value')]: values(external)['value'],
        [name('AverageValue')]: values(external)['averageValue'],
      }),
  });
}

/** The form of the annotation → v2. */
function unflatten(metric: Loose, part: 'target' | 'current'): Loose {
  const name = (field: string): string => (part === 'target' ? `target${field}` : `current${field}`);
  const { object, pods, resource, containerResource, external } = metric as Record<string, Loose | undefined>;
  const typed = (type: string, values: Loose): Loose =>
    defined(part === 'target' ? { type, ...values } : values);
  const ofResource = (from: Loose | undefined): Loose | undefined => {
    if (from === undefined) return undefined;
    const utilization = from[name('AverageUtilization')];
    return defined({
      name: from['name'] ?? '',
      container: from['container'],
      [part]: typed(utilization === undefined ? 'AverageValue' : 'Utilization', {
        averageUtilization: utilization,
        averageValue: from[name('AverageValue')],
      }),
    });
  };
  const id = (from: Loose, selector: string): Loose =>
    defined({ name: from['metricName'] ?? '', selector: from[selector] });
  return defined({
    type: metric['type'] ?? '',
    object: object && {
      describedObject: object['target'] ?? { kind: '', name: '' },
      metric: id(object, 'selector'),
      [part]: typed(object['averageValue'] === undefined ? 'Value' : 'AverageValue', {
        value: object[name('Value')],
        averageValue: object['averageValue'],
      }),
    },
    pods: pods && {
      metric: id(pods, 'selector'),
      [part]: typed('AverageValue', { averageValue: pods[name('AverageValue')] }),
    },
    resource: ofResource(resource),
    containerResource: ofResource(containerResource),
    external: external && {
      metric: id(external, 'metricSelector'),
      [part]: typed(external[name('Value')] === undefined ? 'AverageValue' : 'Value', {
        value: external[name('Value')],
        averageValue: external[name('AverageValue')],
      }),
    },
  });
}

const isRecord = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What an annotation holds, if a conversion wrote it. Anything else is ignored, as in Kubernetes. */
function read(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const readList = (text: string | undefined): Loose[] | undefined => {
  const value = read(text);
  return Array.isArray(value) && value.every(isRecord) ? value : undefined;
};

export function storedAutoscaler(object: KubeObject): StoredAutoscaler {
  const { spec, status, metadata } = object as ServedAutoscaler;
  const annotations = { ...metadata?.annotations };
  const metrics = (readList(annotations[metricsAnnotation]) ?? []).map(
    (metric) => unflatten(metric, 'target') as unknown as MetricSpec,
  );
  const { targetCPUUtilizationPercentage, ...restOfSpec } = spec ?? {};
  if (targetCPUUtilizationPercentage !== undefined)
    metrics.push({
      type: 'Resource',
      resource: {
        name: 'cpu',
        target: { type: 'Utilization', averageUtilization: targetCPUUtilizationPercentage },
      },
    });
  const behavior = read(annotations[behaviorAnnotation]);
  const current = readList(annotations[statusesAnnotation])?.map((metric) => unflatten(metric, 'current'));
  const conditions = readList(annotations[conditionsAnnotation]);
  const { currentCPUUtilizationPercentage, currentReplicas, ...restOfStatus } = status ?? {};
  const cpu =
    currentCPUUtilizationPercentage === undefined
      ? null
      : [
          {
            type: 'Resource',
            resource: { name: 'cpu', current: { averageUtilization: currentCPUUtilizationPercentage } },
          },
        ];
  for (const name of annotationsOfConversion) delete annotations[name];
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: withAnnotations(metadata, annotations),
    spec: {
      ...(restOfSpec as StoredAutoscaler['spec']),
      ...(metrics.length > 0 && { metrics }),
      ...(isRecord(behavior) &&
        Object.keys(behavior).length > 0 && {
          behavior: renamed(behavior, lowerFirst) as HorizontalPodAutoscalerBehavior,
        }),
    },
    status: {
      ...(restOfStatus as NonNullable<StoredAutoscaler['status']>),
      ...((currentReplicas ?? 0) !== 0 && { currentReplicas }),
      ...(conditions !== undefined &&
        conditions.length > 0 && { conditions: conditions as unknown as HorizontalPodAutoscalerCondition[] }),
      currentMetrics: (current ?? cpu) as unknown as MetricStatus[],
    },
  };
}

export function servedAutoscaler(object: KubeObject): ServedAutoscaler {
  const { spec, status, metadata } = object as StoredAutoscaler;
  const annotations = { ...metadata?.annotations };
  for (const name of annotationsOfConversion) delete annotations[name];
  const { metrics = [], behavior, ...restOfSpec } = spec ?? {};
  const { currentMetrics, conditions, ...restOfStatus } = status ?? {};
  const cpu = metrics.find(isCpuUtilization)?.resource?.target.averageUtilization;
  const others = metrics.filter((metric) => !isCpuUtilization(metric));
  if (others.length > 0)
    annotations[metricsAnnotation] = JSON.stringify(others.map((metric) => flatten(metric, 'target')));
  if ((currentMetrics ?? []).length > 0)
    annotations[statusesAnnotation] = JSON.stringify(
      currentMetrics!.map((metric) => flatten(metric, 'current')),
    );
  if (behavior !== undefined) annotations[behaviorAnnotation] = JSON.stringify(renamed(behavior, upperFirst));
  if ((conditions ?? []).length > 0) annotations[conditionsAnnotation] = JSON.stringify(conditions);
  const used = (currentMetrics ?? []).find(
    ({ type, resource }) => type === 'Resource' && resource?.name === 'cpu',
  )?.resource?.current?.averageUtilization;
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: withAnnotations(metadata, annotations),
    spec: {
      ...(restOfSpec as ServedAutoscaler['spec']),
      ...(cpu !== undefined && { targetCPUUtilizationPercentage: cpu }),
    },
    status: {
      ...(restOfStatus as NonNullable<ServedAutoscaler['status']>),
      currentReplicas: status?.currentReplicas ?? 0,
      ...(used !== undefined && { currentCPUUtilizationPercentage: used }),
    },
  };
}

/** No annotations at all where there were none. */
function withAnnotations<M extends KubeObject['metadata']>(
  metadata: M,
  annotations: Record<string, string>,
): M {
  const { annotations: _, ...rest } = metadata ?? ({} as M);
  return (Object.keys(annotations).length > 0 ? { ...rest, annotations } : rest) as M;
}

const upperFirst = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
const lowerFirst = (text: string): string => text.slice(0, 1).toLowerCase() + text.slice(1);

/** The annotation of the behavior has the names of Kubernetes' internal fields, which start with a capital. */
function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) =>
      inner === null ? [] : [[rename(name), renamed(inner, rename)]],
    ),
  );
}
