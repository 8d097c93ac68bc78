// What both sides of the binding see and share: volumes, claims and classes from memory, what was written on top, and how it is written
// and said.
import {
  claimKeyOf,
  defaultStorageClass,
  isTerminal,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
  storageClassOf,
} from '../../api/index.ts';
import type { Informer, Lister } from '../../client/index.ts';
import { isNotFound, keyOf } from '../../machinery/index.ts';
import { indexPodByClaim, podsByClaim } from '../claim-users.ts';
import type { ControllerContext } from '../framework/index.ts';
import type { Saying } from './claim-plan.ts';
import { Newest } from './newest.ts';

/** Volumes by the claim (`namespace/name`) that they name; volumes without one by class. */
export const volumesByClaim = 'volumesByClaim';
export const freeByClass = 'freeByClass';
/** Claims by the volume that they name; those that name none by class. */
export const claimsByVolume = 'claimsByVolume';
export const unboundByClass = 'unboundByClass';

const byClaim = (volume: PersistentVolume): readonly string[] => {
  const key = claimKeyOf(volume);
  return key === undefined ? [] : [key];
};
const byFreeClass = (volume: PersistentVolume): readonly string[] =>
  volume.spec.claimRef === undefined ? [storageClassOf(volume)] : [];
const byVolume = ({ spec }: PersistentVolumeClaim): readonly string[] =>
  spec.volumeName ? [spec.volumeName] : [];
const byUnboundClass = (claim: PersistentVolumeClaim): readonly string[] =>
  claim.spec.volumeName ? [] : [storageClassOf(claim)];

/** The same thing about the same object is said again only after this long. */
const repeatAfterMs = 15_000;

export class Storage {
  readonly volumes: Newest<PersistentVolume>;
  readonly claims: Newest<PersistentVolumeClaim>;
  readonly #classes: Lister<StorageClass>;
  readonly #pods: Informer<Pod>;
  readonly #context: ControllerContext;
  /** By uid. */
  readonly #said = new Map<string, { readonly text: string; readonly atMs: number }>();

  constructor(context: ControllerContext) {
    this.#context = context;
    const volumes = context.informer(PersistentVolume);
    volumes.addIndex(volumesByClaim, byClaim);
    volumes.addIndex(freeByClass, byFreeClass);
    const claims = context.informer(PersistentVolumeClaim);
    claims.addIndex(claimsByVolume, byVolume);
    claims.addIndex(unboundByClass, byUnboundClass);
    claims.onChange({ deleted: ({ metadata }) => this.#said.delete(metadata.uid) });
    volumes.onChange({ deleted: ({ metadata }) => this.#said.delete(metadata.uid) });
    this.volumes = new Newest(volumes);
    this.claims = new Newest(claims);
    this.#classes = context.lister(StorageClass);
    this.#pods = context.informer(Pod);
    this.#pods.addIndex(podsByClaim, indexPodByClaim);
  }

  storageClass(name: string): StorageClass | undefined {
    return this.#classes.get(name);
  }

  defaultClass(): StorageClass | undefined {
    return defaultStorageClass(this.#classes.list());
  }

  waitingPods(claimKey: string): readonly string[] {
    return this.#pods
      .byIndex(podsByClaim, claimKey)
      .filter((pod) => !pod.spec.nodeName && !isTerminal(pod))
      .map((pod) => pod.metadata.name)
      .sort();
  }

  /** What the server has now; undefined = it is not there. */
  readVolume(name: string): Promise<PersistentVolume | undefined> {
    return this.#context.client(PersistentVolume).get(name).catch(noneIfNotFound);
  }

  readClaim(key: string): Promise<PersistentVolumeClaim | undefined> {
    const [namespace, name = ''] = key.split('/') as [string, string?];
    return this.#context.client(PersistentVolumeClaim).get(name, namespace).catch(noneIfNotFound);
  }

  /** Merge patches; undefined = there is nothing to change. Each answers what is there afterwards. */
  async patchVolume(volume: PersistentVolume, patch: object | undefined, subresource = '') {
    if (patch === undefined) return volume;
    const at = { name: volume.metadata.name, subresource };
    return this.volumes.note(await this.#context.client(PersistentVolume).patch(at, 'merge', patch));
  }

  async patchClaim(claim: PersistentVolumeClaim, patch: object | undefined, subresource = '') {
    if (patch === undefined) return claim;
    const { name, namespace } = claim.metadata;
    const at = { name, namespace, subresource };
    return this.claims.note(await this.#context.client(PersistentVolumeClaim).patch(at, 'merge', patch));
  }

  say(object: PersistentVolume | PersistentVolumeClaim, { type, reason, message }: Saying): void {
    const nowMs = this.#context.clock.monotonicMs();
    const text = `${reason} ${message}`;
    const last = this.#said.get(object.metadata.uid);
    if (last?.text === text && nowMs - last.atMs < repeatAfterMs) return;
    this.#said.set(object.metadata.uid, { text, atMs: nowMs });
    this.#context.event(object, type, reason, message);
  }
}

const noneIfNotFound = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error;
};

/** Keys of claims have a slash, those of volumes have none. */
export const isClaimKey = (key: string): boolean => key.includes('/');
export const claimKey = (claim: PersistentVolumeClaim): string => keyOf(claim);
