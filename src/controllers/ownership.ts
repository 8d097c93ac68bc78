// Whose is it: which objects a controller owns, which orphans it takes, which it lets go. The decision is pure; what acts asks the
// server first, since a cache may not know yet that the owner is gone.
import {
  controllerOf,
  isNotFound,
  type KindDef,
  type KubeObject,
  keyOf,
  semanticEqual,
} from '../machinery/index.ts';
import { type ControllerContext, maps, type Watch } from './framework/index.ts';
import { adoptPatch, releasePatch } from './pod-facts.ts';

/** The index of objects that nobody manages, by namespace. One function: controllers share informers, and with them their indexes. */
const orphans = 'withoutController';
const namespaceOfOrphan = (object: KubeObject): readonly string[] =>
  controllerOf(object) === undefined ? [object.metadata.namespace!] : [];

/** What an owner finds, sorted. */
export interface Claims<T> {
  readonly owned: readonly T[];
  /** Orphans that fit and become the owner's. */
  readonly adopt: readonly T[];
  /** Owned, but they do not fit any more. */
  readonly release: readonly T[];
}

/** Objects on their way out are neither adopted nor released; an owner on its way out does neither. */
export function claim<T extends KubeObject>(
  owner: KubeObject,
  objects: readonly T[],
  fits: (object: T) => boolean,
): Claims<T> {
  const owned: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  const ending = owner.metadata.deletionTimestamp !== undefined;
  for (const object of objects) {
    const manager = controllerOf(object);
    const going = ending || object.metadata.deletionTimestamp !== undefined;
    if (manager?.uid === owner.metadata.uid) {
      if (fits(object)) owned.push(object);
      else if (!going) release.push(object);
    } else if (manager === undefined && !going && fits(object)) adopt.push(object);
  }
  return { owned, adopt, release };
}

/** Wakes the owners that might adopt an object: those of its namespace for which `fits` says so. */
export function mapsOrphans<O extends KubeObject, T extends KubeObject>(
  ownerKind: KindDef<O>,
  kind: KindDef<T>,
  fits: (owner: O, object: T) => boolean,
): Watch {
  return maps(
    kind,
    (object, lister) => {
      if (object.metadata.labels === undefined || controllerOf(object) !== undefined) return [];
      const { namespace } = object.metadata;
      return lister(ownerKind)
        .list(namespace)
        .filter((owner) => fits(owner, object))
        .map(keyOf);
    },
    {
      when: (old, object) =>
        controllerOf(old)?.uid !== controllerOf(object)?.uid ||
        !semanticEqual(old.metadata.labels, object.metadata.labels),
    },
  );
}

/** Everything of the owner's namespace that it or nobody manages, from memory. Call it during `build`. */
export function ownedOrOrphaned<T extends KubeObject>(
  { informer }: Pick<ControllerContext, 'informer'>,
  kind: KindDef<T>,
): (owner: KubeObject) => readonly T[] {
  const objects = informer(kind);
  objects.addIndex(orphans, namespaceOfOrphan);
  return ({ metadata }) => [
    ...objects.byIndex('byController', metadata.uid),
    ...objects.byIndex(orphans, metadata.namespace!),
  ];
}

export interface Ownership<O extends KubeObject, T extends KubeObject> {
  readonly owner: O;
  readonly ownerKind: KindDef<O>;
  readonly kind: KindDef<T>;
}

/**
 * Adopts and releases. Asks the server before it adopts: what is adopted by an owner that has been deleted meanwhile would be
 * collected with it. Throws when the owner is on its way out.
 */
export async function settleOwnership<O extends KubeObject, T extends KubeObject>(
  { client }: Pick<ControllerContext, 'client'>,
  { owner, ownerKind, kind }: Ownership<O, T>,
  claims: Pick<Claims<T>, 'adopt' | 'release'>,
): Promise<void> {
  const { name, namespace, uid } = owner.metadata;
  const patch = async (object: T, body: object): Promise<void> => {
    await client(kind)
      .patch({ name: object.metadata.name, namespace }, 'strategic', body)
      .catch(ignoreNotFound);
  };
  if (claims.adopt.length > 0) {
    const fresh = await client(ownerKind).get(name, namespace);
    if (fresh.metadata.uid !== uid || fresh.metadata.deletionTimestamp !== undefined)
      throw new Error(`${namespace}/${name} is being deleted and adopts no ${kind.plural}`);
  }
  for (const object of claims.adopt) await patch(object, adoptPatch(owner, object));
  for (const object of claims.release) await patch(object, releasePatch(owner, object));
}

/** Gone meanwhile is success. */
export const ignoreNotFound = (error: unknown): void => {
  if (!isNotFound(error)) throw error;
};
