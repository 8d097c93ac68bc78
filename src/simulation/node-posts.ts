// What a simulated node says of itself: its status, and the renewals of its Lease.
import { Lease, Node } from '../api/index.ts';
import type { Clock } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import { formatMicroTime, isAlreadyExists, isConflict, isNotFound } from '../machinery/index.ts';
import { statusDiffers } from '../node/index.ts';
import { simulatedLabel } from './annotations.ts';
import type { Heartbeat } from './heartbeat.ts';
import { labelsOf, statusOf } from './node-object.ts';
import type { NodeRun } from './node-run.ts';
import { Message } from './outbox.ts';
import type { MachinePark } from './script.ts';

export interface NodePost {
  readonly client: Client;
  readonly clock: Clock;
  readonly park: MachinePark;
  readonly version: string;
  heartbeat(): Heartbeat;
  retry(message: Message, error: unknown): void;
}

const leaseNamespace = 'kube-node-lease';
/** A status that has not changed is told this often, as by a kubelet. */
export const statusReportMs = 300_000;

export class StatusMessage extends Message {
  readonly #node: NodeRun;
  readonly #post: NodePost;

  constructor(node: NodeRun, post: NodePost) {
    super();
    this.#node = node;
    this.#post = post;
  }

  async send(): Promise<void> {
    const node = this.#node;
    const { client, clock, park, version } = this.#post;
    if (!node.connected) return;
    const { name, number, type, fault } = node;
    try {
      if (node.node.metadata.labels?.['kubernetes.io/hostname'] === undefined) {
        // Made by somebody who left the rest to us.
        const labels = {
          ...labelsOf(park, name, node),
          ...node.node.metadata.labels,
          [simulatedLabel]: 'true',
        };
        node.learn(await client(Node).patch({ name }, 'merge', { metadata: { labels } }));
      }
      const previous = node.node.status;
      const status = statusOf({ name, number, type, fault, version, previous, nowMs: clock.nowMs() });
      const regular = clock.monotonicMs() - node.statusWrittenMs >= statusReportMs;
      if (!regular && !statusDiffers(previous, status)) return;
      const addresses = [...(status.addresses ?? []), { $patch: 'replace' }];
      node.statusWrittenMs = clock.monotonicMs();
      node.learn(
        await client(Node).patch({ name, subresource: 'status' }, 'strategic', {
          status: { ...status, addresses },
        }),
      );
    } catch (error) {
      if (!isNotFound(error)) this.#post.retry(this, error);
    }
  }
}

/** HOT: at ten thousand nodes thousands of these are sent each second. */
export class BeatMessage extends Message {
  readonly #node: NodeRun;
  readonly #post: NodePost;

  constructor(node: NodeRun, post: NodePost) {
    super();
    this.#node = node;
    this.#post = post;
  }

  async send(): Promise<void> {
    const node = this.#node;
    if (!node.connected) return;
    const { client, clock } = this.#post;
    const spec = {
      holderIdentity: node.name,
      leaseDurationSeconds: this.#post.heartbeat().leaseSeconds,
      renewTime: formatMicroTime(clock.nowMs()),
    };
    try {
      const known = node.lease ?? (await this.#make(spec));
      if (known !== null)
        node.lease = await client(Lease).update({ ...known, spec: { ...known.spec, ...spec } });
    } catch (error) {
      node.lease = null;
      if (!isConflict(error) && !isNotFound(error)) throw error;
      // Somebody else has written it, or it is gone: once more, with what is there.
      this.#post.retry(this, error);
    }
  }

  /** Returns the Lease that is there already; null = it is made and true. */
  async #make(spec: Lease['spec']): Promise<Lease | null> {
    const leases = this.#post.client(Lease);
    const { name, uid } = this.#node.node.metadata;
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name, uid }];
    try {
      this.#node.lease = await leases.create({
        metadata: { name, namespace: leaseNamespace, ownerReferences },
        spec,
      });
      return null;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return leases.get(name, leaseNamespace);
    }
  }
}
