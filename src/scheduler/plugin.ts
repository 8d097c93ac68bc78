// The contract of scheduler plugins, and the views of pods and nodes that they get. A plugin is one file plus one line in
// profile.ts, whose order is the order of calls. HOT: filter and score run once a pod and node; they must not allocate or throw.
import { type coreV1, isSidecar, type Node, type Pod } from '../api/index.ts';
import { Resources } from './resources.ts';

const unsaidCpuMilli = 100;
const unsaidMemoryBytes = 200 * 1024 * 1024;

/** A pod as the scheduler sees it: what the inner loop needs, read once. */
export class PodInfo {
  readonly pod: Pod;
  /** namespace/name */
  readonly key: string;
  readonly uid: string;
  readonly requests: Resources;
  /** As `requests`, but what it does not say counts as a little: for scores, so that such pods spread too. */
  readonly scoredCpuMilli: number;
  readonly scoredMemoryBytes: number;
  readonly priority: number;
  /** The uid of the managing owner; '' = none. Pods of one owner are spread. */
  readonly owner: string;
  /** `TCP:8080` or `TCP:8080@10.0.0.1` for each host port; null = none */
  readonly hostPorts: readonly string[] | null;

  constructor(pod: Pod, requests: Resources, owner: string) {
    this.pod = pod;
    this.key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    this.uid = pod.metadata.uid;
    this.requests = requests;
    this.scoredCpuMilli = requests.cpuMilli === 0 ? unsaidCpuMilli : requests.cpuMilli;
    this.scoredMemoryBytes = requests.memoryBytes === 0 ? unsaidMemoryBytes : requests.memoryBytes;
    this.priority = pod.spec.priority ?? 0;
    this.owner = owner;
    this.hostPorts = hostPortsOf(pod);
  }
}

function hostPortsOf(pod: Pod): readonly string[] | null {
  const out: string[] = [];
  for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)]) {
    for (const port of container.ports ?? []) {
      if ((port.hostPort ?? 0) === 0) continue;
      const ip =
        port.hostIP === undefined || port.hostIP === '' || port.hostIP === '0.0.0.0' || port.hostIP === '::'
          ? ''
          : `@${port.hostIP}`;
      out.push(`${port.protocol ?? 'TCP'}:${port.hostPort}${ip}`);
    }
  }
  return out.length === 0 ? null : out;
}

const none: readonly coreV1.Taint[] = [];

/** A node with what runs on it, decided pods included. */
export class NodeInfo {
  node: Node;
  readonly name: string;
  unschedulable: boolean;
  readonly total: Resources;
  readonly free: Resources;
  /** Sums of what its pods are scored by. */
  scoredCpuMilli = 0;
  scoredMemoryBytes = 0;
  taints: readonly coreV1.Taint[];
  readonly pods = new Map<string, PodInfo>();
  /** How many pods of an owner are here. */
  readonly owners = new Map<string, number>();
  /** Host ports in use, each by how many pods. */
  readonly hostPorts = new Map<string, number>();

  constructor(node: Node, total: Resources) {
    this.node = node;
    this.name = node.metadata.name;
    this.total = total;
    this.free = new Resources();
    this.free.add(total);
    this.unschedulable = node.spec.unschedulable === true;
    this.taints = node.spec.taints ?? none;
  }

  /** The node has changed; what runs on it stays. */
  update(node: Node, total: Resources): void {
    this.node = node;
    this.unschedulable = node.spec.unschedulable === true;
    this.taints = node.spec.taints ?? none;
    if (this.total.equals(total)) return;
    this.free.subtract(this.total);
    this.free.add(total);
    this.total.subtract(this.total);
    this.total.add(total);
  }

  add(pod: PodInfo): void {
    if (this.pods.has(pod.uid)) return;
    this.pods.set(pod.uid, pod);
    this.free.subtract(pod.requests);
    this.scoredCpuMilli += pod.scoredCpuMilli;
    this.scoredMemoryBytes += pod.scoredMemoryBytes;
    if (pod.owner !== '') this.owners.set(pod.owner, (this.owners.get(pod.owner) ?? 0) + 1);
    if (pod.hostPorts !== null)
      for (const port of pod.hostPorts) this.hostPorts.set(port, (this.hostPorts.get(port) ?? 0) + 1);
  }

  remove(uid: string): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    this.pods.delete(uid);
    this.free.add(pod.requests);
    this.scoredCpuMilli -= pod.scoredCpuMilli;
    this.scoredMemoryBytes -= pod.scoredMemoryBytes;
    if (pod.owner !== '') decrement(this.owners, pod.owner);
    if (pod.hostPorts !== null) for (const port of pod.hostPorts) decrement(this.hostPorts, port);
  }
}

function decrement(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 0) - 1;
  if (left <= 0) counts.delete(key);
  else counts.set(key, left);
}

/** A change that may let a pod fit which did not fit before. */
export interface WakeHint {
  readonly kind: 'Node' | 'Pod';
  readonly on: 'add' | 'update' | 'delete';
}

/** The filter's answer for "fits"; every other number indexes `reasons`. */
export const fits = 0;

export interface Plugin<State = unknown> {
  readonly name: string;
  /** Indexed by what `filter` answers; entry 0 is unused. Worded as Kubernetes words them: they end up in events. */
  readonly reasons: readonly string[];
  readonly wakeOn: readonly WakeHint[];
  /** Weight of the score. */
  readonly weight: number;
  /**
   * Once per pod, before the others. Its result is handed to them. undefined = this plugin does not matter for the pod: its
   * other hooks are not called.
   */
  readonly preFilter: (pod: PodInfo, nodes: readonly NodeInfo[]) => State | undefined;
  /** `fits`, or the index of the reason why not. */
  readonly filter: ((state: State, node: NodeInfo) => number) | null;
  /** All reasons, when there may be several or the text depends on pod and node. Called for failures only. */
  readonly explain: ((state: State, node: NodeInfo) => readonly string[]) | null;
  /** Higher is better; only called on nodes that passed every filter. */
  readonly score: ((state: State, node: NodeInfo) => number) | null;
  /** How raw scores become 0–100: as they are, relative to the highest, or reversed (the highest becomes 0). */
  readonly normalize: 'none' | 'highest' | 'lowest';
}

export function definePlugin<State>(
  plugin: Pick<Plugin<State>, 'name' | 'preFilter'> & Partial<Plugin<State>>,
): Plugin<State> {
  return {
    reasons: [''],
    wakeOn: [],
    weight: 1,
    filter: null,
    explain: null,
    score: null,
    normalize: 'none',
    ...plugin,
  };
}
