// The workers of a node's pods, by uid; and what belongs to no pod any more: sandboxes and directories left by pods that were
// deleted while the agent was down.
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Pod } from '../../api/index.ts';
import { Backoff, sleep } from '../../base/index.ts';
import { annotation } from '../container/names.ts';
import type { NodeContext } from './node-context.ts';
import { type PodEnd, PodWorker } from './pod-worker.ts';

const orphanRetry = { initialMs: 1_000, maxMs: 30_000 };

export class PodWorkers {
  readonly #node: NodeContext;
  readonly #workers = new Map<string, PodWorker>();
  readonly #onGone: (uid: string) => void;
  /** Pods whose worker has ended and whose leftovers are being removed. */
  readonly #orphans = new Set<string>();
  /** Only from then on every pod of the API is known to have its worker. */
  #cleaned = false;

  constructor(node: NodeContext, onGone: (uid: string) => void) {
    this.#node = node;
    this.#onGone = onGone;
  }

  get size(): number {
    return this.#workers.size;
  }

  pods(): Pod[] {
    return [...this.#workers.values()].map((w) => this.#withStatus(w.pod));
  }

  /** By name; of two that share it (one is ending), the newer. */
  find(namespace: string, name: string): Pod | undefined {
    const all = [...this.#workers.values()].map((w) => w.pod);
    const found = all.filter((p) => p.metadata.name === name && p.metadata.namespace === namespace);
    return found.find((p) => p.metadata.deletionTimestamp === undefined) ?? found[0];
  }

  put(pod: Pod): void {
    const { uid } = pod.metadata;
    const known = this.#workers.get(uid);
    if (known !== undefined) {
      known.update(pod);
      return;
    }
    const worker = new PodWorker(pod, this.#node, {
      onGone: (gone) => {
        this.#workers.delete(gone);
        this.#onGone(gone);
        // What the runtime could not remove just now.
        this.runtimeChanged(gone);
      },
      others: () => this.holding(uid),
      changed: () => this.#rearrange(),
    });
    this.#workers.set(uid, worker);
    worker.wake();
  }

  /** The pods that the node has taken and that have not ended, without `uid`, as far as they were granted. */
  holding(uid?: string): Pod[] {
    const pods: Pod[] = [];
    for (const worker of this.#workers.values())
      if (worker.uid !== uid && worker.holds) pods.push(worker.granted);
    return pods;
  }

  /** A pod has come, gone or changed what it holds: others may have waited for that. */
  #rearrange(): void {
    this.#node.cgroups.weigh(this.holding());
    for (const worker of this.#workers.values()) worker.wakeDeferred();
  }

  removed(uid: string): void {
    this.#workers.get(uid)?.removed();
  }

  /** Whether something of it may still run. */
  has(uid: string): boolean {
    return this.#workers.has(uid);
  }

  runtimeChanged(uid: string): void {
    const worker = this.#workers.get(uid);
    if (worker !== undefined) worker.wake();
    // What the runtime went on making for a pod that was deleted meanwhile.
    else if (this.#cleaned && !this.#orphans.has(uid) && this.#node.cache.podUids().includes(uid))
      this.#node.scope.run('orphan', () => this.#removeOrphan(uid));
  }

  /** False when it is ending already, or gone. */
  end(uid: string, how: PodEnd): boolean {
    return this.#workers.get(uid)?.end(how) === true;
  }

  objectsChanged(uid: string): void {
    this.#workers.get(uid)?.objectsChanged();
  }

  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake();
  }

  stop(): void {
    for (const worker of this.#workers.values()) worker.stop();
  }

  /** Removes what no pod of the API owns. Only sandboxes that this node made are looked at. */
  async cleanUp(): Promise<void> {
    const { cache, cgroups, volumes } = this.#node;
    const orphans = cache.podUids().filter((uid) => !this.#workers.has(uid) && !this.#orphans.has(uid));
    await Promise.all(orphans.map((uid) => this.#removeOrphan(uid)));
    for (const uid of cgroups.list()) if (!this.#known(uid)) await cgroups.remove(uid);
    for (const uid of await volumes.list()) if (!this.#known(uid)) await volumes.remove(uid);
    await this.#removeOldLogs();
    this.#cleaned = true;
  }

  #known(uid: string): boolean {
    return this.#workers.has(uid) || this.#orphans.has(uid) || this.#node.cache.podUids().includes(uid);
  }

  /** Resolves after the first try. One that fails, as while the runtime is away, is followed by others. */
  async #removeOrphan(uid: string, backoff = new Backoff(orphanRetry)): Promise<void> {
    const { clock, cache, log, scope } = this.#node;
    this.#orphans.add(uid);
    try {
      await this.#tryToRemove(uid);
      this.#orphans.delete(uid);
    } catch (error) {
      if (scope.signal.aborted) return;
      log.warn('cannot remove what is left of a pod, trying again', { uid, error });
      scope.run('orphan', async (signal) => {
        await sleep(clock, backoff.nextMs(), signal);
        await cache.relist().catch(() => {});
        await this.#removeOrphan(uid, backoff);
      });
    }
  }

  async #tryToRemove(uid: string): Promise<void> {
    const { cache, runtime, log, stops } = this.#node;
    const { sandboxes, containers } = cache.get(uid);
    log.info('removing containers of a pod that no longer exists', { uid, containers: containers.length });
    await Promise.all(
      containers
        .filter((c) => c.state === 'running')
        .map((c) => runtime.stopContainer(c.id, Number(c.annotations[annotation.podGracePeriod] ?? 30))),
    );
    for (const { id } of sandboxes) {
      await stops.run(() => runtime.removePodSandbox(id));
      cache.removeSandbox(uid, id);
    }
    await this.#node.cgroups.remove(uid);
    await this.#node.volumes.remove(uid);
  }

  /** A pod's logs outlive it by a moment, so that what was said last can still be read. */
  async #removeOldLogs(): Promise<void> {
    const dir = path.join(this.#node.logDir, 'pods');
    for (const name of await fs.readdir(dir).catch(() => [])) {
      const uid = name.slice(name.lastIndexOf('_') + 1);
      if (!this.#known(uid)) await fs.rm(path.join(dir, name), { recursive: true, force: true });
    }
  }

  #withStatus(pod: Pod): Pod {
    const status = this.#node.statuses.get(pod.metadata.uid);
    return status === undefined ? pod : { ...pod, status };
  }
}
