// The kinds that custom resource definitions add while the cluster runs, for controllers that work on objects of every kind.
import { bareKind, CustomResourceDefinition, isEstablished } from '../api/index.ts';
import type { Informer, Informers } from '../client/index.ts';
import type { KindDef } from '../machinery/index.ts';

/** Informers are shared by kind, so a kind is made once, however often its definition is written. */
const made = new Map<string, KindDef>();

/** The kind as it is served now, good enough to list and delete its objects; undefined = it is not served. */
export function customKindOf(definition: CustomResourceDefinition): KindDef | undefined {
  if (!isEstablished(definition)) return undefined;
  const kind = bareKind(definition);
  if (kind === undefined) return undefined;
  const id = JSON.stringify([kind.group, kind.version, kind.kind, kind.plural, kind.scope]);
  const known = made.get(id);
  if (known === undefined) made.set(id, kind);
  return known ?? kind;
}

export interface CustomKindHandlers {
  /** Before it has synced: take indexes here. */
  added(informer: Informer): void;
  synced(informer: Informer): void;
  /** `undefinedNow`: the definition is gone, and with it every object; otherwise the kind is served in another way, or not at all. */
  removed(informer: Informer, undefinedNow: boolean): void;
}

export interface CustomKindFollower {
  /** Whether the kind is that of a custom resource that is served now. */
  has(kind: KindDef): boolean;
  /** How many kinds have not synced yet. */
  readonly syncing: number;
  /** Resolves when every kind that is known now has synced, or is gone. */
  settled(): Promise<void>;
  readonly end: () => void;
}

/** Runs an informer for each kind that is served now. Handlers are called synchronously, also for what is there already. */
export function followCustomKinds(informers: Informers, handlers: CustomKindHandlers): CustomKindFollower {
  const definitions = informers(CustomResourceDefinition);
  const served = new Map<string, Informer>();
  const syncing = new Set<Promise<void>>();
  let ended = false;

  const remove = (name: string, undefinedNow: boolean): void => {
    const informer = served.get(name);
    if (informer === undefined) return;
    served.delete(name);
    informers.drop(informer.kind);
    handlers.removed(informer, undefinedNow);
  };
  const settle = (definition: CustomResourceDefinition): void => {
    const { name } = definition.metadata;
    const kind = customKindOf(definition);
    if (served.get(name)?.kind === kind) return;
    remove(name, false);
    if (kind === undefined) return;
    const informer = informers(kind);
    served.set(name, informer);
    handlers.added(informer);
    const syncs = informer.synced
      .then(
        () => {
          if (!ended && served.get(name) === informer) handlers.synced(informer);
        },
        // It ended before: nobody waits for it any more.
        () => {},
      )
      .finally(() => syncing.delete(syncs));
    syncing.add(syncs);
  };
  const unsubscribe = definitions.onChange({
    added: settle,
    updated: (_, definition) => settle(definition),
    deleted: ({ metadata }) => remove(metadata.name, true),
  });
  return {
    has: (kind) => [...served.values()].some((informer) => informer.kind === kind),
    get syncing() {
      return syncing.size;
    },
    async settled() {
      while (syncing.size > 0) await Promise.all(syncing);
    },
    end() {
      ended = true;
      unsubscribe();
    },
  };
}
