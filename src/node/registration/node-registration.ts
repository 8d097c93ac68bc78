// Keeps the Node object of this machine: makes it, keeps its status true, and renews its lease, which is how the rest of the
// cluster knows that it lives.
import { type coreV1, Lease, Node } from '../../api/index.ts';
import { type Clock, type Log, type Scope, sleep } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import {
  formatMicroTime,
  isAlreadyExists,
  isConflict,
  isNotFound,
  isStatus,
  semanticEqual,
} from '../../machinery/index.ts';
import { type NodeEvent, nodeStatusEvent, planNodeEvents } from './node-events.ts';
import {
  buildNodeStatus,
  extendedResources,
  type NodeStatusInput,
  nodeLabels,
  planLabels,
  statusDiffers,
} from './node-status.ts';

export interface RegistrationOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  readonly nodeName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly coreV1.Taint[];
  /** How often the lease is renewed. */
  readonly leaseRenewMs: number;
  readonly leaseDurationSeconds: number;
  /** How often the status is looked at; it is written when it changed. */
  readonly statusCheckMs: number;
  /** How often it is written in any case. */
  readonly statusReportMs: number;
  /** Everything of the status but what is remembered here. */
  status(): Promise<Omit<NodeStatusInput, 'extended' | 'previous' | 'nowMs'>>;
  /** About the node. */
  event(event: NodeEvent): void;
}

const leaseNamespace = 'kube-node-lease';
const retryMs = 500;

export class NodeRegistration {
  readonly #options: RegistrationOptions;
  #node: Node | undefined;
  #written: coreV1.NodeStatus | undefined;
  #writtenMs = 0;
  #wake: (() => void) | undefined;
  #touched = false;
  /** The Node was there before this agent. */
  #mayWait = false;
  #unschedulable = false;
  #extended: Readonly<Record<string, string>> = {};

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** As it was last written or read. */
  get status(): coreV1.NodeStatus | undefined {
    return this.#written;
  }

