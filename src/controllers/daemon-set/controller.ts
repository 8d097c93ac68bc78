// DaemonSet: a pod on every node that fits.
import { ControllerRevision, DaemonSet, Node, Pod } from '../../api/index.ts';
import { compileLabelSelector, semanticEqual } from '../../machinery/index.ts';
import { expendable, revisionData } from '../controller-revision/history.ts';
import { keepRevision, removeRevisions } from '../controller-revision/revisions.ts';
import { type ControllerContext, defineController, maps, owns } from '../framework/index.ts';
import { gather } from '../gather.ts';
import { claim, ignoreNotFound, mapsOrphans, ownedOrOrphaned, settleOwnership } from '../ownership.ts';
import { createPods, deletePods } from '../pod-writes.ts';
import { FailedPods } from './failed-pods.ts';
import { type DaemonSetPlan, planDaemonSet } from './plan.ts';
import { hashLabel, podDraft } from './pod.ts';

const hashOf = ({ metadata }: ControllerRevision): string => metadata.labels?.[hashLabel] ?? metadata.name;

export const daemonSetController = defineController({
  name: 'daemonset',
  reconciles: DaemonSet,
  watches: [
    owns(Pod),
    mapsOrphans(DaemonSet, Pod, (set, pod) => compileLabelSelector(set.spec.selector)(pod.metadata.labels)),
    owns(ControllerRevision),
    maps(
      Node,
      (_, lister) =>
        lister(DaemonSet)
          .list()
          .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
      {
        when: (old, node) =>
          !semanticEqual(old.metadata.labels, node.metadata.labels) ||
          !semanticEqual(old.spec.taints, node.spec.taints),
      },
    ),
  ],
  concurrency: 8,

  build(context) {
    const { clock, lister, client } = context;
    const sets = lister(DaemonSet);
    const nodes = lister(Node);
    const podsFor = ownedOrOrphaned(context, Pod);
    const revisionsFor = ownedOrOrphaned(context, ControllerRevision);
    const failedPods = new FailedPods();

    return async function reconcile(key, signal) {
      const gathering = gather(nodes.list().length, clock, signal);
      if (gathering !== undefined) await gathering;
      const set = sets.get(key);
      // What becomes of the pods and revisions of a set on its way out is the collector's business.
      if (set === undefined || set.metadata.deletionTimestamp !== undefined) return;
      const matches = compileLabelSelector(set.spec.selector);
      const pods = claim(set, podsFor(set), ({ metadata }) => matches(metadata.labels));
      const revisions = claim(set, revisionsFor(set), ({ metadata }) => matches(metadata.labels));
      const owner = { owner: set, ownerKind: DaemonSet };
      await settleOwnership(context, { ...owner, kind: ControllerRevision }, revisions);
      await settleOwnership(context, { ...owner, kind: Pod }, pods);
      if ([pods, revisions].some(({ adopt, release }) => adopt.length + release.length > 0))
        return { requeueAfterMs: 0 };

      const { revision, collisionCount } = await keepRevision(context, set, {
        revisions: revisions.owned,
        hashLabel,
      });
      signal.throwIfAborted();
      const data = revisionData(set.spec.template);
      const old = revisions.owned.filter((one) => one.metadata.name !== revision.metadata.name);
      const twins = old.filter((one) => semanticEqual(one.data, data));
      const nowMs = clock.nowMs();
      const backoffKey = (nodeName: string) =>
        `${set.metadata.uid}/${set.status?.observedGeneration ?? 0}/${nodeName}`;
      const plan = planDaemonSet({
        set,
        nodes: nodes.list(),
        pods: pods.owned,
        hashes: [hashOf(revision), ...twins.map(hashOf)],
        collisionCount,
        failedForMs: (nodeName) => failedPods.waitMs(backoffKey(nodeName), nowMs),
        nowMs,
      });
      tellOfEnded(context, set, plan);
      failedPods.forgetOld(nowMs);
      for (const { nodeName } of plan.failed) failedPods.note(backoffKey(nodeName), nowMs);

      const drafts = plan.create.map((nodeName) => podDraft(set, nodeName, hashOf(revision)));
      const failure =
        (await createPods(context, { owner: set, drafts }, signal)) ??
        (await deletePods(context, { owner: set, pods: plan.remove }, signal));
      if (!semanticEqual(plan.status, set.status)) {
        await client(DaemonSet)
          .updateStatus({ ...set, status: plan.status })
          .catch(ignoreNotFound);
      }
      if (failure !== undefined) throw new Error(`${failure.reason}: ${failure.message}`);
      const live = new Set(pods.owned.map(({ metadata }) => metadata.labels?.[hashLabel]));
      const excess = old.length - (set.spec.revisionHistoryLimit ?? 10);
      await removeRevisions(
        context,
        expendable(old, excess, (one) => live.has(hashOf(one))),
        signal,
      );
      return plan.wakeInMs === undefined ? undefined : { requeueAfterMs: plan.wakeInMs };
    };
  },
});

function tellOfEnded({ event }: ControllerContext, set: DaemonSet, plan: DaemonSetPlan): void {
  const found = (phase: string, { metadata }: Pod, nodeName: string) =>
    `Found ${phase} daemon pod ${metadata.namespace}/${metadata.name} on node ${nodeName}`;
  for (const { pod, nodeName } of plan.failed)
    event(set, 'Warning', 'FailedDaemonPod', `${found('failed', pod, nodeName)}, will try to kill it`);
  for (const { pod, nodeName } of plan.succeeded)
    event(set, 'Normal', 'SucceededDaemonPod', `${found('succeeded', pod, nodeName)}, will try to delete it`);
}
