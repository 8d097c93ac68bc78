// ReplicaSet: keeps the wanted number of pods alive.
import { Pod, ReplicaSet } from '../../api/index.ts';
import {
  compileLabelSelector,
  controllerOf,
  isNotFound,
  keyOf,
  semanticEqual,
} from '../../machinery/index.ts';
import { type ControllerContext, defineController, maps, owns } from '../framework/index.ts';
import { adoptPatch, isNamespaceEnding, podFromTemplate, releasePatch } from '../pod-facts.ts';
import { inBatches } from './batches.ts';
import { planReplicaSet, type ReplicaSetPlan } from './plan.ts';
import { planStatus, type ReplicaSetFailure } from './status.ts';

const orphans = 'withoutController';

export const replicaSetController = defineController({
  name: 'replicaset',
  reconciles: ReplicaSet,
  watches: [
    owns(Pod),
    // A pod without a controller may be one that a set should adopt.
    maps(
      Pod,
      (pod, lister) => {
        const { labels, namespace } = pod.metadata;
        if (labels === undefined || controllerOf(pod) !== undefined) return [];
        return lister(ReplicaSet)
          .list(namespace)
          .filter((set) => compileLabelSelector(set.spec.selector)(labels))
          .map(keyOf);
      },
      {
        when: (old, pod) =>
          controllerOf(old)?.uid !== controllerOf(pod)?.uid ||
          !semanticEqual(old.metadata.labels, pod.metadata.labels),
      },
    ),
  ],
  concurrency: 8,

  build(context) {
    const { clock, lister, informer, client } = context;
    const sets = lister(ReplicaSet);
    const pods = informer(Pod);
    pods.addIndex(orphans, (pod) => (controllerOf(pod) === undefined ? [pod.metadata.namespace!] : []));

    const podsOf = (set: ReplicaSet) => pods.byIndex('byController', set.metadata.uid);
    /** Pods of all sets with the same owner: during a rollout old and new pods crowd a node together. */
    function related(set: ReplicaSet): readonly Pod[] {
      const owner = controllerOf(set);
      return owner === undefined ? podsOf(set) : sets.byIndex('byController', owner.uid).flatMap(podsOf);
    }

    return async function reconcile(key, signal) {
      const set = sets.get(key);
      if (set === undefined) return;
      const { namespace } = set.metadata;
      const plan = planReplicaSet({
        set,
        pods: [...podsOf(set), ...pods.byIndex(orphans, namespace!)],
        matches: compileLabelSelector(set.spec.selector),
        related: () => related(set),
        nowMs: clock.nowMs(),
      });

      if (plan.adopt.length > 0) await adopt(set, plan.adopt, signal);
      for (const pod of plan.release) {
        signal.throwIfAborted();
        await patchPod(pod, releasePatch(set, pod));
      }
      const failure = await scale(context, set, plan, signal);
      const status = planStatus(set, plan, { failure, nowMs: clock.nowMs() });
      if (!semanticEqual(status, set.status)) {
        await client(ReplicaSet)
          .updateStatus({ ...set, status })
          .catch(ignoreNotFound);
      }
      if (failure !== undefined) throw new Error(`${failure.reason}: ${failure.message}`);
      return plan.wakeInMs === undefined ? undefined : { requeueAfterMs: plan.wakeInMs };
    };

    /** Asks the server first: a pod adopted by a set that has been deleted meanwhile would be collected with it. */
    async function adopt(set: ReplicaSet, found: readonly Pod[], signal: AbortSignal): Promise<void> {
      const { name, namespace, uid } = set.metadata;
      const fresh = await client(ReplicaSet).get(name, namespace);
      if (fresh.metadata.uid !== uid || fresh.metadata.deletionTimestamp !== undefined)
        throw new Error(`${namespace}/${name} is being deleted and adopts no pods`);
      for (const pod of found) {
        signal.throwIfAborted();
        await patchPod(pod, adoptPatch(set, pod));
      }
    }

    async function patchPod(pod: Pod, patch: object): Promise<void> {
      const { name, namespace } = pod.metadata;
      await client(Pod).patch({ name, namespace }, 'strategic', patch).catch(ignoreNotFound);
    }
  },
});

/** Creates or deletes pods. Returns what went wrong, so that it gets into the status before the run fails. */
async function scale(
  { client, event }: ControllerContext,
  set: ReplicaSet,
  plan: ReplicaSetPlan,
  signal: AbortSignal,
): Promise<ReplicaSetFailure | undefined> {
  if (plan.create > 0) {
    const error = await inBatches(plan.create, signal, async () => {
      try {
        const pod = await client(Pod).create(podFromTemplate(set, set.spec.template!));
        event(set, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
      } catch (cause) {
        if (isNamespaceEnding(cause)) return;
        event(set, 'Warning', 'FailedCreate', `Error creating: ${(cause as Error).message}`);
        throw cause;
      }
    });
    return error && { reason: 'FailedCreate', message: error.message };
  }
  const victims = [...plan.remove];
  const error = await inBatches(victims.length, signal, async () => {
    const { name, namespace, uid } = victims.pop()!.metadata;
    try {
      await client(Pod).delete(name, namespace, { preconditions: { uid } });
      event(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (cause) {
      if (isNotFound(cause)) return;
      event(set, 'Warning', 'FailedDelete', `Error deleting: ${(cause as Error).message}`);
      throw cause;
    }
  });
  return error && { reason: 'FailedDelete', message: error.message };
}

const ignoreNotFound = (error: unknown): void => {
  if (!isNotFound(error)) throw error;
};
