// SelfSubjectAccessReview: may I do this? What `kubectl auth can-i` asks.
import { defineKind, FieldAt } from '../../../machinery/index.ts';
import type { SelfSubjectAccessReview as SelfSubjectAccessReviewObject } from '../../generated/authorization-v1.ts';
import { shape } from '../../shape.ts';
import { validateBareMeta, validateQuestion } from './access-rules.ts';

export type SelfSubjectAccessReview = SelfSubjectAccessReviewObject;

export const SelfSubjectAccessReview = defineKind<SelfSubjectAccessReviewObject>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  scope: 'Cluster',
  schema: shape('authorization.v1.SelfSubjectAccessReview'),
  verbs: ['create'],
  validate({ metadata, spec }, _old, causes) {
    validateQuestion(spec, new FieldAt('spec', causes));
    validateBareMeta(metadata, { namespaced: false, causes });
  },
});
