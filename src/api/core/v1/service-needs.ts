// What the fields of a service ask for. Predicates alone, so that rules, allocation and updates share them.
import type { Service } from '../../generated/core-v1.ts';

type Asking = Pick<Service, 'spec'>;

/** Has no address of its own: clients get those of its pods. */
export const isHeadless = ({ spec }: Asking): boolean =>
  spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';

/** `None` counts as an address here: only ExternalName has no use for one. */
export const serviceNeedsClusterIp = ({ spec }: Asking): boolean =>
  spec.type === 'ClusterIP' || spec.type === 'NodePort' || spec.type === 'LoadBalancer';

/** May have node ports. */
export const usesNodePorts = ({ spec }: Asking): boolean =>
  spec.type === 'NodePort' || spec.type === 'LoadBalancer';

/** Must get a node port for every port that has none. */
export const needsNodePorts = ({ spec }: Asking): boolean =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

export const needsHealthCheckPort = ({ spec }: Asking): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

/** Reached from outside the cluster: through a node port, a load balancer, or an address routed to a node. */
export const isExternallyAccessible = ({ spec }: Asking): boolean =>
  spec.type === 'LoadBalancer' ||
  spec.type === 'NodePort' ||
  (spec.type === 'ClusterIP' && (spec.externalIPs?.length ?? 0) > 0);
