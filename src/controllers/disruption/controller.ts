// Disruption: keeps the status of PodDisruptionBudgets true, so that an eviction need only look there. When the number cannot be
// computed nothing may be disrupted.
import {
  Deployment,
  getCondition,
  isReady,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from '../../api/index.ts';
import {
  formatLabelSelector,
  isConflict,
  type KindDef,
  type KubeObject,
  keyOf,
  type Labels,
  semanticEqual,
} from '../../machinery/index.ts';
import { type ControllerContext, defineController, maps } from '../framework/index.ts';
import { ignoreNotFound } from '../ownership.ts';
import { failedStatus, needsScale, planDisruption, selectorOf } from './plan.ts';
import { scaleReader } from './scale.ts';

/** How soon to try again what another kind stood in the way of, if nothing wakes the budget before. */
const failedRetryMs = 60_000;

interface Owner extends KubeObject {
  readonly spec?: {
    readonly replicas?: number | undefined;
    readonly template?: { readonly metadata?: { readonly labels?: Labels } };
  };
}

const selecting = (
  lister: ControllerContext['lister'],
  namespace: string | undefined,
  labels: Labels | undefined,
): string[] =>
  lister(PodDisruptionBudget)
    .list(namespace)
    .filter((budget) => selectorOf(budget)(labels))
    .map(keyOf);

/** The owner's own change: the pods tell the rest. */
const mapsOwner = (kind: unknown) =>
  maps(
    kind as KindDef<Owner>,
    ({ metadata, spec }, lister) => selecting(lister, metadata.namespace, spec?.template?.metadata?.labels),
    { when: (old, now) => old.spec?.replicas !== now.spec?.replicas },
  );

export const disruptionController = defineController({
  name: 'disruption',
  component: 'controllermanager',
  reconciles: PodDisruptionBudget,
  watches: [
    maps(Pod, ({ metadata }, lister) => selecting(lister, metadata.namespace, metadata.labels), {
      when: (old, pod) =>
        isReady(old) !== isReady(pod) ||
        old.metadata.deletionTimestamp !== pod.metadata.deletionTimestamp ||
        !semanticEqual(old.metadata.labels, pod.metadata.labels) ||
        !semanticEqual(old.metadata.ownerReferences, pod.metadata.ownerReferences),
    }),
    ...[Deployment, ReplicaSet, StatefulSet, ReplicationController].map(mapsOwner),
  ],
  concurrency: 4,

  build(context) {
    const { clock, lister, client, event } = context;
    const budgets = lister(PodDisruptionBudget);
    const pods = lister(Pod);
    const expectedOf = scaleReader(context);

    const write = (budget: PodDisruptionBudget, status: PodDisruptionBudget['status']) =>
      client(PodDisruptionBudget)
        .updateStatus({ ...budget, status })
        .catch(ignoreNotFound);

    return async function reconcile(key) {
      const budget = budgets.get(key);
      if (budget === undefined) return;
      const matches = selectorOf(budget);
      const selected = pods.list(budget.metadata.namespace).filter((pod) => matches(pod.metadata.labels));
      try {
        const expected = needsScale(budget) ? await expectedOf(selected) : { count: 0, unmanaged: [] };
        const plan = planDisruption({
          budget,
          pods: selected,
          expectedPods: expected.count,
          nowMs: clock.nowMs(),
        });
        for (const pod of plan.notDeleted)
          event(pod, 'Warning', 'NotDeleted', `Pod was expected by PDB ${key} to be deleted but it wasn't`);
        if (plan.status !== budget.status) {
          if (selected.length === 0) event(budget, 'Normal', 'NoPods', 'No matching pods found');
          if (expected.unmanaged.length > 0) event(budget, 'Warning', 'UnmanagedPods', unmanaged(budget));
          await write(budget, plan.status);
        }
        return plan.recheckInMs === undefined ? undefined : { requeueAfterMs: plan.recheckInMs };
      } catch (error) {
        if (isConflict(error)) throw error;
        const why = (error as Error).message;
        const before = getCondition(budget as unknown as Pod, 'DisruptionAllowed');
        if (before?.reason !== 'SyncFailed' || before.message !== why)
          event(
            budget,
            'Warning',
            'CalculateExpectedPodCountFailed',
            `Failed to calculate the number of expected pods: ${why}`,
          );
        const status = failedStatus(budget, why, clock.nowMs());
        if (status !== budget.status) await write(budget, status);
        return { requeueAfterMs: failedRetryMs };
      }
    };
  },
});

const unmanaged = ({ spec }: PodDisruptionBudget): string =>
  `Pods selected by this PodDisruptionBudget (selector: ${formatLabelSelector(spec.selector)}) were found to be unmanaged or managed by an unsupported controller. As a result, the status of the PodDisruptionBudget cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PodDisruptionBudget to an integer value.`;
