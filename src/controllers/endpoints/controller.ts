// Endpoints: for each service with a selector, its pods in the old form, for clients that still read it.
//
// The object is written as a whole, so large ones are written less often: one of a thousand addresses once a second. Who must hear
// sooner reads EndpointSlices.
import { Endpoints, Pod, Service } from '../../api/index.ts';
import { compileLabelMap, isNotFound, keyOf } from '../../machinery/index.ts';
import { defineController, maps } from '../framework/index.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import { sameEndpoint, selectorOf, servicesOf, TriggerTimes } from '../service-endpoints.ts';
import { managedBy, planEndpoints } from './plan.ts';

const [managedByLabel, managedByUs] = managedBy;

export const endpointsController = defineController({
  name: 'endpoint',
  reconciles: Service,
  watches: [
    maps(Pod, servicesOf, { when: (old, pod) => !sameEndpoint(old, pod) }),
    // Also those whose service went while nobody was looking.
    maps(Endpoints, (found) =>
      found.metadata.labels?.[managedByLabel] === managedByUs ? [keyOf(found)] : [],
    ),
  ],
  concurrency: 5,

  build({ lister, client, event, clock }) {
    const services = lister(Service);
    const pods = lister(Pod);
    const endpoints = lister(Endpoints);
    const triggers = new TriggerTimes();
    const restUntilMs = new Map<string, number>();

    return async function reconcile(key) {
      const service = services.get(key);
      const current = endpoints.get(key);
      if (service === undefined) {
        triggers.forget(key);
        restUntilMs.delete(key);
        if (current !== undefined) await remove(current);
        return;
      }
      if (service.metadata.deletionTimestamp !== undefined) return;
      const selector = selectorOf(service);
      if (selector === undefined) return;
      const restMs = (restUntilMs.get(key) ?? 0) - clock.monotonicMs();
      if (restMs > 0) return { requeueAfterMs: restMs };
      const matches = compileLabelMap(selector);
      const selected = pods.list(service.metadata.namespace).filter((pod) => matches(pod.metadata.labels));
      const draft = planEndpoints({
        service,
        pods: selected,
        current,
        triggeredAt: triggers.next(key, service, selected),
      });
      if (draft === undefined) return;
      if (selected.length > 10) restUntilMs.set(key, clock.monotonicMs() + Math.min(1000, selected.length));
      try {
        if (current === undefined) await client(Endpoints).create(draft);
        else await client(Endpoints).update(draft as Endpoints);
      } catch (error) {
        if (current === undefined && isNamespaceEnding(error)) return;
        const { namespace, name } = service.metadata;
        const why = error instanceof Error ? error.message : String(error);
        if (current === undefined)
          event(
            service,
            'Warning',
            'FailedToCreateEndpoint',
            `Failed to create endpoint for service ${namespace}/${name}: ${why}`,
          );
        else
          event(
            current,
            'Warning',
            'FailedToUpdateEndpoint',
            `Failed to update endpoint ${namespace}/${name}: ${why}`,
          );
        throw error;
      }
    };

    async function remove({ metadata: { name, namespace, uid } }: Endpoints): Promise<void> {
      try {
        await client(Endpoints).delete(name, namespace, { preconditions: { uid } });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  },
});