  /**
   * Resolves when the Node exists. A node that was there before is heard of at once, while what its status needs still starts: an
   * agent that was started again is to be missed for as short as can be. Retries until the scope ends.
   */
  async start(): Promise<Node> {
    const { scope, clock, log } = this.#options;
    let known!: () => void;
    const registered = new Promise<void>((resolve) => (known = resolve));
    scope.run('node lease', async (signal) => {
      const lease = await this.#readLease().catch(() => undefined);
      signal.addEventListener('abort', known, { once: true });
      if (lease === undefined) await registered;
      await this.#renew(lease, signal);
    });
    for (;;) {
      scope.signal.throwIfAborted();
      try {
        this.#node = await this.#register();
        break;
      } catch (error) {
        log.warn('cannot register the node, trying again', { error });
        await sleep(clock, retryMs, scope.signal);
      }
    }
    known();
    scope.run('node status', (signal) => this.#report(signal));
    return this.#node;
  }

  /** Something that the status tells has changed: look now. */
  touch(): void {
    this.#touched = true;
    this.#wake?.();
  }

  /**
   * What the server holds of this node now. Others may have judged it meanwhile: a node that was silent is marked unknown, and only
   * its agent can take that back.
   */
  observe({ status, spec }: Node): void {
    const unschedulable = spec?.unschedulable === true;
    if (unschedulable !== this.#unschedulable) {
      const { event, nodeName } = this.#options;
      event(nodeStatusEvent(nodeName, unschedulable ? 'NodeNotSchedulable' : 'NodeSchedulable'));
      this.#unschedulable = unschedulable;
    }
    const written = this.#written;
    if (written === undefined) return;
    const extended = extendedResources(status);
    if (!semanticEqual(extended, this.#extended)) {
      this.#extended = extended;
      this.touch();
    }
    const judged = (written.conditions ?? []).map(
      (own) => status?.conditions?.find(({ type }) => type === own.type) ?? own,
    );
    if (judged.every((condition, at) => condition.status === written.conditions![at]!.status)) return;
    this.#written = { ...written, conditions: judged };
    this.touch();
  }

  async #register(): Promise<Node> {
    const { client, nodeName, clock, taints } = this.#options;
    const input = await this.#options.status();
    const own = { ...nodeLabels(nodeName, input.machine.nodeInfo.architecture), ...this.#options.labels };
    const existing = await client(Node)
      .get(nodeName)
      .catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
    if (existing === undefined) {
      const status = buildNodeStatus({ ...input, previous: undefined, nowMs: clock.nowMs() });
      try {
        const created = await client(Node).create({
          metadata: { name: nodeName, labels: own },
          spec: taints.length > 0 ? { taints: [...taints] } : {},
          status,
        });
        this.#wrote(undefined, status);
        return created;
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
        return this.#register();
      }
    }
    if (this.#written === undefined) this.#mayWait = true;
    this.#written = existing.status;
    this.#extended = extendedResources(existing.status);
    const labels = planLabels(existing, own);
    if (labels === undefined) return existing;
    return client(Node).patch({ name: nodeName }, 'strategic', { metadata: { labels } });
  }

  async #report(signal: AbortSignal): Promise<void> {
    const { clock, log, statusCheckMs, statusReportMs } = this.#options;
    // What the agent before it said holds until this one knows better: not knowing yet is no reason to call the node not ready.
    if (this.#mayWait && !this.#touched) await this.#pause(statusCheckMs, signal);
    while (!signal.aborted) {
      this.#touched = false;
      try {
        await this.#writeStatus(clock.monotonicMs() - this.#writtenMs >= statusReportMs);
      } catch (error) {
        if (signal.aborted) return;
        log.warn('cannot write node status', { error });
        if (isNotFound(error)) await this.#register().catch(() => {});
      }
      // What was touched during the write may not be in it.
      if (!this.#touched) await this.#pause(statusCheckMs, signal);
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#options.clock.after(ms, end);
      this.#wake = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  async #writeStatus(regular: boolean): Promise<void> {
    const { client, clock, nodeName } = this.#options;
    const input = await this.#options.status();
    // The write comes back to `observe` before it is answered.
    const before = this.#written;
    const extended = this.#extended;
    const status = buildNodeStatus({ ...input, extended, previous: before, nowMs: clock.nowMs() });
    if (!regular && !statusDiffers(before, status)) return;
    // Addresses would be merged by type, resources are by name: what is no longer there must go.
    const gone = Object.keys(before?.allocatable ?? {}).filter((name) => !(name in status.allocatable!));
    const patch = {
      status: {
        ...status,
        allocatable: { ...status.allocatable, ...Object.fromEntries(gone.map((name) => [name, null])) },
        addresses: [...(status.addresses ?? []), { $patch: 'replace' }],
      },
    };
    await client(Node).patch({ name: nodeName, subresource: 'status' }, 'strategic', patch);
    this.#wrote(before, status);
  }

  #wrote(before: coreV1.NodeStatus | undefined, status: coreV1.NodeStatus): void {
    const { clock, event, nodeName } = this.#options;
    for (const one of planNodeEvents(nodeName, before, status)) event(one);
    this.#written = status;
    this.#writtenMs = clock.monotonicMs();
  }

  async #renew(known: Lease | undefined, signal: AbortSignal): Promise<void> {
    const { clock, log, leaseRenewMs } = this.#options;
    let lease = known;
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      try {
        lease = await this.#renewOnce(lease);
      } catch (error) {
        if (signal.aborted) return;
        lease = undefined;
        if (!isConflict(error)) log.warn('cannot renew the node lease', { error });
      }
      const spentMs = clock.monotonicMs() - startedMs;
      await sleep(clock, Math.max(0, leaseRenewMs - spentMs), signal).catch(() => {});
    }
  }

  async #renewOnce(known: Lease | undefined): Promise<Lease> {
    const { client, clock, nodeName, leaseDurationSeconds } = this.#options;
    const spec = {
      holderIdentity: nodeName,
      leaseDurationSeconds,
      renewTime: formatMicroTime(clock.nowMs()),
    };
    const leases = client(Lease);
    const current = known ?? (await this.#readLease());
    if (current !== undefined) return leases.update({ ...current, spec: { ...current.spec, ...spec } });
    const node = this.#node;
    if (node === undefined) throw new Error('the lease is gone, and the node is not known yet');
    const owner = { apiVersion: 'v1', kind: 'Node', name: node.metadata.name, uid: node.metadata.uid };
    const metadata = { name: nodeName, namespace: leaseNamespace, ownerReferences: [owner] };
    return leases.create({ metadata, spec }).catch((error: unknown) => {
      // Made by another of our calls in between.
      if (isStatus(error, 'AlreadyExists')) return leases.get(nodeName, leaseNamespace);
      throw error;
    });
  }

  #readLease(): Promise<Lease | undefined> {
    return this.#options
      .client(Lease)
      .get(this.#options.nodeName, leaseNamespace)
      .catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
  }
}
