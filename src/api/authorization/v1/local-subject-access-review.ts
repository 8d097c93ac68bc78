// LocalSubjectAccessReview: may this user do this in this namespace? So that the right to ask can be given for one namespace.
import { defineKind, FieldAt } from '../../../machinery/index.ts';
import type { LocalSubjectAccessReview as LocalSubjectAccessReviewObject } from '../../generated/authorization-v1.ts';
import { shape } from '../../shape.ts';
import { validateBareMeta, validateSubject } from './access-rules.ts';

export type LocalSubjectAccessReview = LocalSubjectAccessReviewObject;

export const LocalSubjectAccessReview = defineKind<LocalSubjectAccessReviewObject>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  scope: 'Namespaced',
  schema: shape('authorization.v1.LocalSubjectAccessReview'),
  verbs: ['create'],
  validate({ metadata, spec }, _old, causes) {
    const field = new FieldAt('spec', causes);
    validateSubject(spec, field);
    validateBareMeta(metadata, { namespaced: true, causes });
    const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
    if (resource !== undefined && (resource.namespace ?? '') !== (metadata.namespace ?? ''))
      field
        .child('resourceAttributes', 'namespace')
        .invalid(resource.namespace ?? '', 'must match metadata.namespace');
    if (path !== undefined)
      field.child('nonResourceAttributes').invalid(path, 'disallowed on this kind of request');
  },
});
