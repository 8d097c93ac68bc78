// What brings a role or a binding of every cluster up to date, whoever changed it: what is missing is added, what is more is left, and an
// object that says so is not touched. Pure. Rules of Kubernetes' component-helpers/auth/rbac/reconciliation, without removal.
import type { rbacV1 } from '../../api/index.ts';
import { type KubeObject, semanticEqual } from '../../machinery/index.ts';
import { missingRules } from '../auth/rbac/covers.ts';
import { sameJson } from '../registry/objects.ts';

interface Metadata {
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface WantedRole {
  readonly metadata: Metadata;
  readonly rules?: readonly rbacV1.PolicyRule[] | undefined;
  readonly aggregationRule?: rbacV1.AggregationRule | undefined;
}

export interface WantedBinding {
  readonly metadata: Metadata;
  readonly roleRef: rbacV1.RoleRef;
  readonly subjects?: readonly rbacV1.Subject[] | undefined;
}

type StoredRole = KubeObject & Omit<WantedRole, 'metadata'>;
type StoredBinding = KubeObject & Omit<WantedBinding, 'metadata'>;

const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';

const isProtected = ({ metadata }: KubeObject): boolean => metadata.annotations?.[autoUpdate] === 'false';

/** Labels and annotations of ours that are not there; one that has another value is the user's. */
function lacksMetadata({ metadata }: KubeObject, wanted: Metadata): boolean {
  const lacks = (
    stored: Readonly<Record<string, string>> | undefined,
    ours: Readonly<Record<string, string>> | undefined,
  ) => Object.keys(ours ?? {}).some((key) => stored?.[key] === undefined);
  return lacks(metadata.labels, wanted.labels) || lacks(metadata.annotations, wanted.annotations);
}

const mergedMetadata = <T extends KubeObject>({ metadata }: T, wanted: Metadata): T['metadata'] => ({
  ...metadata,
  labels: { ...wanted.labels, ...metadata.labels },
  annotations: { ...wanted.annotations, ...metadata.annotations },
});

/** Most roles are as they were made, which is seen sooner than what they allow. */
const lackingRules = (stored: readonly rbacV1.PolicyRule[], wanted: readonly rbacV1.PolicyRule[]) =>
  sameJson(stored, wanted) ? [] : missingRules(stored, wanted);

/** The role as it should be stored; undefined = as it is. */
export function planRole<T extends StoredRole>(stored: T, wanted: WantedRole): T | undefined {
  if (isProtected(stored)) return undefined;
  const missing = lackingRules(stored.rules ?? [], wanted.rules ?? []);
  const selectors = stored.aggregationRule?.clusterRoleSelectors ?? [];
  const missingSelectors = (wanted.aggregationRule?.clusterRoleSelectors ?? []).filter(
    (selector) => !selectors.some((known) => semanticEqual(known, selector)),
  );
  // Rules of a role that should not gather any are its own: gathering would put others in their place.
  const gathersWrongly = stored.aggregationRule !== undefined && wanted.aggregationRule === undefined;
  if (
    missing.length + missingSelectors.length === 0 &&
    !gathersWrongly &&
    !lacksMetadata(stored, wanted.metadata)
  )
    return undefined;
  const { aggregationRule, ...rest } = stored;
  return {
    ...rest,
    metadata: mergedMetadata(stored, wanted.metadata),
    rules: [...(stored.rules ?? []), ...missing],
    ...(wanted.aggregationRule !== undefined && {
      aggregationRule: { ...aggregationRule, clusterRoleSelectors: [...selectors, ...missingSelectors] },
    }),
  } as unknown as T;
}

/** Another role cannot be referred to by an update: such a binding is made anew. */
export type PolicyPlan<T> = { readonly act: 'update'; readonly object: T } | { readonly act: 'recreate' };

/** undefined = it is as it should be. */
export function planBinding<T extends StoredBinding>(
  stored: T,
  wanted: WantedBinding,
): PolicyPlan<T> | undefined {
  if (isProtected(stored)) return undefined;
  if (!semanticEqual(stored.roleRef, wanted.roleRef)) return { act: 'recreate' };
  const subjects = stored.subjects ?? [];
  const missing = (wanted.subjects ?? []).filter(
    (subject) => !subjects.some((known) => semanticEqual(known, subject)),
  );
  if (missing.length === 0 && !lacksMetadata(stored, wanted.metadata)) return undefined;
  const object = {
    ...stored,
    metadata: mergedMetadata(stored, wanted.metadata),
    subjects: [...subjects, ...missing],
  };
  return { act: 'update', object };
}
