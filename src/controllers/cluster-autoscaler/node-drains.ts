// Nodes on their way out: marked, emptied by evictions, and taken away or given back. What is under way is on the Nodes themselves.
import { isTerminating, Node, Pod } from '../../api/index.ts';
import { StatusError } from '../../machinery/index.ts';
import type { ControllerContext } from '../framework/index.ts';
import { type ClusterView, toBeDeletedOf } from './cluster-view.ts';
import { movableOf, toBeDeletedTaint } from './drain.ts';
import type { NodeGroupProvider } from './provider.ts';
import type { Unneeded } from './shrinkage.ts';

export interface NodeDrainsOptions {
  readonly provider: NodeGroupProvider;
  /** How long pods may take to leave a node. */
  readonly timeoutMs: number;
  /** A node is gone, or is kept after all. */
  readonly onEnd: (node: string) => void;
}

export class NodeDrains {
  readonly #context: ControllerContext;
  readonly #options: NodeDrainsOptions;
  /** Uids of nodes that pods had to leave. */
  readonly #drained = new Set<string>();

  constructor(context: ControllerContext, options: NodeDrainsOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** No pod comes to the node any more; the next looks empty it and take it away. */
  async begin({ node, pods }: Unneeded, { about, nowMs }: ClusterView): Promise<void> {
    const { client, event } = this.#context;
    const { name, resourceVersion } = node.metadata;
    const said = JSON.stringify(name);
    event(
      about,
      'Normal',
      pods.length === 0 ? 'ScaleDownEmpty' : 'ScaleDown',
      pods.length === 0
        ? `Scale-down: removing empty node ${said}`
        : `Scale-down: removing node ${said}, utilization is low, pods to reschedule: ${pods.map((pod) => pod.metadata.name).join(',')}`,
    );
    const taint = { key: toBeDeletedTaint, value: String(Math.floor(nowMs / 1000)), effect: 'NoSchedule' };
    await client(Node).patch({ name }, 'merge', {
      // Taints are replaced as a whole: somebody else's must not be lost.
      metadata: { resourceVersion },
      spec: { unschedulable: true, taints: [...(node.spec.taints ?? []), taint] },
    });
    event(node, 'Normal', 'ScaleDown', 'marked the node as toBeDeleted/unschedulable');
  }

  /** Pods leave the nodes that are marked; one that is empty is taken away, one that takes too long stays. */
  async goOn(view: ClusterView, signal: AbortSignal): Promise<void> {
    for (const node of view.nodes) {
      const taint = toBeDeletedOf(node);
      const group = this.#options.provider.groupOf(node);
      if (taint === undefined || group === undefined) continue;
      signal.throwIfAborted();
      const left = movableOf(view.podsOf(node.metadata.name));
      if (left.length === 0) await this.#remove(node, group, view);
      else if (view.nowMs > Number(taint.value) * 1000 + this.#options.timeoutMs)
        await this.#giveUp(node, `failed to drain the node: ${left.length} pods are still there`);
      else {
        this.#drained.add(node.metadata.uid);
        for (const pod of left) await this.#evict(pod);
      }
    }
  }

  async #remove(node: Node, groupName: string, { groups, nodes, about }: ClusterView): Promise<void> {
    const { event, log } = this.#context;
    const group = groups.find(({ name }) => name === groupName);
    const joined = nodes.filter((one) => this.#options.provider.groupOf(one) === groupName).length;
    // The owner may have changed the bounds meanwhile.
    if (group === undefined || Math.max(group.target, joined) <= group.min)
      return this.#giveUp(node, 'failed to delete node: its group is as small as it may be');
    try {
      await this.#options.provider.shrink(groupName, node);
    } catch (error) {
      log.warn('a node could not be taken away', { node: node.metadata.name, error });
      event(node, 'Warning', 'ScaleDownFailed', `failed to delete node: ${(error as Error).message}`);
      return;
    }
    this.#options.onEnd(node.metadata.name);
    event(node, 'Normal', 'ScaleDown', 'node removed by cluster autoscaler');
    if (this.#drained.delete(node.metadata.uid))
      event(about, 'Normal', 'ScaleDown', `Scale-down: node ${node.metadata.name} removed with drain`);
  }

  async #giveUp({ metadata, spec }: Node, why: string): Promise<void> {
    const { name, resourceVersion } = metadata;
    await this.#context.client(Node).patch({ name }, 'merge', {
      metadata: { resourceVersion },
      spec: {
        unschedulable: null,
        taints: (spec.taints ?? []).filter(({ key }) => key !== toBeDeletedTaint),
      },
    });
    this.#options.onEnd(name);
    this.#context.event({ kind: 'Node', apiVersion: 'v1', metadata }, 'Warning', 'ScaleDownFailed', why);
  }

  async #evict(pod: Pod): Promise<void> {
    if (isTerminating(pod)) return;
    const { name, namespace, uid } = pod.metadata;
    const body = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace },
      deleteOptions: { preconditions: { uid } },
    };
    try {
      await this.#context.client(Pod).createSub({ name, namespace, subresource: 'eviction' }, body);
      this.#context.event(pod, 'Normal', 'ScaleDown', 'deleting pod for node scale down');
    } catch (error) {
      // A budget says not now, or the pod is not the one that was seen: the next look tries again.
      const isExpected = error instanceof StatusError && [404, 409, 429].includes(error.code);
      if (!isExpected) throw error;
    }
  }
}
