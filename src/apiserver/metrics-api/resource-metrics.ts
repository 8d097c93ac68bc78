// metrics.k8s.io: what nodes and running pods use, as metrics-server tells it. Nothing is kept here: which objects there are is read from
// the store, what they use is asked of the sources, when somebody asks (docs/design/0012-metrics-api.md).
import {
  Node,
  NodeMetrics,
  type NodeMetrics as NodeMetricsObject,
  Pod,
  PodMetrics,
  type PodMetrics as PodMetricsObject,
  type Usage,
  type UsageSource,
} from '../../api/index.ts';
import {
  formatDuration,
  formatQuantity,
  formatTime,
  type KindDef,
  notFound,
  quantityOf,
  StatusError,
} from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import { type AnsweredKind, type RegistryCore, requireEntry } from '../registry/core.ts';
import { objectOf } from '../registry/objects.ts';
import { select, selected } from '../registry/selection.ts';

type Amounts = { readonly cpuNanoCores: number; readonly memoryBytes: number };

const usageOf = ({ cpuNanoCores, memoryBytes }: Amounts): Usage => ({
  cpu: formatQuantity({ unscaled: BigInt(Math.round(cpuNanoCores)), exponent: -9, format: 'DecimalSI' }),
  memory: formatQuantity(quantityOf(Math.round(memoryBytes), 'BinarySI')),
});

/** One for each kind of the group. The first source that knows an object answers for it. */
export function resourceMetrics(sources: readonly UsageSource[]): readonly AnsweredKind[] {
  const requireReady = (): void => {
    if (!sources.some((source) => source.ready))
      throw new StatusError(
        503,
        'ServiceUnavailable',
        'the server is currently unable to handle the request',
        {},
      );
  };

  const nodeMetrics = (core: RegistryCore, node: Node): NodeMetricsObject | undefined => {
    const usage = firstOf(sources, (source) => source.node(node.metadata.name));
    if (usage === undefined) return undefined;
    return {
      apiVersion: NodeMetrics.apiVersion,
      kind: NodeMetrics.kind,
      metadata: metadataOf(core, node.metadata),
      timestamp: formatTime(usage.timeMs),
      window: formatDuration(usage.windowMs),
      usage: usageOf(usage),
    };
  };

  const podMetrics = (core: RegistryCore, { metadata, status }: Pod): PodMetricsObject | undefined => {
    if (status?.phase !== 'Running') return undefined;
    const usage = firstOf(sources, (source) => source.pod(metadata.namespace!, metadata.name));
    if (usage === undefined) return undefined;
    return {
      apiVersion: PodMetrics.apiVersion,
      kind: PodMetrics.kind,
      metadata: metadataOf(core, metadata),
      timestamp: formatTime(usage.timeMs),
      window: formatDuration(usage.windowMs),
      containers: usage.containers.map((container) => ({ name: container.name, usage: usageOf(container) })),
    };
  };

  return [
    {
      kind: NodeMetrics,
      async read(core, at) {
        requireReady();
        const entry = requireEntry(core, { ...at, kind: Node as unknown as KindDef });
        const found = nodeMetrics(core, objectOf<Node>(entry));
        // Its own name for the resource, as metrics-server has it.
        if (found === undefined)
          throw notFound({ group: NodeMetrics.group, resource: 'nodemetrics' }, at.name);
        return found;
      },
      async readSome(core, asked) {
        requireReady();
        return entriesOf(core, NodeMetrics, Node, asked).flatMap(
          (entry) => nodeMetrics(core, objectOf<Node>(entry)) ?? [],
        );
      },
    },
    {
      kind: PodMetrics,
      async read(core, at) {
        requireReady();
        const entry = requireEntry(core, { ...at, kind: Pod as unknown as KindDef });
        const found = podMetrics(core, objectOf<Pod>(entry));
        if (found === undefined)
          throw notFound({ group: PodMetrics.group, resource: 'podmetrics' }, `${at.namespace}/${at.name}`);
        return found;
      },
      async readSome(core, asked) {
        requireReady();
        return entriesOf(core, PodMetrics, Pod, asked).flatMap(
          (entry) => podMetrics(core, objectOf<Pod>(entry)) ?? [],
        );
      },
    },
  ];
}

/** The labels are those of the object, so that whoever lists can tell them apart. */
const metadataOf = (
  core: RegistryCore,
  { name, namespace, labels }: NodeMetricsObject['metadata'],
): NodeMetricsObject['metadata'] =>
  ({
    name,
    ...(namespace !== undefined && { namespace }),
    creationTimestamp: formatTime(core.clock.nowMs()),
    ...(labels !== undefined && { labels }),
  }) as NodeMetricsObject['metadata'];

/** The objects behind the metrics that are asked for. The metrics have the fields and labels by which they are chosen. */
function entriesOf(
  core: RegistryCore,
  metrics: KindDef | typeof NodeMetrics | typeof PodMetrics,
  objects: Pick<KindDef, 'storagePrefix'>,
  asked: {
    namespace: string | undefined;
    labelSelector?: string | undefined;
    fieldSelector?: string | undefined;
  },
): readonly Entry[] {
  const { storagePrefix } = objects;
  const selection = select({ ...(metrics as unknown as KindDef), storagePrefix }, asked.namespace, asked);
  return core.store.list(selection.prefix).filter((entry) => selected(selection, entry));
}

function firstOf<T>(
  sources: readonly UsageSource[],
  ask: (source: UsageSource) => T | undefined,
): T | undefined {
  for (const source of sources) {
    const found = ask(source);
    if (found !== undefined) return found;
  }
  return undefined;
}
