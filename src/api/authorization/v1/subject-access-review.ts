// SubjectAccessReview: may this user do this? Answered, never stored.
import { defineKind, FieldAt } from '../../../machinery/index.ts';
import type { SubjectAccessReview as SubjectAccessReviewObject } from '../../generated/authorization-v1.ts';
import { shape } from '../../shape.ts';
import { validateBareMeta, validateSubject } from './access-rules.ts';

export type SubjectAccessReview = SubjectAccessReviewObject;

export const SubjectAccessReview = defineKind<SubjectAccessReviewObject>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  scope: 'Cluster',
  schema: shape('authorization.v1.SubjectAccessReview'),
  verbs: ['create'],
  validate({ metadata, spec }, _old, causes) {
    validateSubject(spec, new FieldAt('spec', causes));
    validateBareMeta(metadata, { namespaced: false, causes });
  },
});
