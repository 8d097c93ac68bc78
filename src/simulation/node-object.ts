// What a simulated machine is and what its Node says: labels, capacity, addresses, conditions. Pure; the status is built by the same
// function as a real node's.
import type { coreV1, Node } from '../api/index.ts';
import { type Draft, parseDuration } from '../machinery/index.ts';
import { buildNodeStatus, nodeLabels } from '../node/index.ts';
import {
  conditionsAnnotation,
  delayAnnotation,
  networkAnnotation,
  powerAnnotation,
  simulatedLabel,
} from './annotations.ts';
import { type Fault, type MachinePark, type MachineType, noFault } from './script.ts';

const instanceTypeLabel = 'node.kubernetes.io/instance-type';

/** The name of the nth simulated node, from 1. */
export const nodeNameOf = (number: number): string => `sim-${number}`;

/** Which machine the nth node is: types are dealt out by their shares, zones in turn. */
export function machineOf(park: MachinePark, number: number): { type: MachineType; zone: string } {
  const zone = park.zones[(number - 1) % park.zones.length]!;
  const total = park.types.reduce((sum, { share }) => sum + share, 0);
  // The golden ratio spreads any shares evenly over any run of numbers.
  let at = ((number * 0.6180339887498949) % 1) * total;
  for (const type of park.types) {
    if (at < type.share) return { type, zone };
    at -= type.share;
  }
  return { type: park.types.at(-1)!, zone };
}

/** The machine a Node stands for: by its instance type if it says one, else by its number. */
export function machineOfNode(
  park: MachinePark,
  node: Node,
  number: number,
): { type: MachineType; zone: string } {
  const dealt = machineOf(park, number);
  const said = node.metadata.labels?.[instanceTypeLabel];
  return { ...dealt, type: park.types.find(({ name }) => name === said) ?? dealt.type };
}

export function labelsOf(
  park: MachinePark,
  name: string,
  { type, zone }: { readonly type: MachineType; readonly zone: string },
): Record<string, string> {
  return {
    ...nodeLabels(name, 'amd64'),
    [instanceTypeLabel]: type.name,
    [simulatedLabel]: 'true',
    'topology.kubernetes.io/region': park.region,
    'topology.kubernetes.io/zone': zone,
    ...type.labels,
  };
}

export interface NodeView {
  readonly name: string;
  readonly number: number;
  readonly type: MachineType;
  readonly fault: Fault;
  readonly version: string;
  readonly previous: coreV1.NodeStatus | undefined;
  readonly nowMs: number;
}

/** A tenth of the disk is kept free, as by default on real nodes. */
const keptDiskShare = 0.1;
const pressures = ['MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

export function statusOf(view: NodeView): coreV1.NodeStatus {
  const { name, number, type, fault, nowMs } = view;
  const status = buildNodeStatus({
    nodeName: name,
    nodeIps: [addressOf(number)],
    machine: {
      cpus: type.cpus,
      memoryBytes: type.memoryBytes,
      storageBytes: type.storageBytes,
      nodeInfo: {
        machineID: `simulated-${number}`,
        systemUUID: `simulated-${number}`,
        bootID: `simulated-${number}`,
        kernelVersion: '6.1.0-simulated',
        osImage: 'Jotasu simulated node',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
    },
    maxPods: type.pods,
    versions: { kubelet: view.version, runtime: 'simulation://1' },
    kubeletPort: 10250,
    reserved: {
      cpuMilli: 0,
      memoryBytes: 0,
      storageBytes: Math.ceil(type.storageBytes * keptDiskShare),
    },
    pressure: pressures.filter((one) => fault.conditions.includes(one)),
    problems: [],
    images: [],
    previous: view.previous,
    nowMs,
  });
  return {
    ...status,
    capacity: { ...status.capacity, ...type.resources },
    allocatable: { ...status.allocatable, ...type.resources },
  };
}

/** A Node that does not exist yet, as its machine would register it. */
export function nodeDraft(
  park: MachinePark,
  view: Omit<NodeView, 'type' | 'previous' | 'fault'>,
): Draft<Node> {
  const machine = machineOf(park, view.number);
  return {
    metadata: { name: view.name, labels: labelsOf(park, view.name, machine) },
    spec: {},
    status: statusOf({ ...view, type: machine.type, fault: noFault, previous: undefined }),
  };
}

/** Addresses of nodes: 198.18.0.0/15, set aside for benchmarks (RFC 2544). Nobody answers there. */
export function addressOf(number: number): string {
  const at = 0xc6120000 + (number % 0x20000);
  return [at >>> 24, (at >>> 16) & 255, (at >>> 8) & 255, at & 255].join('.');
}

/** What the annotations of a node ask for. What they say wrongly is left out. */
export function faultOf({ metadata: { annotations } }: Node): Fault {
  if (annotations === undefined) return noFault;
  const conditions = annotations[conditionsAnnotation];
  return {
    off: annotations[powerAnnotation] === 'off',
    cut: annotations[networkAnnotation] === 'cut',
    delayMs: Math.max(0, parseDuration(annotations[delayAnnotation] ?? '0s') ?? 0),
    conditions:
      conditions === undefined || conditions === '' ? [] : conditions.split(',').map((c) => c.trim()),
  };
}

/** Several at once. */
export const combineFaults = (a: Fault, b: Fault): Fault => ({
  off: a.off || b.off,
  cut: a.cut || b.cut,
  delayMs: a.delayMs + b.delayMs,
  conditions: [...new Set([...a.conditions, ...b.conditions])],
});

export const sameFault = (a: Fault, b: Fault): boolean =>
  a === b ||
  (a.off === b.off &&
    a.cut === b.cut &&
    a.delayMs === b.delayMs &&
    a.conditions.join() === b.conditions.join());
