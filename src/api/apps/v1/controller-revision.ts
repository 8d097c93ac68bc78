// ControllerRevision: what a controller's template once was, never changed afterwards.
import { controllerOf, controllerUid, defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../../columns.ts';
import type { ControllerRevision as ControllerRevisionObject } from '../../generated/apps-v1.ts';
import { shape } from '../../shape.ts';

export type ControllerRevision = ControllerRevisionObject;

export const ControllerRevision = defineKind<ControllerRevisionObject>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  scope: 'Namespaced',
  schema: shape('apps.v1.ControllerRevision'),
  columns: [
    nameColumn,
    textColumn('Controller', 'Whose revision it is.', (revision) => {
      const owner = controllerOf(revision);
      if (owner === undefined) return '<none>';
      const group = (owner.apiVersion ?? '').split('/').slice(0, -1).join('/');
      return `${owner.kind ?? ''}${group === '' ? '' : `.${group}`}`.toLowerCase() + `/${owner.name ?? ''}`;
    }),
    { ...integerColumn('Revision', 'Its number.', (revision) => revision.revision ?? 0), type: 'string' },
    ageColumn,
  ],
  indexes: { byController: controllerUid },
  validate(revision, old, causes) {
    const field = new FieldAt('', causes);
    if (revision.data === undefined || revision.data === null)
      field.child('data').required('data is mandatory');
    field.child('revision').notNegative(revision.revision);
    if (old !== undefined) field.child('data').immutable(revision.data, old.data);
  },
});
