// What each way of updating an object may change: the whole object, its status, or what a subresource is for. applyUpdate runs
// them in its one order of steps.
import type { Causes, HookContext, KindDef, KubeObject } from '../../machinery/index.ts';

export interface UpdateRules {
  /** As admission and messages name it; '' = the object itself. */
  readonly subresource: string;
  /** Takes over from `old` what this way may not change, and what the server knows better. Mutates `object`. */
  readonly prepare: (kind: KindDef, object: KubeObject, old: KubeObject, context: HookContext) => void;
  /** Pure. */
  readonly validate: (kind: KindDef, object: KubeObject, old: KubeObject, causes: Causes) => void;
  /** What of an object such a write may own in managedFields. 'nothing' = owners are not noted. */
  readonly owns: 'whole' | 'status' | 'nothing';
  /** The objects come with their owners noted. */
  readonly noted?: boolean;
  /** A write of desired state: it raises the generation, may need cluster IPs, and warns its author. */
  readonly desired: boolean;
}

const loose = (object: KubeObject) => object as unknown as Record<string, unknown>;

/** Makes a member what it is in `from`, absence included. */
export function carry<K extends string>(
  to: Partial<Record<K, unknown>>,
  from: Partial<Record<K, unknown>>,
  field: K,
): void {
  if (from[field] === undefined) delete to[field];
  else to[field] = from[field];
}

export const wholeObject: UpdateRules = {
  subresource: '',
  prepare(kind, object, old, context) {
    if (kind.subresources.status) carry(loose(object), loose(old), 'status');
    kind.prepareUpdate?.(object, old, context);
  },
  validate: (kind, object, old, causes) => kind.validate?.(object, old, causes),
  owns: 'whole',
  desired: true,
};

export const statusOnly: UpdateRules = {
  subresource: 'status',
  prepare(kind, object, old, context) {
    for (const field of kind.schema.fields.keys())
      if (field !== 'status' && field !== 'metadata') carry(loose(object), loose(old), field);
    kind.prepareStatus?.(object, old, context);
  },
  validate: (kind, object, old, causes) => kind.validateStatus?.(object, old, causes),
  owns: 'status',
  desired: false,
};

/** For a subresource whose own code builds the new object from the current one. */
export const builtByCode = (subresource: string): UpdateRules => ({
  subresource,
  prepare() {},
  validate() {},
  owns: 'nothing',
  desired: false,
});
