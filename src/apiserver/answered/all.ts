// Every kind that is answered, not stored. Adding one = its file, one line here, and one in api's list of answered kinds.
import type { UsageSource } from '../../api/index.ts';
import type { KindDef } from '../../machinery/index.ts';
import type { Authorize } from '../auth/authorize.ts';
import { resourceMetrics } from '../metrics-api/resource-metrics.ts';
import type { AnsweredKind } from '../registry/core.ts';
import { accessReviews } from './access-reviews.ts';
import { bindings } from './bindings.ts';
import { type ComponentCheck, componentStatuses } from './component-statuses.ts';
import { type IdentityOptions, identityReviews } from './identity-reviews.ts';

export interface AnsweredOptions {
  readonly authorize: Authorize;
  readonly identity: IdentityOptions;
  readonly components: readonly ComponentCheck[];
  readonly usage: readonly UsageSource[];
}

export const answeredBy = ({
  authorize,
  identity,
  components,
  usage,
}: AnsweredOptions): ReadonlyMap<KindDef, AnsweredKind> =>
  new Map(
    [
      bindings,
      componentStatuses(components),
      ...identityReviews(identity),
      ...accessReviews(authorize),
      ...resourceMetrics(usage),
    ].map((answers) => [answers.kind, answers]),
  );
