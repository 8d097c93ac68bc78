// ReplicaSet: keeps the wanted number of pods alive.
import { Pod, ReplicaSet } from '../../api/index.ts';
import { compileLabelSelector, controllerRef, isNotFound, semanticEqual } from '../../machinery/index.ts';
import { defineController, maps, owns } from '../framework/index.ts';
import { isActive, podFromTemplate } from '../pod-facts.ts';
import { inBatches } from './batches.ts';
import { planReplicaSet, planStatus } from './plan.ts';

const orphans = 'withoutController';

export const replicaSetController = defineController({
  name: 'replicaset',
  reconciles: ReplicaSet,
  watches: [
    owns(Pod),
    // A pod without a controller may be one that a set should adopt.
    maps(Pod, (pod, lister) => {
      if (
        pod.metadata.ownerReferences?.some((o) => o.controller === true) ||
        pod.metadata.labels === undefined
      )
        return [];
      return lister(ReplicaSet)
        .list(pod.metadata.namespace)
        .filter((set) => compileLabelSelector(set.spec.selector)(pod.metadata.labels ?? {}))
        .map((set) => `${set.metadata.namespace}/${set.metadata.name}`);
    }),
  ],
  concurrency: 8,

  build({ clock, lister, informer, client, event }) {
    const sets = lister(ReplicaSet);
    const pods = informer(Pod);
    pods.addIndex(orphans, (pod) =>
      pod.metadata.ownerReferences?.some((o) => o.controller === true) ? [] : [pod.metadata.namespace!],
    );

    return async function reconcile(key, signal) {
      const set = sets.get(key);
      if (set === undefined) return;
      const matches = compileLabelSelector(set.spec.selector);
      const { namespace, uid } = set.metadata;
      const owned = pods.byIndex('byController', uid);
      const plan = planReplicaSet(
        set,
        [...owned, ...pods.byIndex(orphans, namespace!)],
        matches,
        clock.nowMs(),
      );

      for (const pod of plan.adopt) {
        signal.throwIfAborted();
        await patchOwners(pod, [...(pod.metadata.ownerReferences ?? []), controllerRef(set)]);
      }
      for (const pod of plan.release) {
        signal.throwIfAborted();
        await patchOwners(
          pod,
          (pod.metadata.ownerReferences ?? []).filter((o) => o.uid !== uid),
        );
      }
      let failure: Parameters<typeof planStatus>[2];
      if (plan.create > 0) {
        const error = await inBatches(plan.create, signal, async () => {
          const pod = await client(Pod).create(podFromTemplate(set, set.spec.template!));
          event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
        });
        if (error !== undefined) {
          failure = { reason: 'FailedCreate', message: error.message };
          event(set, 'Warning', 'FailedCreate', `Error creating: ${error.message}`);
        }
      }
      if (plan.remove.length > 0) {
        const victims = [...plan.remove];
        const error = await inBatches(victims.length, signal, async () => {
          const { name, uid: podUid } = victims.pop()!.metadata;
          try {
            await client(Pod).delete(name, namespace, { preconditions: { uid: podUid } });
            event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
          } catch (cause) {
            if (!isNotFound(cause)) throw cause;
          }
        });
        if (error !== undefined) {
          failure = { reason: 'FailedDelete', message: error.message };
          event(set, 'Warning', 'FailedDelete', `Error deleting: ${error.message}`);
        }
      }
      const counted = owned.filter((pod) => matches(pod.metadata.labels ?? {}) || !isActive(pod));
      const status = planStatus(set, counted, failure, clock.nowMs());
      if (!semanticEqual(status, set.status)) {
        await client(ReplicaSet)
          .updateStatus({ ...set, status })
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
      }
      if (failure !== undefined) throw new Error(`${failure.reason}: ${failure.message}`);
      if (plan.wakeInMs !== undefined) return { requeueAfterMs: plan.wakeInMs };
      return;

      async function patchOwners(
        pod: Pod,
        ownerReferences: NonNullable<Pod['metadata']['ownerReferences']>,
      ): Promise<void> {
        try {
          await client(Pod).patch({ name: pod.metadata.name, namespace }, 'merge', {
            metadata: { uid: pod.metadata.uid, ownerReferences },
          });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
    };
  },
});
