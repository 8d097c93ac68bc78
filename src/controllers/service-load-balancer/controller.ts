// Load balancer addresses where no cloud gives them out: those of the nodes, or one from a pool, for which a node answers on its link.
// Nothing is made outside the cluster (the service proxy of every node serves the address), so there is nothing to clean up and no
// finalizer.
import { announcedByAnnotation, EndpointSlice, Node, Service } from '../../api/index.ts';
import { isNotFound, keyOf } from '../../machinery/index.ts';
import { type Controller, type ControllerContext, defineController, maps } from '../framework/index.ts';
import { AddressPool } from './address-pool.ts';
import { announcerOf, planAnnouncer } from './announcer.ts';
import {
  addressOf,
  ingressIps,
  isOurs,
  isUsable,
  type LoadBalancerPlan,
  type LoadBalancerView,
  planLoadBalancer,
  servesIngress,
} from './plan.ts';

export interface LoadBalancerOptions {
  /** Ranges of addresses; none = the nodes' own. */
  readonly pool: readonly string[];
}

const serviceLabel = 'kubernetes.io/service-name';
const kubernetesSlice = 'default/kubernetes';

const concerned = (lister: ControllerContext['lister']): readonly string[] =>
  lister(Service).list().filter(isOurs).map(keyOf);

/** What of a node decides whether it takes part. */
const nodeFacts = (node: Node): string =>
  [isUsable(node), servesIngress(node), addressOf(node, 'IPv4'), addressOf(node, 'IPv6')].join();

/** Throws when a range of the pool cannot be read. */
export function serviceLoadBalancerController(options: LoadBalancerOptions): Controller {
  const pool = new AddressPool(options.pool);
  return defineController({
    name: 'service-load-balancer',
    component: 'service-controller',
    reconciles: Service,
    watches: [
      // A change of one may give another what it waits for.
      maps(Service, (service, lister) => (isOurs(service) ? concerned(lister) : [])),
      maps(Node, (_, lister) => concerned(lister), {
        when: (old, node) => nodeFacts(old) !== nodeFacts(node),
      }),
      maps(EndpointSlice, (slice, lister) => {
        const key = `${slice.metadata.namespace}/${slice.metadata.labels?.[serviceLabel] ?? ''}`;
        const service = lister(Service).get(key);
        return service?.spec.externalTrafficPolicy === 'Local' && isOurs(service) ? [key] : [];
      }),
    ],
    build: ({ lister, client, event, log }) => {
      const services = lister(Service);
      const nodes = lister(Node);
      const slices = lister(EndpointSlice);
      // Addresses are given out one service after the other; a lister may not show yet what the one before got.
      const written = new Map<string, Service>();
      const problems = new Map<string, string>();

      const current = (): Service[] =>
        services.list().map((service) => {
          const key = keyOf(service);
          const mine = written.get(key);
          if (mine === undefined) return service;
          if (Number(mine.metadata.resourceVersion) > Number(service.metadata.resourceVersion)) return mine;
          written.delete(key);
          return service;
        });

      const say = (service: Service, plan: LoadBalancerPlan & { action: 'set' }): void => {
        const key = keyOf(service);
        if (plan.problem !== undefined) {
          if (problems.get(key) === plan.problem) return;
          problems.set(key, plan.problem);
          if (plan.problem.startsWith('There are no available nodes'))
            event(service, 'Warning', 'UnAvailableLoadBalancer', plan.problem);
          else
            event(
              service,
              'Warning',
              'SyncLoadBalancerFailed',
              `Error syncing load balancer: ${plan.problem}`,
            );
          return;
        }
        problems.delete(key);
        if (!isOurs(service)) event(service, 'Normal', 'DeletedLoadBalancer', 'Deleted load balancer');
        else if (ingressIps(service).length === 0)
          event(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
        else event(service, 'Normal', 'UpdatedLoadBalancer', 'Updated load balancer with new hosts');
      };

      return async function reconcile(key) {
        const service = services.get(key);
        if (service === undefined || service.metadata.deletionTimestamp !== undefined) {
          written.delete(key);
          problems.delete(key);
          return;
        }
        // Most services are none: they cost nothing.
        if (!isOurs(service) && ingressIps(service).length === 0) return;
        const view: LoadBalancerView = {
          service,
          services: current(),
          nodes: nodes.list(),
          slices: slices
            .list(service.metadata.namespace)
            .filter(({ metadata }) => metadata.labels?.[serviceLabel] === service.metadata.name),
          pool,
          serverAddresses: serverAddresses(slices.get(kubernetesSlice)),
        };
        const plan = planLoadBalancer(view);
        const ips = plan.action === 'none' ? ingressIps(service) : plan.ips;
        const announcer = ips.some((ip) => pool.has(ip)) ? planAnnouncer(view) : undefined;
        const isAnnounced = announcer === announcerOf(service);
        if (plan.action === 'none') problems.delete(key);
        if (plan.action === 'none' && isAnnounced) return;
        const had = service.status?.loadBalancer?.ingress?.length ?? 0;
        if (ips.length > 0 || had > 0 || !isAnnounced) {
          const { name, namespace } = service.metadata;
          const change = {
            ...(!isAnnounced && {
              metadata: { annotations: { [announcedByAnnotation]: announcer ?? null } },
            }),
            status: {
              loadBalancer: ips.length === 0 ? null : { ingress: ips.map((ip) => ({ ip, ipMode: 'VIP' })) },
            },
          };
          try {
            written.set(
              key,
              await client(Service).patch({ name, namespace, subresource: 'status' }, 'merge', change),
            );
          } catch (error) {
            if (!isNotFound(error)) throw error;
            return;
          }
          log.info('load balancer addresses', { service: key, addresses: ips.join(), announcer });
        }
        if (plan.action === 'set') say(service, plan);
        if (!isAnnounced && announcer !== undefined)
          event(
            service,
            'Normal',
            'nodeAssigned',
            `announcing from node "${announcer}" with protocol "layer2"`,
          );
      };
    },
  });
}

function serverAddresses(slice: EndpointSlice | undefined): Set<string> {
  const found = new Set<string>();
  for (const { addresses } of slice?.endpoints ?? [])
    for (const address of addresses)
      for (const { port } of slice?.ports ?? []) found.add(`${address} ${port}`);
  return found;
}
