// Table columns that many kinds share.
import {
  type Column,
  formatLabelSelector,
  type KubeObject,
  translateTimestampSince,
} from '../machinery/index.ts';
import type { Container, PodTemplateSpec } from './generated/core-v1.ts';
import type { LabelSelector } from './generated/meta-v1.ts';

export const nameColumn: Column<KubeObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'The name of the object, unique within its namespace.',
  cell: (object) => object.metadata.name ?? '',
};

/** Time since creation. A string, as Kubernetes' own tables have it; custom resources may use the `date` type. */
export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  description: 'How long ago the object was created.',
  cell: (object, { nowMs }) => translateTimestampSince(object.metadata.creationTimestamp, nowMs),
};

/** When it was made, for kinds that Kubernetes has no table for. */
export const createdColumn: Column<KubeObject> = {
  name: 'Created At',
  type: 'date',
  description: 'When the object was created.',
  cell: (object) => object.metadata.creationTimestamp ?? '',
};

type Cell<T> = Column<T>['cell'];

export const textColumn = <T>(name: string, description: string, cell: Cell<T>): Column<T> => ({
  name,
  type: 'string',
  description,
  cell,
});

export const integerColumn = <T>(name: string, description: string, cell: Cell<T>): Column<T> => ({
  name,
  type: 'integer',
  description,
  cell,
});

export const booleanColumn = <T>(name: string, description: string, cell: Cell<T>): Column<T> => ({
  name,
  type: 'boolean',
  description,
  cell,
});

/** Shown with `-o wide` only. */
export const wide = <T>(column: Column<T>): Column<T> => ({ ...column, priority: 1 });

/** How a boolean that may be unsaid is shown. */
export const optionalFlag = (value: boolean | undefined): string =>
  value === undefined ? '<unset>' : value ? 'True' : 'False';

export interface Templated extends KubeObject {
  spec?: { template?: PodTemplateSpec | undefined; selector?: LabelSelector | undefined } | undefined;
}

const listOf = (object: Templated, read: (container: Container) => string | undefined): string =>
  (object.spec?.template?.spec?.containers ?? []).map((container) => read(container) ?? '').join(',');

/** A selector with an operator that no rule allows shows as an error instead of failing the whole table. */
export function selectorText(selector: LabelSelector | undefined): string {
  try {
    return formatLabelSelector(selector) || '<none>';
  } catch {
    return '<error>';
  }
}

/** What `-o wide` adds to everything with a template of pods. */
export const templateColumns: readonly Column<Templated>[] = [
  {
    name: 'Containers',
    type: 'string',
    priority: 1,
    description: 'Names of the containers in the template.',
    cell: (object) => listOf(object, (c) => c.name),
  },
  {
    name: 'Images',
    type: 'string',
    priority: 1,
    description: 'Images of the containers in the template.',
    cell: (object) => listOf(object, (c) => c.image),
  },
];

/** What `-o wide` adds to every workload: its containers, their images, and the pods it selects. */
export const workloadColumns: readonly Column<Templated>[] = [
  ...templateColumns,
  {
    name: 'Selector',
    type: 'string',
    priority: 1,
    description: 'The labels of the pods that belong to the object.',
    cell: (object) => selectorText(object.spec?.selector),
  },
];

/** At most three of `items`, and how many more there are. */
export function shortList(items: readonly string[]): string {
  const shown = items.slice(0, 3).join(',');
  return items.length > 3 ? `${shown} + ${items.length - 3} more...` : shown;
}
