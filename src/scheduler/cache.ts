// The scheduler's picture of the cluster: nodes with what runs on them, decided but not yet bound pods included.
import type { Node, Pod } from '../api/index.ts';
import { decrement, increment, NodeInfo } from './node-info.ts';
import type { ClusterView } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';
import { Tallies } from './tallies.ts';

interface Placed {
  info: PodInfo;
  nodeName: string;
}

export class ClusterCache implements ClusterView {
  readonly #nodes = new Map<string, NodeInfo>();
  /** Kept in step with the map; the order is that of arrival, so decisions are repeatable. */
  #list: NodeInfo[] = [];
  readonly #freeSlots: number[] = [];
  #slots = 0;
  /** Where each known pod counts. */
  readonly #placed = new Map<string, Placed>();
  /** Pods of nodes that are not known (yet, or any more). */
  readonly #homeless = new Map<string, Map<string, PodInfo>>();
  readonly #claims = new Map<string, number>();
  readonly #imageNodes = new Map<string, number>();
  readonly tallies = new Tallies(() => this.#list);
  /** Where pods are to go once room is made for them. */
  readonly #nominated = new Map<string, { readonly info: PodInfo; readonly nodeName: string }>();

  get nodes(): readonly NodeInfo[] {
    return this.#list;
  }

  get claims(): ReadonlyMap<string, number> {
    return this.#claims;
  }

  get imageNodes(): ReadonlyMap<string, number> {
    return this.#imageNodes;
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  setNode(node: Node): void {
    const name = node.metadata.name;
    const old = this.#nodes.get(name);
    if (old !== undefined) {
      const { images } = old;
      old.update(node);
      if (old.images !== images) {
        for (const image of images.keys()) decrement(this.#imageNodes, image);
        for (const image of old.images.keys()) increment(this.#imageNodes, image);
      }
      this.tallies.nodeChanged(old);
      return;
    }
    const info = new NodeInfo(node);
    info.slot = this.#freeSlots.pop() ?? this.#slots++;
    this.#nodes.set(name, info);
    this.#list.push(info);
    for (const image of info.images.keys()) increment(this.#imageNodes, image);
    this.tallies.nodeAdded(info);
    for (const pod of this.#homeless.get(name)?.values() ?? []) this.#count(pod, info);
    this.#homeless.delete(name);
    this.#showNominated(name);
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (info === undefined) return;
    this.#nodes.delete(name);
    this.#list = this.#list.filter((n) => n !== info);
    for (const image of info.images.keys()) decrement(this.#imageNodes, image);
    for (const pod of info.pods.values()) this.tallies.remove(pod, info);
    this.tallies.nodeRemoved(info);
    this.#freeSlots.push(info.slot);
    if (info.pods.size > 0) this.#homeless.set(name, new Map(info.pods));
  }

  /** Counts a pod on a node, as it is now; moves it if it counted elsewhere. */
  place(pod: PodInfo, nodeName: string): void {
    this.denominate(pod.uid);
    this.remove(pod.uid);
    this.#placed.set(pod.uid, { info: pod, nodeName });
    for (const claim of pod.claims ?? []) increment(this.#claims, claim);
    const node = this.#nodes.get(nodeName);
    if (node !== undefined) this.#count(pod, node);
    else {
      let waiting = this.#homeless.get(nodeName);
      if (waiting === undefined) this.#homeless.set(nodeName, (waiting = new Map()));
      waiting.set(pod.uid, pod);
    }
  }

  remove(uid: string): void {
    const placed = this.#placed.get(uid);
    if (placed === undefined) return;
    const { info, nodeName } = placed;
    this.#placed.delete(uid);
    for (const claim of info.claims ?? []) decrement(this.#claims, claim);
    const node = this.#nodes.get(nodeName);
    if (node !== undefined) {
      node.remove(uid);
      this.tallies.remove(info, node);
    }
    const waiting = this.#homeless.get(nodeName);
    if (waiting?.delete(uid) && waiting.size === 0) this.#homeless.delete(nodeName);
  }

  #count(pod: PodInfo, node: NodeInfo): void {
    node.add(pod);
    this.tallies.add(pod, node);
  }

  /** What counts of the pod, undefined = it has no node. */
  placed(uid: string): PodInfo | undefined {
    return this.#placed.get(uid)?.info;
  }

  nodeOf(pod: Pod): string | undefined {
    return this.#placed.get(pod.metadata.uid)?.nodeName;
  }

  /** The pod is to come to this node; a nomination to another is void. */
  nominate(pod: PodInfo, nodeName: string): void {
    this.denominate(pod.uid);
    this.#nominated.set(pod.uid, { info: pod, nodeName });
    this.#showNominated(nodeName);
  }

  /** Returns where it was to go. */
  denominate(uid: string): string | undefined {
    const nodeName = this.#nominated.get(uid)?.nodeName;
    if (nodeName === undefined) return undefined;
    this.#nominated.delete(uid);
    this.#showNominated(nodeName);
    return nodeName;
  }

  nominationOf(uid: string): string | undefined {
    return this.#nominated.get(uid)?.nodeName;
  }

  #showNominated(nodeName: string): void {
    const node = this.#nodes.get(nodeName);
    if (node === undefined) return;
    const pods = [...this.#nominated.values()].filter((n) => n.nodeName === nodeName).map((n) => n.info);
    node.nominated = pods.length === 0 ? null : pods;
  }
}
