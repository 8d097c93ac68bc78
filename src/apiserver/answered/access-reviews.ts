// The reviews of authorization.k8s.io: the chain of authorizers is asked what it would say to a request.
import {
  type authorizationV1,
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from '../../api/index.ts';
import { badRequest } from '../../machinery/index.ts';
import type { RequestAttributes, UserInfo } from '../auth/attributes.ts';
import type { Authorize } from '../auth/authorize.ts';
import type { AnsweredKind } from '../registry/core.ts';
import { answered, readQuestion } from './ask.ts';

type Question = Pick<authorizationV1.SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>;

/** The request that a question is about. Exactly one of its two parts is there. */
export function attributesOf(
  user: UserInfo,
  { resourceAttributes: resource, nonResourceAttributes: path }: Question,
): RequestAttributes {
  return {
    user,
    verb: resource?.verb ?? path?.verb ?? '',
    group: resource?.group ?? '',
    version: resource?.version ?? '',
    resource: resource?.resource ?? '',
    subresource: resource?.subresource ?? '',
    namespace: resource?.namespace ?? '',
    name: resource?.name ?? '',
    path: path?.path ?? '',
  };
}

const subjectOf = (spec: authorizationV1.SubjectAccessReviewSpec): UserInfo => ({
  name: spec.user ?? '',
  uid: spec.uid ?? '',
  groups: spec.groups ?? [],
  extra: spec.extra,
});

export function accessReviews(authorize: Authorize): readonly AnsweredKind[] {
  const verdict = (user: UserInfo, spec: Question): authorizationV1.SubjectAccessReviewStatus => {
    const { decision, reason } = authorize.decide(attributesOf(user, spec));
    return {
      allowed: decision === 'allow',
      ...(decision === 'deny' && { denied: true }),
      ...(reason !== '' && { reason }),
    };
  };

  return [
    {
      kind: SubjectAccessReview,
      async create(core, call) {
        const review = readQuestion<SubjectAccessReview>(core, call);
        review.status = verdict(subjectOf(review.spec), review.spec);
        return answered(review);
      },
    },
    {
      kind: LocalSubjectAccessReview,
      async create(core, call) {
        const review = readQuestion<LocalSubjectAccessReview>(core, call);
        review.status = verdict(subjectOf(review.spec), review.spec);
        return answered(review);
      },
    },
    {
      kind: SelfSubjectAccessReview,
      async create(core, call) {
        const review = readQuestion<SelfSubjectAccessReview>(core, call);
        review.status = verdict(call.context.user, review.spec);
        return answered(review);
      },
    },
    {
      kind: SelfSubjectRulesReview,
      async create(core, call) {
        const { namespace = '' } = readQuestion<SelfSubjectRulesReview>(core, call).spec;
        if (namespace === '') throw badRequest('no namespace on request');
        const { resources, paths, incomplete, error } = authorize.rulesFor(call.context.user, namespace);
        const { apiVersion, kind } = SelfSubjectRulesReview;
        return answered({
          kind,
          apiVersion,
          metadata: { creationTimestamp: null },
          spec: {},
          status: {
            resourceRules: resources,
            nonResourceRules: paths,
            incomplete,
            ...(error !== '' && { evaluationError: error }),
          },
        } as unknown as SelfSubjectRulesReview);
      },
    },
  ];
}
