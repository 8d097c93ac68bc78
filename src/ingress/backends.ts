// What stands behind a service's port. Pure. Requests go to endpoints themselves and not to the cluster address, so that each request of
// a kept connection is balanced and one that fails can be tried elsewhere.
import type { coreV1, EndpointSlice, networkingV1, Service } from '../api/index.ts';

/** How a backend is spoken to; a WebSocket begins as HTTP/1.1. */
export type BackendProtocol = 'h1' | 'h2' | 'tls';

export interface Backend {
  /** NAMESPACE_SERVICE_PORT */
  readonly name: string;
  readonly protocol: BackendProtocol;
  /** A client's address decides about the endpoint. */
  readonly sticky: boolean;
  /** `10.0.0.1:80`, `fd00::1:80`: the last colon is the port's. In order, without doubles. */
  readonly endpoints: readonly string[];
}

export const portOf = (
  { spec }: Service,
  { name = '', number = 0 }: networkingV1.ServiceBackendPort,
): coreV1.ServicePort | undefined =>
  (spec.ports ?? []).find(
    (port) => (port.protocol ?? 'TCP') === 'TCP' && (name !== '' ? port.name === name : port.port === number),
  );

/** Protocols of Kubernetes and of IANA's list; what is not known is HTTP/1.1. */
export function protocolOf(appProtocol = ''): BackendProtocol {
  switch (appProtocol.toLowerCase()) {
    case 'kubernetes.io/h2c':
    case 'grpc':
      return 'h2';
    case 'kubernetes.io/wss':
    case 'https':
      return 'tls';
    default:
      return 'h1';
  }
}

/**
 * Ready ones; when there is none, those that still serve while they end. As the service proxy, for all nodes. A pod of two families counts
 * once: by its address of the service's first family.
 */
export function endpointsBehind(
  slices: readonly EndpointSlice[],
  { spec }: Service,
  portName: string,
): readonly string[] {
  const ready = new Set<string>();
  const ending = new Set<string>();
  const first = spec.ipFamilies?.[0];
  // A service that was changed to another family has slices of the old one for a moment.
  const isOfFirst = slices.some(({ addressType }) => addressType === first);
  for (const { addressType, ports, endpoints } of slices) {
    if (addressType === 'FQDN' || (isOfFirst && addressType !== first)) continue;
    for (const { name = '', protocol = 'TCP', port } of ports ?? []) {
      if (name !== portName || protocol !== 'TCP' || port === undefined) continue;
      // null is how a slice without endpoints is told of.
      for (const { addresses, conditions } of endpoints ?? []) {
        const address = addresses[0];
        if (address === undefined) continue;
        const isReady = conditions?.ready ?? true;
        if (isReady) ready.add(`${address}:${port}`);
        else if (conditions?.serving && conditions.terminating) ending.add(`${address}:${port}`);
      }
    }
  }
  return [...(ready.size > 0 ? ready : ending)].sort();
}
