// Volumes and claims as the scheduler counts on them: what the server says, and on top of it what has been promised to pods that were
// decided but are not bound yet. One for all profiles, so that none promises what another has.
import {
  compileNodeSelectorTerms,
  type NodeTest,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  selectedNodeAnnotation,
  storageClassOf,
} from '../../api/index.ts';
import { keyOf } from '../../machinery/index.ts';
import type { ClusterView, PluginContext, Watched } from '../plugin.ts';

const anyNode: NodeTest = () => true;
const tests = new WeakMap<PersistentVolume, NodeTest>();

/** Which nodes reach the volume. */
export function reachOf(volume: PersistentVolume): NodeTest {
  let test = tests.get(volume);
  if (test === undefined) {
    const terms = volume.spec.nodeAffinity?.required?.nodeSelectorTerms;
    tests.set(volume, (test = terms === undefined ? anyNode : compileNodeSelectorTerms(terms)));
  }
  return test;
}

export const isReachedByAll = (volume: PersistentVolume): boolean => reachOf(volume) === anyNode;

/** What is so as long as somebody holds it. Several may: pods that share a claim go the same way. */
class Holds {
  readonly #held = new Map<string, { readonly value: string; holders: number }>();

  get(key: string): string | undefined {
    return this.#held.get(key)?.value;
  }

  /** Keeps what others hold already. Returns what lets go, once. */
  hold(key: string, value: string): () => void {
    const held = this.#held.get(key) ?? { value, holders: 0 };
    this.#held.set(key, held);
    held.holders++;
    let mine = true;
    return () => {
      if (mine && --held.holders === 0) this.#held.delete(key);
      mine = false;
    };
  }
}

const stocks = new WeakMap<ClusterView, VolumeStock>();

export class VolumeStock {
  readonly #volumes: Watched<PersistentVolume>;
  readonly #claims: Watched<PersistentVolumeClaim>;
  readonly #classes: Watched<StorageClass>;
  readonly #byClass = new Map<string, Map<string, PersistentVolume>>();
  /** Volumes by name, each with the key of the claim it is promised to. */
  readonly #promised = new Holds();
  /** The same the other way round. */
  readonly #promises = new Holds();
  /** Claims by key, each with the node on which a volume shall be made for it. */
  readonly #selected = new Holds();
  readonly #listeners = new Set<() => void>();

  /** The one of this scheduler. */
  static of(context: PluginContext): VolumeStock {
    let stock = stocks.get(context.cluster);
    if (stock === undefined) stocks.set(context.cluster, (stock = new VolumeStock(context)));
    return stock;
  }

  private constructor(context: PluginContext) {
    this.#volumes = context.watch(PersistentVolume);
    this.#claims = context.watch(PersistentVolumeClaim);
    this.#classes = context.watch(StorageClass);
    const tell = () => {
      for (const listener of [...this.#listeners]) listener();
    };
    this.#volumes.onChange({
      added: (volume) => {
        this.#put(volume);
        tell();
      },
      updated: (old, volume) => {
        if (storageClassOf(old) !== storageClassOf(volume)) this.#drop(old);
        this.#put(volume);
        tell();
      },
      deleted: (volume) => {
        this.#drop(volume);
        tell();
      },
    });
    this.#claims.onChange({ added: tell, updated: tell, deleted: tell });
  }

  #put(volume: PersistentVolume): void {
    const name = storageClassOf(volume);
    let ofClass = this.#byClass.get(name);
    if (ofClass === undefined) this.#byClass.set(name, (ofClass = new Map()));
    ofClass.set(volume.metadata.name, volume);
  }

  #drop(volume: PersistentVolume): void {
    const name = storageClassOf(volume);
    const ofClass = this.#byClass.get(name);
    ofClass?.delete(volume.metadata.name);
    if (ofClass?.size === 0) this.#byClass.delete(name);
  }

  volume(name: string): PersistentVolume | undefined {
    return this.#volumes.get(name);
  }

  claim(key: string): PersistentVolumeClaim | undefined {
    return this.#claims.get(key);
  }

  storageClass(name: string): StorageClass | undefined {
    return this.#classes.get(name);
  }

  /** All of a class, whoever has them. */
  ofClass(name: string): Iterable<PersistentVolume> {
    return this.#byClass.get(name)?.values() ?? [];
  }

  /** Whether a pod has been promised the volume for another claim. */
  isPromised(volume: string, claimKey: string): boolean {
    const to = this.#promised.get(volume);
    return to !== undefined && to !== claimKey;
  }

  /** The volume that a pod with that claim has been promised. */
  promisedTo(claimKey: string): PersistentVolume | undefined {
    const name = this.#promises.get(claimKey);
    return name === undefined ? undefined : this.volume(name);
  }

  /** Where a volume is to be made for the claim; undefined = that is open. */
  selectedNode(claim: PersistentVolumeClaim): string | undefined {
    return this.#selected.get(keyOf(claim)) ?? claim.metadata.annotations?.[selectedNodeAnnotation];
  }

  /** Returns what takes the promise back. */
  promise(volume: string, claimKey: string): () => void {
    const ends = [this.#promised.hold(volume, claimKey), this.#promises.hold(claimKey, volume)];
    return () => {
      for (const end of ends) end();
    };
  }

  /** Returns what takes the choice back. */
  select(claimKey: string, node: string): () => void {
    return this.#selected.hold(claimKey, node);
  }

  /** Called after each change of a volume or claim. Returns what ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
