// SelfSubjectRulesReview: what may I do in this namespace? What `kubectl auth can-i --list` asks.
import { defineKind } from '../../../machinery/index.ts';
import type { SelfSubjectRulesReview as SelfSubjectRulesReviewObject } from '../../generated/authorization-v1.ts';
import { shape } from '../../shape.ts';

export type SelfSubjectRulesReview = SelfSubjectRulesReviewObject;

export const SelfSubjectRulesReview = defineKind<SelfSubjectRulesReviewObject>({
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  scope: 'Cluster',
  schema: shape('authorization.v1.SelfSubjectRulesReview'),
  verbs: ['create'],
});
