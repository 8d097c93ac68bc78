// What a namespace that is being deleted still holds, as conditions. Worded as Kubernetes words them: kubectl users read them when a
// namespace hangs. Pure.
import type { coreV1 } from '../../api/index.ts';
import { formatTime, type KindDef, type KubeObject } from '../../machinery/index.ts';

type NamespaceCondition = coreV1.NamespaceCondition;

export interface Remaining {
  readonly kind: Pick<KindDef, 'group' | 'plural'>;
  readonly items: readonly Pick<KubeObject, 'metadata'>[];
}

export interface Contents {
  readonly remaining: readonly Remaining[];
  /** Why kinds could not be emptied. */
  readonly failures: readonly string[];
  /** GROUP/VERSION of those that did not say what they have. */
  readonly undiscovered: readonly string[];
}

/** Conditions of other types stay as they are. */
export function contentConditions(
  { remaining, failures, undiscovered }: Contents,
  before: readonly NamespaceCondition[] | undefined,
  nowMs: number,
): NamespaceCondition[] {
  const left = remaining.filter(({ items }) => items.length > 0);
  const resources = left.map(
    ({ kind, items }) => `${kind.plural}.${kind.group} has ${items.length} resource instances`,
  );
  const counts = new Map<string, number>();
  for (const { items } of left)
    for (const { metadata } of items)
      for (const name of metadata.finalizers ?? []) counts.set(name, (counts.get(name) ?? 0) + 1);
  const finalizers = [...counts].map(([name, count]) => `${name} in ${count} resource instances`);
  const wanted = [
    undiscovered.length > 0
      ? is(
          'NamespaceDeletionDiscoveryFailure',
          'True',
          'DiscoveryFailed',
          `Discovery failed for some groups, ${undiscovered.length} failing: unable to retrieve the complete list of server APIs: ${undiscovered
            .map((at) => `${at}: stale GroupVersion discovery: ${at}`)
            .join(', ')}`,
        )
      : is(
          'NamespaceDeletionDiscoveryFailure',
          'False',
          'ResourcesDiscovered',
          'All resources successfully discovered',
        ),
    is(
      'NamespaceDeletionGroupVersionParsingFailure',
      'False',
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    failures.length > 0
      ? is(
          'NamespaceDeletionContentFailure',
          'True',
          'ContentDeletionFailed',
          `Failed to delete all resource types, ${failures.length} remaining: ${[...failures].sort().join(', ')}`,
        )
      : is(
          'NamespaceDeletionContentFailure',
          'False',
          'ContentDeleted',
          'All content successfully deleted, may be waiting on finalization',
        ),
    left.length > 0
      ? is(
          'NamespaceContentRemaining',
          'True',
          'SomeResourcesRemain',
          `Some resources are remaining: ${resources.sort().join(', ')}`,
        )
      : is('NamespaceContentRemaining', 'False', 'ContentRemoved', 'All content successfully removed'),
    finalizers.length > 0
      ? is(
          'NamespaceFinalizersRemaining',
          'True',
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${finalizers.sort().join(', ')}`,
        )
      : is(
          'NamespaceFinalizersRemaining',
          'False',
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        ),
  ];
  const now = formatTime(nowMs);
  const others = (before ?? []).filter((old) => !wanted.some((w) => w.type === old.type));
  return [
    ...others,
    ...wanted.map((condition) => {
      const old = before?.find((c) => c.type === condition.type);
      const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : now;
      return { ...condition, lastTransitionTime };
    }),
  ] as NamespaceCondition[];
}

const is = (type: string, status: 'True' | 'False', reason: string, message: string) => ({
  type,
  status,
  reason,
  message,
});
