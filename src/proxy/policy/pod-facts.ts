// What policies ask of a pod, and nothing else: an agent holds it for every pod of the cluster while there are policies.
import type { coreV1, Pod } from '../../api/index.ts';
import { type KubeObject, type Labels, parseIp } from '../../machinery/index.ts';
import type { Protocol } from '../frame.ts';

export interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

export interface PodFacts {
  readonly namespace: string;
  readonly labels: Labels;
  /** In the usual form. At least one. */
  readonly ips: readonly string[];
  readonly ports: readonly NamedPort[];
  readonly onThisNode: boolean;
  /** No longer in the API, while its containers may still run: isolated as before, and nobody's peer. */
  readonly isGone: boolean;
}

const protocolNames: Readonly<Record<string, Protocol>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

/** In nftables' words; TCP where nothing is said. */
export const protocolOf = (name: string | undefined): Protocol => protocolNames[name ?? 'TCP'] ?? 'tcp';

const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Containers that serve as long as the pod lives. */
function* servingContainers({ spec }: Pod): Generator<coreV1.Container> {
  yield* spec.containers ?? [];
  for (const container of spec.initContainers ?? [])
    if (container.restartPolicy === 'Always') yield container;
}

/**
 * undefined for pods that policies do not know: those on the host network, those that have ended, those without an address. A pod that is
 * being terminated still counts. `ips`: in place of what its status says.
 */
export function podFacts(
  pod: Pod,
  nodeName: string,
  ips: readonly string[] = statusIps(pod),
): PodFacts | undefined {
  if (pod.spec.hostNetwork === true || hasEnded(pod)) return undefined;
  const known = ips.flatMap((ip) => parseIp(ip)?.text ?? []);
  if (known.length === 0) return undefined;
  const ports: NamedPort[] = [];
  for (const { ports: ofContainer = [] } of servingContainers(pod))
    for (const { name, protocol, containerPort } of ofContainer)
      if (name) ports.push({ name, protocol: protocolOf(protocol), port: containerPort });
  return {
    namespace: pod.metadata.namespace ?? '',
    labels: pod.metadata.labels ?? {},
    ips: known,
    ports,
    onThisNode: pod.spec.nodeName === nodeName,
    isGone: false,
  };
}

export function statusIps({ status }: Pod): string[] {
  const ips = (status?.podIPs ?? []).map(({ ip }) => ip);
  return ips.length > 0 || !status?.podIP ? ips : [status.podIP];
}

const namedPortsOf = (containers: readonly coreV1.Container[] = []): coreV1.Container[] =>
  containers.flatMap(({ name, ports = [], restartPolicy }) => {
    const named = ports.filter((port) => port.name);
    return named.length === 0 ? [] : [{ name, ports: named, restartPolicy }];
  });

/** For informers: pods and namespaces without what policies do not ask. */
export function trimForPolicies<T extends KubeObject>(object: T): T {
  const { name, namespace, uid, resourceVersion, labels } = object.metadata;
  const head = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { name, namespace, uid, resourceVersion, labels },
  };
  if (object.kind !== 'Pod') return head as KubeObject as T;
  const { spec, status } = object as KubeObject as Pod;
  const pod = {
    ...head,
    spec: {
      nodeName: spec.nodeName,
      hostNetwork: spec.hostNetwork,
      containers: namedPortsOf(spec.containers),
      initContainers: namedPortsOf(spec.initContainers),
    },
    status: { phase: status?.phase, podIP: status?.podIP, podIPs: status?.podIPs },
  };
  return pod as unknown as T;
}

/** Whether two states of a pod are the same to policies. */
export const sameFacts = (a: PodFacts | undefined, b: PodFacts | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b));
