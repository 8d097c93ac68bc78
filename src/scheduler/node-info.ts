// A node as the inner loop sees it: what it has and what runs on it, decided but not yet bound pods included.
// HOT: bench/scheduler.ts.
import { type coreV1, type Node, tolerates } from '../api/index.ts';
import { parseQuantity, semanticEqual, toMilli, toValue } from '../machinery/index.ts';
import type { PodInfo } from './pod-info.ts';
import { Resources, resourcesFrom } from './resources.ts';

const noTaints: readonly coreV1.Taint[] = [];
const noLabels: Readonly<Record<string, string>> = {};

/** What pods may use of a node; what is no quantity counts as nothing. */
export function nodeTotal({ status }: Node): Resources {
  const out: Record<string, number> = {};
  for (const [name, text] of Object.entries(status?.allocatable ?? status?.capacity ?? {})) {
    const quantity = parseQuantity(text);
    if (quantity !== undefined) out[name] = name === 'cpu' ? toMilli(quantity) : toValue(quantity);
  }
  return resourcesFrom(out);
}

export class NodeInfo {
  node: Node;
  readonly name: string;
  /** Its place in the arrays that the cache keeps per node; -1 = in no cache. Given to another node once this one is gone. */
  slot = -1;
  labels: Readonly<Record<string, string>>;
  unschedulable: boolean;
  readonly total: Resources;
  readonly free: Resources;
  /** Sums of what its pods are scored by. */
  scoredCpuMilli = 0;
  scoredMemoryBytes = 0;
  taints: readonly coreV1.Taint[];
  readonly pods = new Map<string, PodInfo>();
  /** Host ports in use (`PodInfo.hostPorts`), each by how many pods. */
  readonly hostPorts = new Map<string, number>();
  /** Images here by name, with their size in bytes; another map once they change. */
  images: ReadonlyMap<string, number>;
  /** Claims (`namespace/name`) that pods here use, each by how many pods. */
  readonly claims = new Map<string, number>();
  /** Pods that are to come here once the pods they displace are gone; null = none. They do not count in the sums. */
  nominated: readonly PodInfo[] | null = null;

  constructor(node: Node, total: Resources = nodeTotal(node)) {
    this.node = node;
    this.name = node.metadata.name;
    this.labels = node.metadata.labels ?? noLabels;
    this.total = total;
    this.free = new Resources();
    this.free.add(total);
    this.unschedulable = node.spec.unschedulable === true;
    this.taints = node.spec.taints ?? noTaints;
    this.images = imagesOf(node);
  }

  /** The node has changed; what runs on it stays. */
  update(node: Node, total: Resources = nodeTotal(node)): void {
    if (!semanticEqual(this.node.status?.images, node.status?.images)) this.images = imagesOf(node);
    this.node = node;
    this.labels = node.metadata.labels ?? noLabels;
    this.unschedulable = node.spec.unschedulable === true;
    this.taints = node.spec.taints ?? noTaints;
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
    if (pod.hostPorts !== null) for (const port of pod.hostPorts) increment(this.hostPorts, port);
    if (pod.claims !== null) for (const claim of pod.claims) increment(this.claims, claim);
  }

  remove(uid: string): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    this.pods.delete(uid);
    this.free.add(pod.requests);
    this.scoredCpuMilli -= pod.scoredCpuMilli;
    this.scoredMemoryBytes -= pod.scoredMemoryBytes;
    if (pod.hostPorts !== null) for (const port of pod.hostPorts) decrement(this.hostPorts, port);
    if (pod.claims !== null) for (const claim of pod.claims) decrement(this.claims, claim);
  }

  isBorneBy(tolerations: readonly coreV1.Toleration[]): boolean {
    return bearsAll(tolerations, this.taints);
  }
}

const noImages: ReadonlyMap<string, number> = new Map();

function imagesOf({ status }: Node): ReadonlyMap<string, number> {
  if (status?.images === undefined || status.images.length === 0) return noImages;
  const out = new Map<string, number>();
  // An image whose tag has gone to another is told of with null for its names.
  for (const { names, sizeBytes = 0 } of status.images)
    for (const name of names ?? []) out.set(name, Number(sizeBytes));
  return out;
}

/** Whether one of the tolerations covers each taint with an effect that keeps pods off. */
export function bearsAll(
  tolerations: readonly coreV1.Toleration[],
  taints: readonly coreV1.Taint[],
): boolean {
  for (const taint of taints)
    if (taint.effect !== 'PreferNoSchedule' && !bears(tolerations, taint)) return false;
  return true;
}

export function bears(tolerations: readonly coreV1.Toleration[], taint: coreV1.Taint): boolean {
  for (const toleration of tolerations) if (tolerates(toleration, taint)) return true;
  return false;
}

export function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** What reaches zero is gone. */
export function decrement(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 0) - 1;
  if (left <= 0) counts.delete(key);
  else counts.set(key, left);
}
