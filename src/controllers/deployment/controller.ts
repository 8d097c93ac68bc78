// Deployment: rolls its template out through ReplicaSets, keeping enough pods available on the way.
import { Deployment, Pod, ReplicaSet } from '../../api/index.ts';
import {
  compileLabelSelector,
  controllerOf,
  controllerRef,
  isAlreadyExists,
  isNotFound,
  semanticEqual,
} from '../../machinery/index.ts';
import { defineController, maps, owns } from '../framework/index.ts';
import { type DeploymentPlan, planDeployment } from './plan.ts';
import { revisionAnnotation } from './rollout.ts';

const orphans = 'withoutController';

export const deploymentController = defineController({
  name: 'deployment',
  reconciles: Deployment,
  watches: [
    owns(ReplicaSet),
    // With strategy Recreate the end of the last old pod is what it waits for.
    maps(
      Pod,
      (pod, lister) => {
        const owner = controllerOf(pod);
        const set =
          owner?.kind === 'ReplicaSet'
            ? lister(ReplicaSet).get(`${pod.metadata.namespace}/${owner.name}`)
            : undefined;
        const above = set === undefined ? undefined : controllerOf(set);
        if (above?.kind !== 'Deployment') return [];
        const key = `${pod.metadata.namespace}/${above.name}`;
        return lister(Deployment).get(key)?.spec.strategy?.type === 'Recreate' ? [key] : [];
      },
      { when: (old, pod) => old.status?.phase !== pod.status?.phase },
    ),
  ],
  concurrency: 8,

  build({ clock, lister, informer, client, event }) {
    const deployments = lister(Deployment);
    const sets = informer(ReplicaSet);
    const pods = lister(Pod);
    sets.addIndex(orphans, (set) => (controllerOf(set) === undefined ? [set.metadata.namespace!] : []));

    return async function reconcile(key, signal) {
      const deployment = deployments.get(key);
      if (deployment === undefined) return;
      const { namespace, uid } = deployment.metadata;
      const plan = planDeployment({
        deployment,
        sets: [...sets.byIndex('byController', uid), ...sets.byIndex(orphans, namespace!)],
        matches: compileLabelSelector(deployment.spec.selector),
        podsOf: (set) => pods.byIndex('byController', set.metadata.uid),
        nowMs: clock.nowMs(),
      });
      await apply(deployment, plan, signal);
      return plan.wakeInMs === undefined ? undefined : { requeueAfterMs: plan.wakeInMs };
    };

    async function apply(deployment: Deployment, plan: DeploymentPlan, signal: AbortSignal): Promise<void> {
      const { name, namespace, uid } = deployment.metadata;
      for (const set of plan.adopt) {
        await patchSet(set, {
          ownerReferences: [...(set.metadata.ownerReferences ?? []), controllerRef(deployment)],
        });
      }
      for (const set of plan.release) {
        await patchSet(set, {
          ownerReferences: (set.metadata.ownerReferences ?? []).filter((o) => o.uid !== uid),
        });
      }
      signal.throwIfAborted();
      let { status } = plan;
      if (plan.create !== undefined) {
        const size = plan.create.spec.replicas ?? 0;
        const setName = plan.create.metadata.name!;
        try {
          await client(ReplicaSet).create(plan.create);
          if (size > 0)
            event(
              deployment,
              'Normal',
              'ScalingReplicaSet',
              `Scaled up replica set ${setName} from 0 to ${size}`,
            );
        } catch (error) {
          if (!isAlreadyExists(error)) throw error;
          // The name is taken by a set of another template, or by our own that the cache does not show yet.
          const found = await client(ReplicaSet).get(setName, namespace);
          const ours = controllerOf(found)?.uid === uid;
          if (!ours || !semanticEqual(found.spec.template, plan.create.spec.template)) {
            status = { ...status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
          }
        }
      }
      for (const { next, event: text } of plan.change) {
        signal.throwIfAborted();
        await client(ReplicaSet).update(next);
        if (text !== undefined) event(deployment, 'Normal', 'ScalingReplicaSet', text);
      }
      for (const set of plan.remove) {
        signal.throwIfAborted();
        await client(ReplicaSet)
          .delete(set.metadata.name, namespace, { preconditions: { uid: set.metadata.uid } })
          .catch(ignoreNotFound);
      }
      if (plan.revision !== undefined) {
        await client(Deployment).patch({ name, namespace }, 'merge', {
          metadata: { annotations: { [revisionAnnotation]: plan.revision } },
        });
      }
      if (!semanticEqual(status, deployment.status)) {
        await client(Deployment).patch({ name, namespace, subresource: 'status' }, 'merge', {
          metadata: { uid },
          status: mergeable(deployment.status, status),
        });
      }
    }

    async function patchSet(set: ReplicaSet, metadata: Record<string, unknown>): Promise<void> {
      await client(ReplicaSet)
        .patch({ name: set.metadata.name, namespace: set.metadata.namespace }, 'merge', {
          metadata: { uid: set.metadata.uid, ...metadata },
        })
        .catch(ignoreNotFound);
    }
  },
});

const ignoreNotFound = (error: unknown): void => {
  if (!isNotFound(error)) throw error;
};

/** A merge patch that ends in `next`: what is gone must be said. */
function mergeable(before: object | undefined, next: object): Record<string, unknown> {
  const gone = Object.fromEntries(Object.keys(before ?? {}).map((key) => [key, null]));
  return { ...gone, ...next };
}
