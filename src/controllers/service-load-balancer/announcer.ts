// Which node answers on its link for the addresses that a service has from the pool. The choice: one node at a time, named on the
// service, so that no two nodes claim an address because each knows less than the other. Pure.
import { announcedByAnnotation, type Service } from '../../api/index.ts';
import { keyOf } from '../../machinery/index.ts';
import { isUsable, type LoadBalancerView, nodesReached } from './plan.ts';

export const announcerOf = ({ metadata }: Service): string | undefined =>
  metadata.annotations?.[announcedByAnnotation];

/**
 * The one that does already, for as long as it can; else of those that can the one with the fewest services. With
 * externalTrafficPolicy Local only nodes with endpoints can. undefined = none can.
 */
export function planAnnouncer({ service, services, nodes, slices }: LoadBalancerView): string | undefined {
  const reached = service.spec.externalTrafficPolicy === 'Local' ? nodesReached(slices) : undefined;
  const usable = nodes.filter(isUsable).map(({ metadata }) => metadata.name);
  const now = announcerOf(service);
  // What ends on it is served there to the end.
  if (now !== undefined && usable.includes(now) && reached?.has(now) !== false) return now;
  const able = usable.filter((name) => reached === undefined || reached.get(name) === 'ready');
  const loads = new Map(able.map((name) => [name, 0]));
  for (const other of services) {
    const name = announcerOf(other);
    const load = name === undefined ? undefined : loads.get(name);
    if (name !== undefined && load !== undefined && keyOf(other) !== keyOf(service))
      loads.set(name, load + 1);
  }
  return [...loads].sort(([a, mine], [b, theirs]) => mine - theirs || (a < b ? -1 : 1))[0]?.[0];
}
