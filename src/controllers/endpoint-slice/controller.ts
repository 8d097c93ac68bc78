// EndpointSlices: for each service with a selector, the pods that serve it.
import {
  EndpointSlice,
  isReady,
  managedByLabel,
  Node,
  Pod,
  Service,
  serviceNameLabel,
} from '../../api/index.ts';
import { compileLabelMap, isNotFound, type KubeObject, keyOf, semanticEqual } from '../../machinery/index.ts';
import { type ControllerContext, defineController, maps } from '../framework/index.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import { managedByUs, planSlices } from './plan.ts';

/** What endpoints are made from. */
const sameEndpoint = (a: Pod, b: Pod): boolean =>
  a.status?.podIP === b.status?.podIP &&
  a.status?.phase === b.status?.phase &&
  isReady(a) === isReady(b) &&
  a.spec.nodeName === b.spec.nodeName &&
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
  semanticEqual(a.metadata.labels, b.metadata.labels);

/** A service without a selector has endpoints that somebody else keeps, or none. */
const selectorOf = ({ spec }: Service): Readonly<Record<string, string>> | undefined =>
  spec.type === 'ExternalName' || Object.keys(spec.selector ?? {}).length === 0 ? undefined : spec.selector;

function servicesOf(pod: Pod, lister: ControllerContext['lister']): string[] {
  const labels = pod.metadata.labels ?? {};
  const out: string[] = [];
  for (const service of lister(Service).list(pod.metadata.namespace)) {
    const selector = selectorOf(service);
    if (selector !== undefined && Object.entries(selector).every(([key, value]) => labels[key] === value))
      out.push(keyOf(service));
  }
  return out;
}

const zoneOf = ({ metadata }: Node): string | undefined => metadata.labels?.['topology.kubernetes.io/zone'];

const isOurs = ({ metadata }: KubeObject): boolean => metadata.labels?.[managedByLabel] === managedByUs;

const serviceKeys = (slice: EndpointSlice): string[] =>
  isOurs(slice) ? [`${slice.metadata.namespace}/${slice.metadata.labels?.[serviceNameLabel]}`] : [];

export const endpointSliceController = defineController({
  name: 'endpointslice',
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
    slices.addIndex('slicesOfService', serviceKeys);

    return async function reconcile(key, signal) {
      const service = services.get(key);
      // The slices of a service that is gone belong to it: they are collected.
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
      const selector = selectorOf(service);
      if (selector === undefined) return;
      const { namespace } = service.metadata;
      const matches = compileLabelMap(selector);
      const plan = planSlices({
        service,
        pods: pods.list(namespace).filter((pod) => matches(pod.metadata.labels)),
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
