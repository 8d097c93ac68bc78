// Deployment: rolls its template out through ReplicaSets, keeping enough pods available on the way.
import { Deployment, Pod, ReplicaSet } from '../../api/index.ts';
import {
  compileLabelSelector,
  controllerOf,
  type Draft,
  isAlreadyExists,
  semanticEqual,
} from '../../machinery/index.ts';
import { type ControllerContext, defineController, maps, owns } from '../framework/index.ts';
import { ignoreNotFound, mapsOrphans, ownedOrOrphaned, settleOwnership } from '../ownership.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import { hasTemplateOf } from './new-set.ts';
import { type DeploymentPlan, planDeployment } from './plan.ts';
import { revisionAnnotation } from './rollout.ts';
import { createFailedStatus } from './status.ts';

export const deploymentController = defineController({
  name: 'deployment',
  reconciles: Deployment,
  watches: [
    owns(ReplicaSet),
    mapsOrphans(Deployment, ReplicaSet, (deployment, set) =>
      compileLabelSelector(deployment.spec.selector)(set.metadata.labels),
    ),
    // With strategy Recreate the end of the last old pod is what it waits for.
    maps(
      Pod,
      (pod, lister) => {
        const owner = controllerOf(pod);
        if (owner?.kind !== 'ReplicaSet') return [];
        const set = lister(ReplicaSet).get(`${pod.metadata.namespace}/${owner.name}`);
        const above = set === undefined ? undefined : controllerOf(set);
        if (above?.kind !== 'Deployment') return [];
        const key = `${pod.metadata.namespace}/${above.name}`;
        return lister(Deployment).get(key)?.spec.strategy?.type === 'Recreate' ? [key] : [];
      },
      { when: (old, pod) => old.status?.phase !== pod.status?.phase },
    ),
  ],
  concurrency: 8,

  build(context) {
    const { clock, lister } = context;
    const deployments = lister(Deployment);
    const pods = lister(Pod);
    const candidatesOf = ownedOrOrphaned(context, ReplicaSet);

    return async function reconcile(key, signal) {
      const deployment = deployments.get(key);
      if (deployment === undefined) return;
      const plan = planDeployment({
        deployment,
        sets: candidatesOf(deployment),
        matches: compileLabelSelector(deployment.spec.selector),
        podsOf: (set) => pods.byIndex('byController', set.metadata.uid),
        nowMs: clock.nowMs(),
      });
      await apply(context, deployment, plan, signal);
      return plan.wakeInMs === undefined ? undefined : { requeueAfterMs: plan.wakeInMs };
    };
  },
});

async function apply(
  context: ControllerContext,
  deployment: Deployment,
  plan: DeploymentPlan,
  signal: AbortSignal,
): Promise<void> {
  const { client, event } = context;
  const { namespace } = deployment.metadata;
  await settleOwnership(context, { owner: deployment, ownerKind: Deployment, kind: ReplicaSet }, plan);
  signal.throwIfAborted();
  if (plan.create !== undefined && !(await createSet(context, deployment, plan.create))) return;
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
  await writeStatus(context, deployment, plan);
}

/** Whether the set of the current template is there now. When its name is taken, the next run tries another one. */
async function createSet(
  context: ControllerContext,
  deployment: Deployment,
  draft: Draft<ReplicaSet>,
): Promise<boolean> {
  const { client, clock, event } = context;
  const setName = draft.metadata.name!;
  const size = draft.spec.replicas ?? 0;
  try {
    await client(ReplicaSet).create(draft);
  } catch (error) {
    if (isNamespaceEnding(error)) return false;
    if (!isAlreadyExists(error)) {
      const text = `Failed to create new replica set "${setName}": ${(error as Error).message}`;
      event(deployment, 'Warning', 'ReplicaSetCreateError', text);
      const status = createFailedStatus(deployment, text, clock.nowMs());
      if (status !== undefined) await writeStatus(context, deployment, { status });
      throw error;
    }
    const found = await client(ReplicaSet).get(setName, deployment.metadata.namespace);
    if (controllerOf(found)?.uid === deployment.metadata.uid && hasTemplateOf(found, deployment)) return true;
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    await writeStatus(context, deployment, { status: { ...deployment.status, collisionCount } });
    return false;
  }
  if (size > 0) {
    const text = `Scaled up replica set ${setName} from 0 to ${size}`;
    event(deployment, 'Normal', 'ScalingReplicaSet', text);
  }
  return true;
}

/** The revision goes with the status: an annotation in a write of the Deployment itself would raise its generation. */
async function writeStatus(
  { client }: ControllerContext,
  { metadata, status: before }: Deployment,
  { status, revision }: { status: NonNullable<Deployment['status']>; revision?: string | undefined },
): Promise<void> {
  if (revision === undefined && semanticEqual(status, before)) return;
  const { name, namespace, uid } = metadata;
  // A merge patch: what is gone must be said.
  const gone = Object.fromEntries(Object.keys(before ?? {}).map((key) => [key, null]));
  await client(Deployment)
    .patch({ name, namespace, subresource: 'status' }, 'merge', {
      metadata: {
        uid,
        ...(revision === undefined ? {} : { annotations: { [revisionAnnotation]: revision } }),
      },
      status: { ...gone, ...status },
    })
    .catch(ignoreNotFound);
}
