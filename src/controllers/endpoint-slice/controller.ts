// EndpointSlices: for each service with a selector, the pods that serve it.
import { EndpointSlice, managedByLabel, Node, Pod, Service, serviceNameLabel } from '../../api/index.ts';
import { compileLabelMap, isNotFound, type KubeObject, keyOf } from '../../machinery/index.ts';
import { defineController, maps } from '../framework/index.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import { sameEndpoint, selectorOf, servicesOf, TriggerTimes } from '../service-endpoints.ts';
import { managedByUs, planSlices, type ServicePlan } from './plan.ts';
import { sameCapacity, wantsZoneHints, zoneShares } from './topology-hints.ts';

const zoneOf = ({ metadata }: Node): string | undefined => metadata.labels?.['topology.kubernetes.io/zone'];

const byZoneHints = 'byZoneHints';

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
    // The CPUs of every node count for services that spread over zones.
    maps(Node, (_, lister) => lister(Service).byIndex(byZoneHints, 'Auto').map(keyOf), {
      when: (old, node) => !sameCapacity(old, node),
    }),
  ],
  concurrency: 5,

  build({ lister, informer, client, event }) {
    const services = informer(Service);
    const pods = lister(Pod);
    const nodes = lister(Node);
    const slices = informer(EndpointSlice);
    const triggers = new TriggerTimes();
    slices.addIndex('slicesOfService', serviceKeys);
    services.addIndex(byZoneHints, (service) => (wantsZoneHints(service) ? ['Auto'] : []));
    /** What was last said of zone hints, by key of the service and family. */
    const told = new Map<string, string>();

    function tellOfZoneHints(key: string, service: Service, { zoneHints }: ServicePlan): void {
      for (const family of ['IPv4', 'IPv6'] as const) {
        const id = `${key} ${family}`;
        const before = told.get(id);
        const now = zoneHints.find((one) => one.family === family);
        const text =
          now === undefined
            ? 'Topology Aware Hints has been disabled'
            : (now.problem ?? 'Topology Aware Hints has been enabled');
        if (now === undefined) told.delete(id);
        else told.set(id, text);
        if (text === before || (now === undefined && before === undefined)) continue;
        const [type, reason] =
          now !== undefined && now.problem === undefined
            ? (['Normal', 'TopologyAwareHintsEnabled'] as const)
            : (['Warning', 'TopologyAwareHintsDisabled'] as const);
        event(service, type, reason, `${text}, addressType: ${family}`);
      }
    }

    return async function reconcile(key, signal) {
      const service = services.get(key);
      // The slices of a service that is gone belong to it: they are collected.
      if (service === undefined) {
        triggers.forget(key);
        for (const family of ['IPv4', 'IPv6']) told.delete(`${key} ${family}`);
      }
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
        shares: wantsZoneHints(service) ? zoneShares(nodes.list()) : undefined,
      });
      tellOfZoneHints(key, service, plan);
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
