// What the pods of each node refer to, kept in step with the store: the graph of Kubernetes' node authorizer. HOT (bench/authorize.ts):
// a question is two map look-ups. The choice: references are counted a node, since several pods share most of them, and followed from
// the store itself, so that a pod and the rights it brings are seen in the same instant. Nothing is kept until the first question.
import { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/index.ts';
import type { Store, StoreEvent } from '../../storage/index.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import { type ReferenceKind, referenceKey, referencesOfPod, volumeNamesSecret } from './pod-references.ts';

/** One object that pods of one node refer to. */
interface Reference {
  readonly key: string;
  /** How many of them. */
  count: number;
}

interface BoundPod {
  readonly node: string;
  readonly references: readonly Reference[];
}

export class NodeRelations {
  readonly #store: Store;
  /** By the key of the pod in the store. */
  #pods = new Map<string, BoundPod>();
  #nodes = new Map<string, Map<string, Reference>>();
  #following = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether a pod bound to the node refers to the object, itself or by way of its claim and that claim's volume. */
  isRelated(
    node: string,
    kind: ReferenceKind,
    { namespace, name }: { namespace: string; name: string },
  ): boolean {
    if (!this.#following) this.#follow();
    const references = this.#nodes.get(node);
    if (references === undefined) return false;
    if (references.has(referenceKey(kind, namespace, name))) return true;
    return kind === 'secrets' && this.#isOfVolume(references, namespace, name);
  }

  /** Rare, and asked last: volumes of drivers that need a secret on the node. */
  #isOfVolume(references: ReadonlyMap<string, Reference>, namespace: string, name: string): boolean {
    for (const reference of references.keys()) {
      const [kind, ofNamespace = '', claimName = ''] = reference.split('/');
      if (kind !== 'persistentvolumeclaims') continue;
      const claim = this.#store.get(keyFor(PersistentVolumeClaim, ofNamespace, claimName));
      const volumeName =
        claim === undefined ? undefined : objectOf<PersistentVolumeClaim>(claim).spec?.volumeName;
      if (!volumeName) continue;
      const volume = this.#store.get(keyFor(PersistentVolume, undefined, volumeName));
      if (volume !== undefined && volumeNamesSecret(objectOf<PersistentVolume>(volume), namespace, name))
        return true;
    }
    return false;
  }

  #follow(): void {
    const store = this.#store;
    this.#pods = new Map();
    this.#nodes = new Map();
    const { revision } = store;
    for (const entry of store.list(Pod.storagePrefix)) this.#put(entry.key, objectOf<Pod>(entry));
    store.watch(Pod.storagePrefix, revision, {
      onEvents: (events) => this.#take(events),
      // The next question starts anew.
      onLost: () => {
        this.#following = false;
      },
    });
    this.#following = true;
  }

  #take(events: readonly StoreEvent[]): void {
    for (const { type, entry } of events)
      if (type === 'delete') this.#drop(entry.key);
      else this.#put(entry.key, objectOf<Pod>(entry));
  }

  #put(key: string, pod: Pod): void {
    const { nodeName } = pod.spec;
    const known = this.#pods.get(key);
    if (!nodeName) {
      if (known !== undefined) this.#drop(key);
      return;
    }
    // All that a bound pod can still gain is an ephemeral container, or a claim on devices.
    const mayGain = pod.spec.ephemeralContainers?.length || pod.spec.resourceClaims?.length;
    if (known !== undefined && known.node === nodeName && !mayGain) return;
    this.#drop(key);
    let ofNode = this.#nodes.get(nodeName);
    if (ofNode === undefined) this.#nodes.set(nodeName, (ofNode = new Map()));
    const references: Reference[] = [];
    for (const text of referencesOfPod(pod)) {
      let reference = ofNode.get(text);
      if (reference === undefined) ofNode.set(text, (reference = { key: text, count: 0 }));
      reference.count++;
      references.push(reference);
    }
    this.#pods.set(key, { node: nodeName, references });
  }

  #drop(key: string): void {
    const known = this.#pods.get(key);
    if (known === undefined) return;
    this.#pods.delete(key);
    const ofNode = this.#nodes.get(known.node);
    for (const reference of known.references) if (--reference.count === 0) ofNode?.delete(reference.key);
    if (ofNode?.size === 0) this.#nodes.delete(known.node);
  }
}
