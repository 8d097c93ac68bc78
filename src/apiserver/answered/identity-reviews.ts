// The reviews of authentication.k8s.io: whose token is this, and who am I.
import { type authenticationV1, SelfSubjectReview, TokenReview } from '../../api/index.ts';
import { badRequest } from '../../machinery/index.ts';
import type { UserInfo } from '../auth/attributes.ts';
import type { TokenAuthenticator } from '../auth/authenticate.ts';
import type { AnsweredKind } from '../registry/core.ts';
import { nowText } from '../registry/core.ts';
import { answered, readQuestion } from './ask.ts';

export interface IdentityOptions {
  readonly token: TokenAuthenticator;
  /** For whom this server's tokens are good. */
  readonly audiences: readonly string[];
}

/** Without what is empty, as Kubernetes writes a UserInfo. */
function userInfo({ name, uid, groups, extra }: UserInfo): authenticationV1.UserInfo {
  return {
    ...(name !== '' && { username: name }),
    ...(uid !== '' && { uid }),
    ...(groups.length > 0 && { groups: [...groups] }),
    ...(extra !== undefined && {
      extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])),
    }),
  };
}

export const identityReviews = ({ token, audiences }: IdentityOptions): readonly AnsweredKind[] => [
  {
    kind: TokenReview,
    async create(core, call) {
      const review = readQuestion<TokenReview>(core, call);
      if (!review.spec.token) throw badRequest('token is required for TokenReview in authentication');
      const asked = review.spec.audiences ?? [];
      const common = asked.length === 0 ? audiences : asked.filter((one) => audiences.includes(one));
      // A token that is meant for somebody else says nothing here.
      const user = common.length === 0 ? undefined : token(review.spec.token);
      review.status =
        user === undefined
          ? { user: {}, error: 'invalid bearer token' }
          : { authenticated: true, user: userInfo(user), audiences: [...common] };
      return answered(review);
    },
  },
  {
    kind: SelfSubjectReview,
    async create(core, call) {
      readQuestion(core, call);
      const { apiVersion, kind } = SelfSubjectReview;
      return answered({
        kind,
        apiVersion,
        metadata: { creationTimestamp: nowText(core) },
        status: { userInfo: userInfo(call.context.user) },
      } as unknown as SelfSubjectReview);
    },
  },
];
