// EndpointSlices: for each service with a selector, the pods that serve it.
import { EndpointSlice, Node, Pod, Service } from '../../api/index.ts';
import { isNotFound, semanticEqual } from '../../machinery/index.ts';
import { defineController, maps } from '../framework/index.ts';
import { isReady } from '../pod-facts.ts';
import { managedByLabel, managedByUs, planSlices, serviceNameLabel } from './plan.ts';

const selects = (selector: Record<string, string>, labels: Record<string, string>): boolean => {
  for (const key in selector) if (labels[key] !== selector[key]) return false;
  return true;
};

/** What endpoints are made from. */
const sameEndpoint = (a: Pod, b: Pod): boolean =>
  a.status?.podIP === b.status?.podIP &&
  a.status?.phase === b.status?.phase &&
  isReady(a) === isReady(b) &&
  a.spec.nodeName === b.spec.nodeName &&
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
  semanticEqual(a.metadata.labels, b.metadata.labels);

export const endpointSliceController = defineController({
  name: 'endpointslice',
  reconciles: Service,
  watches: [
    maps(
      Pod,
      (pod, lister) =>
        lister(Service)
          .list(pod.metadata.namespace)
          .filter((s) => s.spec.selector !== undefined && selects(s.spec.selector, pod.metadata.labels ?? {}))
          .map((s) => `${s.metadata.namespace}/${s.metadata.name}`),
      { when: (old, pod) => !sameEndpoint(old, pod) },
    ),
    maps(EndpointSlice, (slice) => {
      const service = slice.metadata.labels?.[serviceNameLabel];
      return service === undefined || slice.metadata.labels?.[managedByLabel] !== managedByUs
        ? []
        : [`${slice.metadata.namespace}/${service}`];
    }),
  ],
  concurrency: 5,

  build({ lister, informer, client }) {
    const services = lister(Service);
    const pods = lister(Pod);
    const nodes = lister(Node);
    const slices = informer(EndpointSlice);
    slices.addIndex('slicesOfService', (slice) =>
      slice.metadata.labels?.[managedByLabel] === managedByUs
        ? [`${slice.metadata.namespace}/${slice.metadata.labels[serviceNameLabel]}`]
        : [],
    );

    return async function reconcile(key, signal) {
      const service = services.get(key);
      const existing = slices.byIndex('slicesOfService', key);
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
      const { selector, type } = service.spec;
      if (selector === undefined || type === 'ExternalName') return;
      const { namespace } = service.metadata;
      const members = pods.list(namespace).filter((pod) => selects(selector, pod.metadata.labels ?? {}));
      const plan = planSlices(service, members, (name) => nodes.get(name), existing);
      for (const draft of plan.create) {
        signal.throwIfAborted();
        await client(EndpointSlice).create(draft);
      }
      for (const slice of plan.update) {
        signal.throwIfAborted();
        await client(EndpointSlice).update(slice);
      }
      for (const { metadata } of plan.remove) {
        signal.throwIfAborted();
        try {
          await client(EndpointSlice).delete(metadata.name, namespace, {
            preconditions: { uid: metadata.uid },
          });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
    };
  },
});
