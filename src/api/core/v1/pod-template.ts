// PodTemplate: a template by itself, for controllers of others.
import { defineKind, formatLabelMap } from '../../../machinery/index.ts';
import { nameColumn, templateColumns, textColumn } from '../../columns.ts';
import type { PodTemplate as PodTemplateObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { defaultPodTemplate, validatePodTemplate, warnPodTemplate } from './pod.ts';

export type PodTemplate = PodTemplateObject;

export const PodTemplate = defineKind<PodTemplateObject>({
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  scope: 'Namespaced',
  schema: shape('core.v1.PodTemplate'),
  generationFields: ['template'],
  returnsDeleted: true,
  columns: [
    nameColumn,
    ...templateColumns.map(({ priority: _, ...column }) => ({
      ...column,
      cell: ({ template, ...rest }: PodTemplateObject, now: { nowMs: number }) =>
        column.cell({ ...rest, spec: { template } }, now),
    })),
    textColumn(
      'Pod Labels',
      'The labels of its pods.',
      ({ template }) => formatLabelMap(template?.metadata?.labels) || '<none>',
    ),
  ],
  defaults: ({ template }) => defaultPodTemplate(template),
  validate: ({ template }, _old, causes) => validatePodTemplate(template, 'template', causes),
  warn: ({ template }) => warnPodTemplate(template, 'template'),
});
