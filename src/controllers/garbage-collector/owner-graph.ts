// Who owns whom, over every kind: what informers hold, with an index by the uid of owners. Objects of all kinds share one queue, so
// their keys name the kind too. A kind may be served anew in another way: the last informer added for it is the one that is asked.
import type { Informer } from '../../client/index.ts';
import { type KindDef, type KubeObject, keyOf, type OwnerReference } from '../../machinery/index.ts';

export interface Member {
  readonly kind: KindDef;
  readonly object: KubeObject;
}

const byOwner = 'byOwner';

export class OwnerGraph {
  readonly #informers = new Set<Informer>();
  readonly #byId = new Map<string, Informer>();

  get informers(): ReadonlySet<Informer> {
    return this.#informers;
  }

  add(informer: Informer): void {
    informer.addIndex(byOwner, (object) => (object.metadata.ownerReferences ?? []).map((o) => o.uid));
    this.#informers.add(informer);
    this.#byId.set(idOf(informer.kind), informer);
  }

  remove(informer: Informer): void {
    this.#informers.delete(informer);
    const id = idOf(informer.kind);
    if (this.#byId.get(id) === informer) this.#byId.delete(id);
  }

  /** Those that name an owner of this uid. */
  dependentsOf(uid: string): Member[] {
    const out: Member[] = [];
    for (const informer of this.#informers)
      for (const object of informer.byIndex(byOwner, uid)) out.push({ kind: informer.kind, object });
    return out;
  }

  /** Those that name an owner of this kind, in whatever version. */
  dependentsOfKind({ group, kind }: KindDef): Member[] {
    const isOf = (owner: OwnerReference) => owner.kind === kind && groupOf(owner.apiVersion) === group;
    const out: Member[] = [];
    for (const informer of this.#informers)
      for (const object of informer.list())
        if (object.metadata.ownerReferences?.some(isOf)) out.push({ kind: informer.kind, object });
    return out;
  }

  /** Where an owner is to be looked for; undefined = its kind is not served. */
  informerOf(owner: OwnerReference): Informer | undefined {
    return this.#byId.get(idOf({ group: groupOf(owner.apiVersion), kind: owner.kind }));
  }

  /** By name: its uid may be another's. Owners live in the same namespace, or have none. */
  find(owner: OwnerReference, namespace: string | undefined): Member | undefined {
    const informer = this.informerOf(owner);
    const object = informer?.get(
      informer.kind.scope === 'Namespaced' ? `${namespace}/${owner.name}` : owner.name,
    );
    return informer === undefined || object === undefined ? undefined : { kind: informer.kind, object };
  }

  /** What `keyFor` names; undefined = it is gone. */
  at(key: string): Member | undefined {
    const mark = key.indexOf('|');
    const informer = this.#byId.get(key.slice(0, mark));
    const object = informer?.get(key.slice(mark + 1));
    return informer === undefined || object === undefined ? undefined : { kind: informer.kind, object };
  }
}

export const keyFor = ({ kind, object }: Member): string => `${idOf(kind)}|${keyOf(object)}`;

/** Who is meant by a reference: kind in whatever version, where (undefined = a kind without namespaces), name and uid. */
export const identityOf = (
  { apiVersion, kind, name, uid }: Pick<OwnerReference, 'apiVersion' | 'kind' | 'name' | 'uid'>,
  namespace: string | undefined,
): string => `${idOf({ group: groupOf(apiVersion), kind })}|${namespace ?? ''}|${name}|${uid}`;

const idOf = ({ group, kind }: Pick<KindDef, 'group' | 'kind'>): string => `${kind}.${group}`;

function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}
