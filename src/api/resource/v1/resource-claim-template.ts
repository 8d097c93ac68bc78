// ResourceClaimTemplate: from which each pod gets a claim of its own.
import {
  defineKind,
  FieldAt,
  semanticEqual,
  validateAnnotations,
  validateLabels,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import type { ResourceClaimTemplate as ResourceClaimTemplateObject } from '../../generated/resource-v1.ts';
import { shape } from '../../shape.ts';
import { defaultClaimSpec, validateClaimSpec } from './claim-rules.ts';
import { dropFromClaimSpec } from './gated-fields.ts';

export type ResourceClaimTemplate = ResourceClaimTemplateObject;

export const ResourceClaimTemplate = defineKind<ResourceClaimTemplateObject>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceClaimTemplate',
  plural: 'resourceclaimtemplates',
  scope: 'Namespaced',
  schema: shape('resource.v1.ResourceClaimTemplate'),
  columns: [nameColumn, ageColumn],
  defaults: ({ spec }) => defaultClaimSpec(spec.spec),
  prepareCreate: ({ spec }) => dropFromClaimSpec(spec.spec),
  prepareUpdate(next, old) {
    if (!semanticEqual(next.spec, old.spec)) dropFromClaimSpec(next.spec.spec);
  },
  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    if (old !== undefined) {
      field.immutable(spec, old.spec);
      return;
    }
    const metadata = field.child('metadata');
    validateAnnotations(spec.metadata?.annotations, metadata.child('annotations').path, causes);
    validateLabels(spec.metadata?.labels, metadata.child('labels').path, causes);
    validateClaimSpec(spec.spec, field.child('spec'));
  },
});
