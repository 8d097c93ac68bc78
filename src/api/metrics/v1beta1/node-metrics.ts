// NodeMetrics: what a node uses. Answered from what nodes last said, never stored.
import { defineKind, type KubeObject } from '../../../machinery/index.ts';
import { nameColumn, textColumn } from '../../columns.ts';
import { shape } from '../../shape.ts';

/** Amounts by resource: `cpu: 123456789n`, `memory: 20480Ki`. */
export type Usage = Readonly<Record<string, string>>;

export interface NodeMetrics extends KubeObject {
  timestamp: string;
  /** A duration: `15.02s`. The usage is the average over this time, up to `timestamp`. */
  window: string;
  usage: Usage;
}

export const NodeMetrics = defineKind<NodeMetrics>({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'NodeMetrics',
  plural: 'nodes',
  singular: '',
  scope: 'Cluster',
  schema: shape('metrics.v1beta1.NodeMetrics'),
  verbs: ['get', 'list'],
  columns: [
    nameColumn,
    textColumn('cpu', 'Cores in use.', ({ usage }) => usage?.['cpu'] ?? '0'),
    textColumn('memory', 'Bytes in the working set.', ({ usage }) => usage?.['memory'] ?? '0'),
    textColumn('Window', 'The time over which this was measured.', ({ window }) => window ?? ''),
  ],
});
