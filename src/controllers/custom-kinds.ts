// The kinds that custom resource definitions add while the cluster runs, for controllers that work on objects of every kind.
import { bareKind, type CustomResourceDefinition, isEstablished } from '../api/index.ts';
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
