// TokenReview: whose token is this? Answered, never stored; a token is required by whoever answers, with a 400.
import { defineKind } from '../../../machinery/index.ts';
import type { TokenReview as TokenReviewObject } from '../../generated/authentication-v1.ts';
import { shape } from '../../shape.ts';

export type TokenReview = TokenReviewObject;

export const TokenReview = defineKind<TokenReviewObject>({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  scope: 'Cluster',
  schema: shape('authentication.v1.TokenReview'),
  verbs: ['create'],
});
