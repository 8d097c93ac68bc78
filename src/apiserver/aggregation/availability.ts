// Whether an API service can be reached, as far as the cluster's objects tell. Reasons and messages are kube-aggregator's. Pure.
import type { APIService, EndpointSlice, Service } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';

export interface Availability {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export const local: Availability = {
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
};
export const passed: Availability = { status: 'True', reason: 'Passed', message: 'all checks passed' };

export const failedDiscovery = (message: string): Availability => ({
  status: 'False',
  reason: 'FailedDiscoveryCheck',
  message,
});

/** What stands behind an API service. An Error = it could not be read. */
export interface Behind {
  readonly service: Service | undefined | Error;
  /** Those of the service. */
  readonly slices: readonly EndpointSlice[] | Error;
}

/** What is certain without asking it; undefined = it must be asked. */
export function planAvailability(
  spec: APIService['spec'],
  { service, slices }: Behind,
): Availability | undefined {
  if (spec.service === undefined) return local;
  const { name = '', namespace = '', port = 443 } = spec.service;
  const shown = `service/${name} in ${JSON.stringify(namespace)}`;
  const cannotCheck = (reason: string, { message }: Error): Availability => ({
    status: 'Unknown',
    reason,
    message: `${shown} cannot be checked due to: ${message}`,
  });
  const unavailable = (reason: string, message: string): Availability => ({
    status: 'False',
    reason,
    message,
  });
  if (service instanceof Error) return cannotCheck('ServiceAccessError', service);
  if (service === undefined) return unavailable('ServiceNotFound', `${shown} is not present`);
  if ((service.spec.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const found = service.spec.ports?.find((one) => one.port === port);
  if (found === undefined)
    return unavailable('ServicePortError', `${shown} is not listening on port ${port}`);
  if (slices instanceof Error) return cannotCheck('EndpointsAccessError', slices);
  if (slices.length === 0) return unavailable('EndpointsNotFound', `cannot find endpointslices for ${shown}`);
  const portName = found.name ?? '';
  if (!slices.some((slice) => hasReady(slice, portName)))
    return unavailable(
      'MissingEndpoints',
      `endpointslices for ${shown} have no addresses with port name ${JSON.stringify(portName)}`,
    );
  return undefined;
}

const hasReady = ({ endpoints, ports }: EndpointSlice, portName: string): boolean =>
  (ports ?? []).some((port) => (port.name ?? '') === portName) &&
  (endpoints ?? []).some(({ conditions, addresses }) => conditions?.ready !== false && addresses.length > 0);

/** The status to write; undefined = the object says so already. */
export function planStatus(
  { status }: APIService,
  wanted: Availability,
  nowMs: number,
): APIService['status'] | undefined {
  const before = status?.conditions?.find(({ type }) => type === 'Available');
  if (
    before?.status === wanted.status &&
    before.reason === wanted.reason &&
    before.message === wanted.message
  )
    return undefined;
  const lastTransitionTime = before?.status === wanted.status ? before.lastTransitionTime : formatTime(nowMs);
  const condition = {
    type: 'Available',
    ...wanted,
    ...(lastTransitionTime !== undefined && { lastTransitionTime }),
  };
  const others = (status?.conditions ?? []).filter(({ type }) => type !== 'Available');
  return { ...status, conditions: [...others, condition] };
}
