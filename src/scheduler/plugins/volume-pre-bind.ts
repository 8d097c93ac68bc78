// Before a pod is bound its volumes are: the scheduler reserves volumes and says where others shall be made, the volume controller does
// the rest, and this waits for it.
import {
  isFullyBound,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  patchToBindVolume,
  selectedNodeAnnotation,
} from '../../api/index.ts';
import { sleep } from '../../base/index.ts';
import { keyOf } from '../../machinery/index.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PluginContext, Watched } from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';
import type { Binding } from './volume-search.ts';
import { reachOf, type VolumeStock } from './volume-stock.ts';

export interface VolumeTask {
  readonly pod: PodInfo;
  readonly node: NodeInfo;
  readonly bindings: readonly Binding[];
  readonly provisions: readonly PersistentVolumeClaim[];
}

const quoted = (text: string): string => JSON.stringify(text);

export class VolumePreBind {
  readonly #context: PluginContext;
  readonly #stock: VolumeStock;
  readonly #pods: Watched<Pod>;
  readonly #timeoutMs: number;

  constructor(context: PluginContext, stock: VolumeStock, timeoutMs: number) {
    this.#context = context;
    this.#stock = stock;
    this.#pods = context.watch(Pod);
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves when every claim is bound. Rejects when that failed, and the pod must be decided anew. */
  async run(task: VolumeTask, signal: AbortSignal): Promise<void> {
    const revisions = await this.#write(task, signal);
    try {
      await this.#wait(task, revisions, signal);
    } catch (cause) {
      throw new Error(`binding volumes: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
  }

  /** Returns the revisions of what was written, by name of volume and key of claim. */
  async #write(
    { node, bindings, provisions }: VolumeTask,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, number>> {
    const { client } = this.#context;
    const revisions = new Map<string, number>();
    for (const { volume, claim } of bindings) {
      const patch = patchToBindVolume(volume, claim);
      if (patch === undefined) continue;
      signal.throwIfAborted();
      const { name } = volume.metadata;
      const written = await client(PersistentVolume).patch({ name }, 'merge', patch);
      revisions.set(name, Number(written.metadata.resourceVersion));
    }
    for (const claim of provisions) {
      const { name, namespace, resourceVersion, annotations } = claim.metadata;
      if (annotations?.[selectedNodeAnnotation] === node.name) continue;
      signal.throwIfAborted();
      const written = await client(PersistentVolumeClaim).patch({ name, namespace }, 'merge', {
        metadata: { resourceVersion, annotations: { [selectedNodeAnnotation]: node.name } },
      });
      revisions.set(keyOf(claim), Number(written.metadata.resourceVersion));
    }
    return revisions;
  }

  async #wait(task: VolumeTask, revisions: ReadonlyMap<string, number>, signal: AbortSignal): Promise<void> {
    if (this.#isDone(task, revisions)) return;
    const done = new AbortController();
    const { promise, resolve, reject } = settled();
    const check = () => {
      try {
        if (this.#isDone(task, revisions)) resolve();
      } catch (error) {
        reject(error);
      }
    };
    const end = this.#stock.onChange(check);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const either = AbortSignal.any([signal, done.signal]);
    const watchPod = this.#everySecond(check, either);
    const timeout = sleep(this.#context.clock, this.#timeoutMs, either).then(
      () => reject(new Error('context deadline exceeded')),
      () => {},
    );
    try {
      await promise;
    } finally {
      end();
      signal.removeEventListener('abort', onAbort);
      done.abort();
      await Promise.all([timeout, watchPod]);
    }
  }

  /** What happens to the pod and its node is no change of a volume. */
  async #everySecond(check: () => void, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await sleep(this.#context.clock, 1000, signal);
        check();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Throws when it will not come about. */
  #isDone({ pod, node, bindings, provisions }: VolumeTask, revisions: ReadonlyMap<string, number>): boolean {
    if (this.#pods.get(pod.key)?.metadata.uid !== pod.uid)
      throw new Error(`pod does not exist any more: pod ${quoted(pod.pod.metadata.name)} not found`);
    const isOld = (key: string, { metadata }: { metadata: { resourceVersion: string } }) =>
      Number(metadata.resourceVersion) < (revisions.get(key) ?? 0);
    for (const { volume, claim } of bindings) {
      const { name } = volume.metadata;
      const now = this.#stock.volume(name);
      if (now === undefined)
        throw new Error(`failed to check binding: persistentvolume ${quoted(name)} not found`);
      const owner = this.#claim(claim, 'failed to check binding');
      if (isOld(name, now)) return false;
      this.#checkReach(now, node);
      if (!now.spec.claimRef?.uid) throw new Error(`ClaimRef got reset for pv ${quoted(name)}`);
      if (!isFullyBound(owner)) return false;
    }
    for (const claim of provisions) {
      const now = this.#claim(claim, 'failed to check provisioning pvc');
      if (isOld(keyOf(claim), now)) return false;
      // Whoever could not make it takes the node back.
      if (now.metadata.annotations?.[selectedNodeAnnotation] !== node.name)
        throw new Error(`provisioning failed for PVC ${quoted(claim.metadata.name)}`);
      if (now.spec.volumeName) {
        const volume = this.#stock.volume(now.spec.volumeName);
        if (volume === undefined) return false;
        this.#checkReach(volume, node);
      }
      if (!isFullyBound(now)) return false;
    }
    return true;
  }

  #claim(claim: PersistentVolumeClaim, context: string): PersistentVolumeClaim {
    const now = this.#stock.claim(keyOf(claim));
    if (now === undefined || now.metadata.uid !== claim.metadata.uid)
      throw new Error(`${context}: persistentvolumeclaim ${quoted(claim.metadata.name)} not found`);
    return now;
  }

  #checkReach(volume: PersistentVolume, node: NodeInfo): void {
    if (!reachOf(volume)(node))
      throw new Error(
        `pv ${quoted(volume.metadata.name)} node affinity doesn't match node ${quoted(node.name)}: no matching NodeSelectorTerms`,
      );
  }
}

function settled(): { promise: Promise<void>; resolve: () => void; reject: (why: unknown) => void } {
  let resolve = (): void => {};
  let reject = (_: unknown): void => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // It may fail before anybody waits.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
