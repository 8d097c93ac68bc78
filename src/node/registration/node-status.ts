// The Node object and its status, from what the machine is and how it fares. Pure; reasons and messages are the kubelet's.
import { type coreV1, isExtendedResource, type Node } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import type { PressureCondition } from '../eviction/signals.ts';
import type { MachineInfo } from './machine.ts';
import type { Reserved } from './node-settings.ts';

export interface NodeStatusInput {
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  readonly machine: MachineInfo;
  readonly maxPods: number;
  readonly versions: { readonly kubelet: string; readonly runtime: string };
  readonly kubeletPort: number;
  /** Kept for the node itself, and free before pods are made to leave; allocatable is what is left. */
  readonly reserved: Reserved;
  /** What it is short of. */
  readonly pressure: readonly PressureCondition[];
  /** Why it is not ready, in words; none = ready. */
  readonly problems: readonly string[];
  readonly images: readonly coreV1.ContainerImage[];
  /** Extended resources that others have put into the node's capacity. Left out = none. */
  readonly extended?: Readonly<Record<string, string>>;
  readonly previous: coreV1.NodeStatus | undefined;
  readonly nowMs: number;
}

export function nodeLabels(nodeName: string, arch: string): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': arch,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': arch,
    'kubernetes.io/hostname': nodeName,
    'kubernetes.io/os': 'linux',
  };
}

const kibi = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;

export function buildNodeStatus(input: NodeStatusInput): coreV1.NodeStatus {
  const { machine, reserved, pressure } = input;
  const common = { pods: String(input.maxPods) };
  const cpuMilli = machine.cpus * 1000 - reserved.cpuMilli;
  return {
    capacity: {
      cpu: String(machine.cpus),
      'ephemeral-storage': kibi(machine.storageBytes),
      memory: kibi(machine.memoryBytes),
      ...common,
    },
    allocatable: {
      cpu: cpuMilli % 1000 === 0 ? String(cpuMilli / 1000) : `${cpuMilli}m`,
      'ephemeral-storage': String(machine.storageBytes - reserved.storageBytes),
      memory: kibi(machine.memoryBytes - reserved.memoryBytes),
      ...common,
      ...input.extended,
    },
    conditions: conditions(input, [
      {
        type: 'MemoryPressure',
        bad: pressure.includes('MemoryPressure'),
        whenBad: ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
        whenGood: ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
      },
      {
        type: 'DiskPressure',
        bad: pressure.includes('DiskPressure'),
        whenBad: ['KubeletHasDiskPressure', 'kubelet has disk pressure'],
        whenGood: ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
      },
      {
        type: 'PIDPressure',
        bad: pressure.includes('PIDPressure'),
        whenBad: ['KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
        whenGood: ['KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
      },
    ]),
    addresses: [
      ...input.nodeIps.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: input.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: input.kubeletPort } },
    nodeInfo: {
      ...machine.nodeInfo,
      containerRuntimeVersion: input.versions.runtime,
      kubeletVersion: input.versions.kubelet,
      // The field is no longer filled in, but clients of old expect it to be there.
      kubeProxyVersion: '',
    },
    images: [...input.images],
  };
}

/** Whoever knows of devices writes them into the capacity of a node; it is for the node to say that pods may have them. */
export const extendedResources = (status: coreV1.NodeStatus | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(status?.capacity ?? {}).filter(([name]) => isExtendedResource(name)));

interface Judged {
  readonly type: string;
  readonly bad: boolean;
  readonly whenBad: readonly [reason: string, message: string];
  readonly whenGood: readonly [reason: string, message: string];
}

function conditions(input: NodeStatusInput, pressures: readonly Judged[]): coreV1.NodeCondition[] {
  const now = formatTime(input.nowMs);
  const make = (
    type: string,
    status: 'True' | 'False',
    [reason, message]: readonly [string, string],
  ): coreV1.NodeCondition => {
    const before = input.previous?.conditions?.find((c) => c.type === type);
    const same = before?.status === status && before.lastTransitionTime !== undefined;
    return {
      type,
      status,
      lastHeartbeatTime: now,
      lastTransitionTime: same ? before.lastTransitionTime : now,
      reason,
      message,
    };
  };
  const ready = input.problems.length === 0;
  return [
    ...pressures.map((p) => make(p.type, p.bad ? 'True' : 'False', p.bad ? p.whenBad : p.whenGood)),
    make(
      'Ready',
      ready ? 'True' : 'False',
      ready
        ? ['KubeletReady', 'kubelet is posting ready status']
        : ['KubeletNotReady', input.problems.join(', ')],
    ),
  ];
}

/** Has anything changed that is worth a write before the next regular one? Heartbeat times alone are not. */
export function statusDiffers(a: coreV1.NodeStatus | undefined, b: coreV1.NodeStatus): boolean {
  return JSON.stringify(strip(a)) !== JSON.stringify(strip(b));
}

function strip(status: coreV1.NodeStatus | undefined): unknown {
  if (status === undefined) return undefined;
  const {
    conditions: list = [],
    capacity,
    allocatable,
    addresses,
    nodeInfo,
    daemonEndpoints,
    images,
  } = status;
  return [
    list.map(({ type, status: value, reason, message }) => [type, value, reason, message]).sort(),
    ...[capacity, allocatable].map((r) => Object.entries(r ?? {}).sort()),
    addresses?.map((a) => [a.type, a.address]),
    Object.entries(nodeInfo ?? {}).sort(),
    daemonEndpoints?.kubeletEndpoint?.Port,
    images?.map((i) => [i.names, i.sizeBytes]),
  ];
}

/** What must be changed on a Node that exists already: the node's own labels. undefined = nothing. */
export function planLabels(
  node: Node,
  own: Readonly<Record<string, string>>,
): Record<string, string> | undefined {
  const changed = Object.entries(own).filter(([key, value]) => node.metadata.labels?.[key] !== value);
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}
