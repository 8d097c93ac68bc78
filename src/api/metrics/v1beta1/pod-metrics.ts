// PodMetrics: what each container of a running pod uses. Answered from what nodes last said, never stored.
import {
  addQuantity,
  defineKind,
  formatQuantity,
  type KubeObject,
  parseQuantity,
  zeroQuantity,
} from '../../../machinery/index.ts';
import { nameColumn, textColumn } from '../../columns.ts';
import { shape } from '../../shape.ts';
import type { Usage } from './node-metrics.ts';

export interface ContainerMetrics {
  name: string;
  usage: Usage;
}

export interface PodMetrics extends KubeObject {
  timestamp: string;
  /** A duration: `15.02s`. The usage is the average over this time, up to `timestamp`. */
  window: string;
  containers: ContainerMetrics[];
}

const sumOf = ({ containers }: PodMetrics, resource: string): string =>
  formatQuantity(
    (containers ?? []).reduce(
      (sum, { usage }) => addQuantity(sum, parseQuantity(usage?.[resource] ?? '0') ?? zeroQuantity),
      zeroQuantity,
    ),
  );

export const PodMetrics = defineKind<PodMetrics>({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'PodMetrics',
  plural: 'pods',
  singular: '',
  scope: 'Namespaced',
  schema: shape('metrics.v1beta1.PodMetrics'),
  verbs: ['get', 'list'],
  columns: [
    nameColumn,
    textColumn('cpu', 'Cores in use.', (pod) => sumOf(pod, 'cpu')),
    textColumn('memory', 'Bytes in the working set.', (pod) => sumOf(pod, 'memory')),
    textColumn('Window', 'The time over which this was measured.', ({ window }) => window ?? ''),
  ],
});
