// From the claims that pods name to the volumes behind them. The choice: asked for by name when a pod first starts, as the kubelet does, and
// kept for as long as the pod is here: neither can change once they are bound.
import {
  type coreV1,
  PersistentVolume,
  PersistentVolumeClaim,
  type Pod,
  type SelectableNode,
} from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import { VolumeError } from './volume-error.ts';
import { claimOfVolume, planPersistentVolume, type VolumeSource, volumeNameOf } from './volume-source.ts';

export interface ClaimsOptions {
  readonly client: Client;
  /** This node, as the API shows it; undefined = not seen yet. */
  node(): SelectableNode | undefined;
}

export interface ClaimedSource {
  /** Of the PersistentVolume. */
  readonly name: string;
  readonly source: VolumeSource;
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class Claims {
  readonly #options: ClaimsOptions;
  /** By pod uid, then by the name of the volume in the pod. */
  readonly #known = new Map<string, Map<string, ClaimedSource>>();

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /**
   * What is to be mounted for a volume of the pod; undefined = it names no claim. `isInUse` says whether the pod has had that
   * PersistentVolume before. Rejects with a VolumeError, by way of `onName` when the PersistentVolume is known already.
   */
  async find(
    pod: Pod,
    volume: coreV1.Volume,
    hooks: { isInUse(volumeName: string): Promise<boolean>; onName(volumeName: string): void },
  ): Promise<VolumeSource | undefined> {
    const named = claimOfVolume(pod, volume);
    if (named === undefined) return undefined;
    const { uid, namespace = '' } = pod.metadata;
    const known = this.#known.get(uid)?.get(volume.name);
    if (known !== undefined) {
      hooks.onName(known.name);
      return known.source;
    }
    const fail = (why: string) =>
      new VolumeError(`error processing PVC ${namespace}/${named.name}: ${why}`, 'process');
    const { client, node } = this.#options;
    const claim = await client(PersistentVolumeClaim)
      .get(named.name, namespace)
      .catch((error: unknown) => {
        throw fail(`failed to fetch PVC from API server: ${said(error)}`);
      });
    const inUse = claim.spec.volumeName ? await hooks.isInUse(claim.spec.volumeName) : false;
    const name = volumeNameOf({ pod, volume, claim, inUse });
    const found = await client(PersistentVolume)
      .get(name)
      .catch((error: unknown) => {
        throw fail(`failed to fetch PV ${name} from API server: ${said(error)}`);
      });
    hooks.onName(name);
    const source = planPersistentVolume({ pod, volume, claim, found, node: node() });
    let ofPod = this.#known.get(uid);
    if (ofPod === undefined) this.#known.set(uid, (ofPod = new Map()));
    ofPod.set(volume.name, { name, source });
    return source;
  }

  /** What `find` found; undefined = it was not asked, or could not tell. */
  known(uid: string, volumeName: string): VolumeSource | undefined {
    return this.#known.get(uid)?.get(volumeName)?.source;
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }
}
