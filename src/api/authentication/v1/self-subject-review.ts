// SelfSubjectReview: who am I? What `kubectl auth whoami` asks. Answered, never stored.
import { defineKind } from '../../../machinery/index.ts';
import type { SelfSubjectReview as SelfSubjectReviewObject } from '../../generated/authentication-v1.ts';
import { shape } from '../../shape.ts';

export type SelfSubjectReview = SelfSubjectReviewObject;

export const SelfSubjectReview = defineKind<SelfSubjectReviewObject>({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  scope: 'Cluster',
  schema: shape('authentication.v1.SelfSubjectReview'),
  verbs: ['create'],
});
