// Namespace: when one is deleted, empties it and lets it go. Conditions say what is still there.
import { kubernetesFinalizer, Namespace } from '../../api/index.ts';
import {
  formatTime,
  isConflict,
  isNotFound,
  type KindDef,
  type KubeObject,
  semanticEqual,
} from '../../machinery/index.ts';
import { type Controller, defineController } from '../framework/index.ts';

/** How soon to look again while objects wait for finalizers or for their containers to end. */
const lookAgainMs = 250;

interface Remaining {
  readonly kind: KindDef;
  readonly items: readonly KubeObject[];
}

/** What a namespace holds besides its conditions of other types. Pure. */
export function contentConditions(
  remaining: readonly Remaining[],
  failures: readonly string[],
  before: NonNullable<Namespace['status']>['conditions'],
  nowMs: number,
) {
  const left = remaining.filter((r) => r.items.length > 0);
  const resource = ({ kind }: Remaining) =>
    kind.group === '' ? `${kind.plural}.` : `${kind.plural}.${kind.group}`;
  const finalizers = new Map<string, number>();
  for (const { items } of left)
    for (const { metadata } of items)
      for (const f of metadata.finalizers ?? []) finalizers.set(f, (finalizers.get(f) ?? 0) + 1);
  const contentText = left.map((r) => `${resource(r)} has ${r.items.length} resource instances`).join(', ');
  const finalizerText = [...finalizers]
    .sort()
    .map(([name, count]) => `${name} in ${count} resource instances`)
    .join(', ');
  const wanted = [
    condition(
      'NamespaceDeletionDiscoveryFailure',
      false,
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ),
    condition(
      'NamespaceDeletionGroupVersionParsingFailure',
      false,
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    failures.length > 0
      ? condition(
          'NamespaceDeletionContentFailure',
          true,
          'ContentDeletionFailed',
          `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(', ')}`,
        )
      : condition(
          'NamespaceDeletionContentFailure',
          false,
          'ContentDeleted',
          'All content successfully deleted, may be waiting on finalization',
        ),
    left.length > 0
      ? condition(
          'NamespaceContentRemaining',
          true,
          'SomeResourcesRemain',
          `Some resources are remaining: ${contentText}`,
        )
      : condition('NamespaceContentRemaining', false, 'ContentRemoved', 'All content successfully removed'),
    finalizers.size > 0
      ? condition(
          'NamespaceFinalizersRemaining',
          true,
          'SomeFinalizersRemain',
          `Some content in the namespace has finalizers remaining: ${finalizerText}`,
        )
      : condition(
          'NamespaceFinalizersRemaining',
          false,
          'ContentHasNoFinalizers',
          'All content-preserving finalizers finished',
        ),
  ];
  return wanted.map((w) => {
    const old = before?.find((c) => c.type === w.type);
    return {
      ...w,
      lastTransitionTime: old?.status === w.status ? old.lastTransitionTime : formatTime(nowMs),
    };
  });
}

const condition = (type: string, on: boolean, reason: string, message: string) => ({
  type,
  status: on ? 'True' : 'False',
  reason,
  message,
});

export function namespaceController(options: { kinds: readonly KindDef[] }): Controller {
  const emptied = options.kinds.filter(
    (k) =>
      k.scope === 'Namespaced' &&
      k.conversion === null &&
      k.verbs.includes('deletecollection') &&
      k.verbs.includes('list'),
  );

  return defineController({
    name: 'namespace',
    reconciles: Namespace,
    when: (_, namespace) => namespace.metadata.deletionTimestamp !== undefined,
    concurrency: 4,
    retryMaxMs: 5000,

    build({ clock, lister, client }) {
      const namespaces = lister(Namespace);

      return async function reconcile(name, signal) {
        const namespace = namespaces.get(name);
        if (namespace?.metadata.deletionTimestamp === undefined) return;
        if (!namespace.spec.finalizers?.includes(kubernetesFinalizer)) return;
        const failures: string[] = [];
        const remaining: Remaining[] = [];
        for (const kind of emptied) {
          signal.throwIfAborted();
          try {
            await client(kind).deleteCollection({ namespace: name }, { propagationPolicy: 'Background' });
          } catch (error) {
            failures.push(`${kind.plural}: ${(error as Error).message}`);
          }
          remaining.push({ kind, items: (await client(kind).list({ namespace: name })).items });
        }
        const done = failures.length === 0 && remaining.every((r) => r.items.length === 0);
        if (!done) {
          const conditions = contentConditions(
            remaining,
            failures,
            namespace.status?.conditions,
            clock.nowMs(),
          );
          if (!semanticEqual(conditions, namespace.status?.conditions)) {
            await ignoreGone(
              client(Namespace).patch({ name, subresource: 'status' }, 'merge', { status: { conditions } }),
            );
          }
          return { requeueAfterMs: lookAgainMs };
        }
        const finalizers = namespace.spec.finalizers.filter((f) => f !== kubernetesFinalizer);
        const body = {
          ...namespace,
          metadata: { ...namespace.metadata, resourceVersion: '' },
          spec: { ...namespace.spec, finalizers },
        };
        await ignoreGone(
          client.transport.update(
            { kind: Namespace, namespace: undefined, name, subresource: 'finalize' },
            body,
            {},
          ),
        );
        return;
      };
    },
  });
}

async function ignoreGone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
