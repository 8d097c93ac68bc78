// Which objects a quota with scopes is about. Pure.
import type { KindDef, KubeObject } from '../../../../machinery/index.ts';
import type {
  PersistentVolumeClaim,
  Pod,
  PodAffinityTerm,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
} from '../../../generated/core-v1.ts';
import { qosClass } from '../pod/qos.ts';

type Named = Pick<KindDef, 'group' | 'plural'>;

/** Scopes named in `scopes` alone, and those that a selector narrows further. */
export const scopesOf = ({
  scopes,
  scopeSelector,
}: ResourceQuotaSpec): ScopedResourceSelectorRequirement[] => [
  ...(scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
  ...(scopeSelector?.matchExpressions ?? []),
];

/** A quota without scopes is about everything; one with scopes about pods or claims that are in all of them. */
export function isInScopes(spec: ResourceQuotaSpec, kind: Named, object: KubeObject): boolean {
  const scopes = scopesOf(spec);
  if (scopes.length === 0) return true;
  if (kind.group !== '') return false;
  if (kind.plural === 'pods') return scopes.every((scope) => hasPod(scope, object as Pod));
  if (kind.plural === 'persistentvolumeclaims')
    return scopes.every((scope) => hasClaim(scope, object as PersistentVolumeClaim));
  return false;
}

function hasPod(scope: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  const { spec } = pod;
  switch (scope.scopeName) {
    case 'Terminating':
      return isLimitedInTime(pod);
    case 'NotTerminating':
      return !isLimitedInTime(pod);
    case 'BestEffort':
      return qosClass(pod) === 'BestEffort';
    case 'NotBestEffort':
      return qosClass(pod) !== 'BestEffort';
    case 'PriorityClass':
      return selects(scope, spec.priorityClassName ?? '');
    case 'CrossNamespacePodAffinity':
      return looksElsewhere(pod);
    default:
      return false;
  }
}

const isLimitedInTime = ({ spec }: Pod): boolean => (spec.activeDeadlineSeconds ?? -1) >= 0;

function selects({ operator, values = [] }: ScopedResourceSelectorRequirement, value: string): boolean {
  switch (operator) {
    case 'Exists':
      return value !== '';
    case 'DoesNotExist':
      return value === '';
    case 'In':
      return value !== '' && values.includes(value);
    default:
      return value === '' || !values.includes(value);
  }
}

/** Its affinity is about pods of other namespaces too. */
function looksElsewhere({ spec: { affinity } }: Pod): boolean {
  const terms: PodAffinityTerm[] = [affinity?.podAffinity, affinity?.podAntiAffinity].flatMap((side) => [
    ...(side?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(side?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((one) => one.podAffinityTerm),
  ]);
  return terms.some((term) => (term.namespaces?.length ?? 0) > 0 || term.namespaceSelector !== undefined);
}

/** A claim that changes its class is in the scopes of both. */
function hasClaim(
  scope: ScopedResourceSelectorRequirement,
  { spec, status }: PersistentVolumeClaim,
): boolean {
  if (scope.scopeName !== 'VolumeAttributesClass') return false;
  const classes = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter((name) => name !== undefined && name !== '');
  return classes.length === 0 ? selects(scope, '') : classes.some((name) => selects(scope, name!));
}
