// The scheduler's picture of the cluster: nodes with what runs on them, decided but not yet bound pods included.
import type { Node, Pod } from '../api/index.ts';
import { NodeInfo, type PodInfo } from './plugin.ts';
import type { Resources } from './resources.ts';

export class ClusterCache {
  readonly #nodes = new Map<string, NodeInfo>();
  /** Kept in step with the map; the order is that of arrival, so decisions are repeatable. */
  #list: NodeInfo[] = [];
  /** Where each known pod counts. */
  readonly #placed = new Map<string, string>();
  /** Pods of nodes that are not known (yet, or any more). */
  readonly #homeless = new Map<string, Map<string, PodInfo>>();
  readonly #totalOf: (node: Node) => Resources;

  constructor(totalOf: (node: Node) => Resources) {
    this.#totalOf = totalOf;
  }

  get nodes(): readonly NodeInfo[] {
    return this.#list;
  }

  setNode(node: Node): void {
    const name = node.metadata.name;
    const old = this.#nodes.get(name);
    if (old !== undefined) {
      old.update(node, this.#totalOf(node));
      return;
    }
    const info = new NodeInfo(node, this.#totalOf(node));
    for (const pod of this.#homeless.get(name)?.values() ?? []) info.add(pod);
    this.#homeless.delete(name);
    this.#nodes.set(name, info);
    this.#list.push(info);
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (info === undefined) return;
    this.#nodes.delete(name);
    this.#list = this.#list.filter((n) => n !== info);
    if (info.pods.size > 0) this.#homeless.set(name, new Map(info.pods));
  }

  /** Counts a pod on a node, with what it asks for now; moves it if it counted elsewhere. Returns whether room became free. */
  place(pod: PodInfo, nodeName: string): boolean {
    const before = this.#placed.get(pod.uid);
    const known = before === undefined ? undefined : this.#nodes.get(before)?.pods.get(pod.uid);
    if (before !== undefined) {
      if (before === nodeName && known?.requests.equals(pod.requests)) return false;
      this.remove(pod.uid);
    }
    this.#placed.set(pod.uid, nodeName);
    const node = this.#nodes.get(nodeName);
    if (node !== undefined) node.add(pod);
    else {
      let waiting = this.#homeless.get(nodeName);
      if (waiting === undefined) this.#homeless.set(nodeName, (waiting = new Map()));
      waiting.set(pod.uid, pod);
    }
    return known !== undefined;
  }

  remove(uid: string): void {
    const nodeName = this.#placed.get(uid);
    if (nodeName === undefined) return;
    this.#placed.delete(uid);
    this.#nodes.get(nodeName)?.remove(uid);
    const waiting = this.#homeless.get(nodeName);
    if (waiting?.delete(uid) && waiting.size === 0) this.#homeless.delete(nodeName);
  }

  nodeOf(pod: Pod): string | undefined {
    return this.#placed.get(pod.metadata.uid);
  }
}
