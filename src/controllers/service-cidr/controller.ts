// Ranges of service addresses: says that they are ready, and keeps those that are deleted while services depend on them.
import { IPAddress, ServiceCIDR } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { type ControllerContext, defineController, maps } from '../framework/index.ts';
import { ignoreNotFound } from '../ownership.ts';
import { finalizersPatch, withFinalizer, withoutFinalizer } from '../protection.ts';
import { planRange, ready, stillUsed } from './plan.ts';

const finalizer = 'networking.k8s.io/service-cidr-finalizer';

const deletedRanges = (_: unknown, lister: ControllerContext['lister']): string[] =>
  lister(ServiceCIDR)
    .list()
    .filter(({ metadata }) => metadata.deletionTimestamp !== undefined)
    .map(({ metadata }) => metadata.name);

export const serviceCidrController = defineController({
  name: 'service-cidrs',
  reconciles: ServiceCIDR,
  // What holds a deleted range: its addresses, and that no other range has them.
  watches: [maps(IPAddress, deletedRanges), maps(ServiceCIDR, deletedRanges)],
  concurrency: 1,

  build({ lister, client, clock }) {
    const ranges = lister(ServiceCIDR);
    const addresses = lister(IPAddress);

    async function tell(range: ServiceCIDR, said: typeof ready): Promise<void> {
      const before = range.status?.conditions?.find(({ type }) => type === 'Ready');
      if (before?.status === said.status && before.message === said.message) return;
      const { name, uid } = range.metadata;
      const lastTransitionTime =
        before?.status === said.status ? before.lastTransitionTime : formatTime(clock.nowMs());
      await client(ServiceCIDR)
        .patch({ name, subresource: 'status' }, 'strategic', {
          metadata: { uid },
          status: { conditions: [{ type: 'Ready', ...said, lastTransitionTime }] },
        })
        .catch(ignoreNotFound);
    }

    return async function reconcile(name) {
      const range = ranges.get(name);
      if (range === undefined) return;
      const held = range.metadata.finalizers?.includes(finalizer) === true;
      const plan = planRange({
        range,
        ranges: ranges.list(),
        addresses: range.metadata.deletionTimestamp === undefined ? [] : addresses.list(),
        nowMs: clock.nowMs(),
      });
      if (plan.what === 'wait') return { requeueAfterMs: plan.forMs };
      if (plan.what === 'keep') {
        if (held) await tell(range, stillUsed);
      } else if (plan.what === 'release') {
        if (held)
          await client(ServiceCIDR)
            .patch({ name }, 'merge', finalizersPatch(range, withoutFinalizer(range, finalizer)))
            .catch(ignoreNotFound);
      } else {
        if (!held)
          await client(ServiceCIDR)
            .patch({ name }, 'merge', finalizersPatch(range, withFinalizer(range, finalizer)))
            .catch(ignoreNotFound);
        await tell(range, ready);
      }
      return;
    };
  },
});
