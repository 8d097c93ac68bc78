// ReplicaSet and ReplicationController: keep the wanted number of pods alive. One implementation, made once for each kind.
import { Pod, ReplicaSet, ReplicationController } from '../../api/index.ts';
import {
  compileLabelMap,
  compileLabelSelector,
  controllerOf,
  type KindDef,
  type LabelMatcher,
  semanticEqual,
} from '../../machinery/index.ts';
import { type Controller, defineController, owns } from '../framework/index.ts';
import { gather } from '../gather.ts';
import { ignoreNotFound, mapsOrphans, ownedOrOrphaned, settleOwnership } from '../ownership.ts';
import { podFromTemplate } from '../pod-facts.ts';
import { createPods, deletePods } from '../pod-writes.ts';
import { planReplicaSet, type Replicated } from './plan.ts';
import { planStatus } from './status.ts';

export const replicaSetController = replicasOf({
  name: 'replicaset',
  kind: ReplicaSet,
  matcherOf: (set) => compileLabelSelector(set.spec.selector),
});

export const replicationController = replicasOf({
  name: 'replication',
  kind: ReplicationController,
  matcherOf: (set) => compileLabelMap(set.spec.selector),
});

interface ReplicatedKind<T extends Replicated> {
  readonly name: string;
  readonly kind: KindDef<T>;
  readonly matcherOf: (set: T) => LabelMatcher;
}

function replicasOf<T extends Replicated>({ name, kind, matcherOf }: ReplicatedKind<T>): Controller {
  return defineController<T>({
    name,
    reconciles: kind,
    watches: [owns(Pod), mapsOrphans(kind, Pod, (set, pod) => matcherOf(set)(pod.metadata.labels))],
    concurrency: 8,

    build(context) {
      const { clock, lister, client } = context;
      const sets = lister(kind);
      const pods = lister(Pod);
      const candidatesOf = ownedOrOrphaned(context, Pod);
      const podsOf = (set: T) => pods.byIndex('byController', set.metadata.uid);
      /** Pods of all sets with the same owner: during a rollout old and new pods crowd a node together. */
      function related(set: T): readonly Pod[] {
        const owner = controllerOf(set);
        return owner === undefined ? podsOf(set) : sets.byIndex('byController', owner.uid).flatMap(podsOf);
      }

      return async function reconcile(key, signal) {
        const seen = sets.get(key);
        const gathering = seen && gather(podsOf(seen).length, clock, signal);
        if (gathering !== undefined) await gathering;
        const set = sets.get(key);
        if (set === undefined) return;
        const plan = planReplicaSet({
          set,
          pods: candidatesOf(set),
          matches: matcherOf(set),
          related: () => related(set),
          nowMs: clock.nowMs(),
        });

        await settleOwnership(context, { owner: set, ownerKind: kind, kind: Pod }, plan);
        signal.throwIfAborted();
        // What went wrong gets into the status before the run fails.
        const failure =
          plan.create > 0
            ? await createPods(context, { owner: set, drafts: draftsOf(set, plan.create) }, signal)
            : await deletePods(context, { owner: set, pods: plan.remove }, signal);
        const status = planStatus(set, plan, { failure, nowMs: clock.nowMs() });
        if (!semanticEqual(status, set.status)) {
          await client(kind)
            .updateStatus({ ...set, status })
            .catch(ignoreNotFound);
        }
        if (failure !== undefined) throw new Error(`${failure.reason}: ${failure.message}`);
        return plan.wakeInMs === undefined ? undefined : { requeueAfterMs: plan.wakeInMs };
      };
    },
  });
}

const draftsOf = (set: Replicated, count: number) =>
  Array.from({ length: count }, () => podFromTemplate(set, set.spec.template!));
