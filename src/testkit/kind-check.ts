// Runs one kind's hooks over plain bodies, in the order of the registry but without a server.
import {
  Causes,
  decodeObject,
  type KindDef,
  type KubeObject,
  validateObjectMeta,
} from '../machinery/index.ts';

const context = { nowMs: Date.UTC(2026, 0, 1) };

/** What the registry makes of a body before hooks see it: the stored form, with defaults. */
export function settleBody(kind: KindDef, body: object, unknown: string[] = []): KubeObject {
  const object = decodeObject(kind.schema, body, unknown) as unknown as KubeObject;
  object.apiVersion = kind.apiVersion;
  object.kind = kind.kind;
  object.metadata ??= {} as KubeObject['metadata'];
  const stored = kind.conversion === null ? object : kind.conversion.toStored(object);
  kind.defaults?.(stored);
  return stored;
}

const named = (kind: KindDef, body: { metadata?: object }): object => ({
  ...body,
  metadata: { name: 'a', ...(kind.scope === 'Namespaced' && { namespace: 'b' }), ...body.metadata },
});

/** The object as a create would store it. Name and namespace are filled in. */
export function created<T extends KubeObject>(kind: KindDef<T>, body: object): T {
  const object = settleBody(kind as unknown as KindDef, named(kind as unknown as KindDef, body)) as T;
  kind.prepareCreate?.(object, context);
  return object;
}

/** The object as an update of `old` would store it. */
export function updated<T extends KubeObject>(kind: KindDef<T>, old: T, body: object): T {
  const object = settleBody(kind as unknown as KindDef, named(kind as unknown as KindDef, body)) as T;
  if (kind.subresources.status && 'status' in old) Object.assign(object, { status: old.status });
  kind.prepareUpdate?.(object, old, context);
  return object;
}

/** What the rules say of an object, or of its change from `old`: `field: message`. */
export function complaints<T extends KubeObject>(kind: KindDef<T>, object: T, old?: T): string[] {
  const causes = new Causes();
  validateObjectMeta(
    object.metadata,
    { namespaced: kind.scope === 'Namespaced', nameRule: kind.nameRule },
    causes,
  );
  kind.validate?.(object, old, causes);
  return causes.list.map((c) => `${c.field}: ${c.message}`);
}
