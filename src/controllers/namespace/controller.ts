// Namespace: when one is deleted, empties it and lets it go. Pods go before everything else, so that no container outlives the
// policies, secrets and accounts it ran under. Conditions say what is still there.
import {
  bareKind,
  CustomResourceDefinition,
  isEstablished,
  kubernetesFinalizer,
  Namespace,
  Pod,
} from '../../api/index.ts';
import { isNotFound, type KindDef, semanticEqual } from '../../machinery/index.ts';
import { type Controller, defineController } from '../framework/index.ts';
import { findRemoteKinds } from '../remote-kinds.ts';
import { type Contents, contentConditions, type Remaining } from './conditions.ts';

/** How soon to look again while objects wait for finalizers or for their containers to end. */
const lookAgainMs = 250;
/** The same when it is only that another API server does not say what it has. */
const askAgainMs = 1000;

export function namespaceController(options: { kinds: readonly KindDef[] }): Controller {
  const emptied = options.kinds.filter(
    ({ scope, conversion, verbs }) =>
      scope === 'Namespaced' &&
      conversion === null &&
      verbs.includes('deletecollection') &&
      verbs.includes('list'),
  );
  const isPod = (kind: KindDef) => kind.group === Pod.group && kind.kind === Pod.kind;
  const inOrder = [emptied.filter(isPod), emptied.filter((kind) => !isPod(kind))];

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
        const finalizers = namespace.spec.finalizers ?? [];
        if (!finalizers.includes(kubernetesFinalizer)) return;
        const contents = await empty(name, signal);
        if (contents !== undefined) {
          const before = namespace.status?.conditions;
          const conditions = contentConditions(contents, before, clock.nowMs());
          if (!semanticEqual(conditions, before)) {
            const status = { conditions };
            await ignoreGone(client(Namespace).patch({ name, subresource: 'status' }, 'merge', { status }));
          }
          const isEmpty = contents.failures.length + contents.remaining.length === 0;
          return { requeueAfterMs: isEmpty ? askAgainMs : lookAgainMs };
        }
        const spec = { ...namespace.spec, finalizers: finalizers.filter((f) => f !== kubernetesFinalizer) };
        await ignoreGone(
          client.transport.update(
            { kind: Namespace, namespace: undefined, name, subresource: 'finalize' },
            { ...namespace, spec },
            {},
          ),
        );
        return;
      };

      /** Of the resources that users have defined, those that lie in namespaces. */
      async function customKinds(): Promise<readonly KindDef[]> {
        const { items } = await client(CustomResourceDefinition).list();
        return items
          .filter((definition) => isEstablished(definition))
          .map((definition) => bareKind(definition))
          .filter((kind) => kind?.scope === 'Namespaced') as KindDef[];
      }

      async function removeAll(kind: KindDef, namespace: string): Promise<void> {
        if (kind.verbs.includes('deletecollection')) {
          await client(kind).deleteCollection({ namespace }, { propagationPolicy: 'Background' });
          return;
        }
        for (const { metadata } of (await client(kind).list({ namespace })).items)
          await ignoreGone(
            client(kind).delete(metadata.name, namespace, { propagationPolicy: 'Background' }),
          );
      }

      /** What stands in the way of the namespace's end; undefined = it is empty. */
      async function empty(namespace: string, signal: AbortSignal): Promise<Contents | undefined> {
        const failures: string[] = [];
        const remaining: Remaining[] = [];
        const { kinds: remote, undiscovered } = await findRemoteKinds(client);
        const removable = remote.filter(
          ({ scope, verbs }) => scope === 'Namespaced' && verbs.includes('list') && verbs.includes('delete'),
        );
        for (const kinds of [...inOrder, await customKinds(), removable]) {
          for (const kind of kinds) {
            signal.throwIfAborted();
            try {
              await removeAll(kind, namespace);
              const { items } = await client(kind).list({ namespace });
              if (items.length > 0) remaining.push({ kind, items });
            } catch (error) {
              failures.push(`${kind.plural}: ${(error as Error).message}`);
            }
          }
          if (failures.length > 0 || remaining.length > 0) return { failures, remaining, undiscovered };
        }
        // Who does not say what he has may have something here.
        return undiscovered.length > 0 ? { failures, remaining, undiscovered } : undefined;
      }
    },
  });
}

async function ignoreGone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
