// EndpointSlices: for each service with a selector, the pods that serve it.
import { EndpointSlice, managedByLabel, Node, Pod, Service, serviceNameLabel } from '../../api/index.ts';
import { compileLabelMap, isNotFound, type KubeObject } from '../../machinery/index.ts';
import { defineController, maps } from '../framework/index.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import { sameEndpoint, selectorOf, servicesOf, TriggerTimes } from '../service-endpoints.ts';
import { managedByUs, planSlices } from './plan.ts';

const zoneOf = ({ metadata }: Node): string | undefined => metadata.labels?.['topology.kubernetes.io/zone'];

const isOurs = ({ metadata }: KubeObject): boolean => metadata.labels?.[managedByLabel] === managedByUs;

const serviceKeys = (slice: EndpointSlice): string[] =>
  isOurs(slice) ? [`${slice.metadata.namespace}/${slice.metadata.labels?.[serviceNameLabel]}`] : [];

export const endpointSliceController = defineController({
  name: 'endpointslice',
  component: 'endpoint-slice-controller',
  reconciles: Service,
  watches: [
    maps(Pod, servicesOf, { when: (old, pod) => !sameEndpoint(old, pod) }),
    maps(EndpointSlice, serviceKeys),
    // Endpoints tell their node's zone, and are left out when the node is gone.
    maps(
      Node,
      (node, lister) => {
        const pods = lister(Pod).byIndex('byNode', node.metadata.name);
        return [...new Set(pods.flatMap((pod) => servicesOf(pod, lister)))];
      },
      { when: (old, node) => zoneOf(old) !== zoneOf(node) },
    ),
  ],
  concurrency: 5,

  build({ lister, informer, client }) {
    const services = lister(Service);
    const pods = lister(Pod);
    const nodes = lister(Node);
    const slices = informer(EndpointSlice);
    const triggers = new TriggerTimes();
    slices.addIndex('slicesOfService', serviceKeys);

    return async function reconcile(key, signal) {
      const service = services.get(key);
      // The slices of a service that is gone belong to it: they are collected.
      if (service === undefined) triggers.forget(key);
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
      const selector = selectorOf(service);
      if (selector === undefined) return;
      const { namespace } = service.metadata;
      const matches = compileLabelMap(selector);
      const selected = pods.list(namespace).filter((pod) => matches(pod.metadata.labels));
      const plan = planSlices({
        service,
        pods: selected,
        triggeredAt: triggers.next(key, service, selected),
        nodeOf: (name) => nodes.get(name),
        slices: slices.byIndex('slicesOfService', key),
      });
      for (const draft of plan.create) {
        signal.throwIfAborted();
        try {
          await client(EndpointSlice).create(draft);
        } catch (error) {
          if (!isNamespaceEnding(error)) throw error;
          return;
        }
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
