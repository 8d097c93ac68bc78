// ComponentStatus: how the parts of the control plane are, asked when somebody asks. Old and deprecated, but `kubectl get cs` reads it.
import { defineKind } from '../../../machinery/index.ts';
import { nameColumn, textColumn } from '../../columns.ts';
import type {
  ComponentCondition,
  ComponentStatus as ComponentStatusObject,
} from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';

export type ComponentStatus = ComponentStatusObject;

const healthy = ({ conditions }: ComponentStatusObject): ComponentCondition | undefined =>
  conditions?.find((condition) => condition.type === 'Healthy');

export const ComponentStatus = defineKind<ComponentStatusObject>({
  group: '',
  version: 'v1',
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  shortNames: ['cs'],
  scope: 'Cluster',
  schema: shape('core.v1.ComponentStatus'),
  verbs: ['get', 'list'],
  deprecation: 'v1 ComponentStatus is deprecated in v1.19+',
  columns: [
    nameColumn,
    textColumn('Status', 'Whether it is well.', (component) => {
      const found = healthy(component);
      if (found === undefined) return 'Unknown';
      return found.status === 'True' ? 'Healthy' : 'Unhealthy';
    }),
    textColumn('Message', 'What it says.', (component) => healthy(component)?.message ?? ''),
    textColumn('Error', 'Why it did not answer.', (component) => healthy(component)?.error ?? ''),
  ],
});
