// Objects of the store, for the parts of a server that look something up at each request: no call and no copy, what is there is shared.
import { objectOf } from '../apiserver/index.ts';
import { type KindDef, type KubeObject, storageKey } from '../machinery/index.ts';
import type { Store } from '../storage/index.ts';

export type Find = <T extends KubeObject>(
  kind: KindDef<T>,
  at: { readonly namespace?: string; readonly name: string },
) => T | undefined;

export const finder =
  (store: Store): Find =>
  <T extends KubeObject>(kind: KindDef<T>, at: Parameters<Find>[1]): T | undefined => {
    const entry = store.get(storageKey(kind as unknown as KindDef, at));
    return entry === undefined ? undefined : objectOf<T>(entry);
  };
