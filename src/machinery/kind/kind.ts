// A kind, declared once. Routes, discovery, OpenAPI, tables, storage keys, the typed client and the contract tests
// all follow from this record. Built-in kinds are listed in api/kinds.ts; custom resources make the same record.
import type { DraftMeta, KubeObject } from '../meta/object-meta.ts';
import type { ObjectSchema } from '../schema/schema.ts';
import type { Causes } from '../status/causes.ts';
import type { JsonSchema } from '../structural/json-schema.ts';
import { nameIsDnsSubdomain } from '../validation/names.ts';

export type Scope = 'Namespaced' | 'Cluster';
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** A cell of `kubectl get`. `cell` must not throw on half-filled objects. */
export interface Column<T> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown; 1 only with `-o wide`. */
  readonly priority?: 0 | 1;
  cell(object: T, now: { nowMs: number }): string | number | boolean | null;
}

/** Where the scale subresource reads and writes. Paths are dotted field names. */
export interface ScalePaths {
  readonly replicas: string;
  readonly statusReplicas: string;
  /** A path to a LabelSelector object, or to a plain label map. */
  readonly selector: string;
}

/** `none` = it can own nothing: a delete's propagation policy means nothing to it. */
export type Dependents = 'delete' | 'orphan' | 'none';

/** What a hook may know besides the objects. */
export interface HookContext {
  readonly nowMs: number;
}

/**
 * A function of a kind. Declared through a method, so that a `KindDef<Pod>` is a `KindDef`: lists of kinds and the registry
 * hand each kind only objects of its own.
 */
type Hook<Args extends unknown[], Result> = { call(...args: Args): Result }['call'];

export interface KindDef<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly scope: Scope;
  readonly schema: ObjectSchema;
  /** `apps/v1`, or `v1` in the core group. */
  readonly apiVersion: string;
  /** Every key of this kind in the store starts with it: `/apps/deployments/`. Kinds that share it are the same objects. */
  readonly storagePrefix: string;
  readonly verbs: readonly Verb[];
  readonly subresources: {
    readonly status: boolean;
    /** A create keeps the status it was given (nodes register with theirs); otherwise it starts empty. */
    readonly keepsStatusOnCreate: boolean;
    readonly scale: ScalePaths | undefined;
  };
  readonly columns: readonly Column<T>[];
  /** Field selectors besides metadata.name and metadata.namespace. */
  readonly selectableFields: Readonly<Record<string, Hook<[object: T], string>>>;
  /** Informer indexes every client of the kind may rely on. */
  readonly indexes: Readonly<Record<string, Hook<[object: T], readonly string[]>>>;
  /** Fields under which a write is desired state: a change there raises metadata.generation. Usually `['spec']`; [] = no generation. */
  readonly generationFields: readonly string[];
  /** A name must be this; the default is a DNS subdomain. */
  readonly nameRule: (name: string, prefix: boolean) => readonly string[];
  /** Fills in what the author left out. Runs on every decoded object, also on stored ones; must be idempotent. Mutates. */
  readonly defaults: Hook<[object: T], void> | null;
  /** After defaulting, before validation of a create: set or clear what authors may not choose. Mutates. Status is already cleared. */
  readonly prepareCreate: Hook<[object: T, context: HookContext], void> | null;
  /** The same for an update of the main resource. Status is already carried over from `old`. */
  readonly prepareUpdate: Hook<[object: T, old: T, context: HookContext], void> | null;
  /** For an update through the status subresource: what the report left out and the server remembers. Mutates `object`. */
  readonly prepareStatus: Hook<[object: T, old: T, context: HookContext], void> | null;
  /** Rules the schema cannot say. `old` is undefined on create. Pure. */
  readonly validate: Hook<[object: T, old: T | undefined, causes: Causes], void> | null;
  /** Rules for an update through the status subresource. Pure. */
  readonly validateStatus: Hook<[object: T, old: T, causes: Causes], void> | null;
  /** Warnings for the author (Warning headers). Pure. */
  readonly warn: Hook<[object: T, old: T | undefined], readonly string[]> | null;
  /**
   * How long a delete waits for the object to end by itself, in seconds; 0 deletes at once. Null = kind has no graceful
   * deletion. Only pods have one today. `requested` is what the caller asked for, undefined = nothing.
   */
  readonly gracePeriodSeconds: Hook<[object: T, requested: number | undefined], number> | null;
  /** Kept although it has no metadata.finalizers: namespaces wait for spec.finalizers. Null = finalizers alone decide. */
  readonly deletionHeld: Hook<[object: T], boolean> | null;
  /** Runs once, when deletionTimestamp is first set. Mutates (namespaces become Terminating). */
  readonly beginDeletion: Hook<[object: T], void> | null;
  /** A PUT to a name that does not exist creates it. */
  readonly createOnUpdate: boolean;
  /** An update may leave out the resourceVersion and then replaces whatever is there; otherwise it is refused. */
  readonly unconditionalUpdate: boolean;
  /** What becomes of the objects it owns when a delete does not say. */
  readonly dependents: Dependents;
  /** Said to who deletes one without saying what becomes of the objects it owns; '' = nothing. */
  readonly unsaidDependentsWarning: string;
  /** DELETE answers with the object instead of a Status. */
  readonly returnsDeleted: boolean;
  /** How long an object lives after its last write, in seconds; 0 = for ever. */
  readonly ttlSeconds: number;
  /** Set on a served version that is not the stored one: how its objects become stored ones and back. Pure. */
  readonly conversion: Conversion | null;
  /** Set on a version that only somebody outside can make of what is stored. Its objects are never seen as they are stored. */
  readonly translation: Translation | null;
  /** Set on custom resources: their schema is their author's, and reading by it has rules of its own. Null on built-in kinds. */
  readonly custom: CustomKind | null;
  /** What every request for the kind is warned of: `v1 ComponentStatus is deprecated in v1.19+`. Null = nothing. */
  readonly deprecation: string | null;
}

export interface CustomKind {
  /**
   * From parsed JSON to a new object, without what the schema does not know; `unknown` collects the paths of that. Throws
   * DecodeError when the metadata is none.
   */
  decode(value: unknown, unknown: string[]): KubeObject;
  /** The schema as its author wrote it, for OpenAPI. */
  readonly schema: JsonSchema;
  /** The version that its objects are written in, served or not. */
  readonly storedVersion: string;
}

/** Both directions work on plain decoded objects and return new ones. */
export interface Conversion {
  toStored(object: KubeObject): KubeObject;
  fromStored(object: KubeObject): KubeObject;
}

/**
 * A conversion that takes time: the registry waits for it whenever it reads or writes, and works on the result as if it were what is
 * stored. Both directions return new objects; they reject with a StatusError.
 */
export interface Translation {
  /** In the order of `objects`, which may be stored in several versions. */
  fromStored(objects: readonly KubeObject[]): Promise<readonly KubeObject[]>;
  toStored(object: KubeObject): Promise<KubeObject>;
  /** It would be stored in another version now: a write that changes nothing is one all the same. */
  isOutdated(stored: KubeObject): boolean;
}

/** What a kind's file writes; everything else has the usual value. */
export interface KindInput<T extends KubeObject> {
  group: string;
  version: string;
  kind: string;
  plural: string;
  scope: Scope;
  schema: ObjectSchema;
  singular?: string;
  shortNames?: readonly string[];
  categories?: readonly string[];
  verbs?: readonly Verb[];
  /** Only when another kind owns the stored objects (events.k8s.io and core events are the same objects). */
  storagePrefix?: string;
  subresources?: { status?: boolean; keepsStatusOnCreate?: boolean; scale?: ScalePaths };
  columns?: readonly Column<T>[];
  selectableFields?: Readonly<Record<string, (object: T) => string>>;
  indexes?: Readonly<Record<string, (object: T) => readonly string[]>>;
  generationFields?: readonly (keyof T & string)[];
  nameRule?: (name: string, prefix: boolean) => readonly string[];
  defaults?: (object: T) => void;
  prepareCreate?: (object: T, context: HookContext) => void;
  prepareUpdate?: (object: T, old: T, context: HookContext) => void;
  prepareStatus?: (object: T, old: T, context: HookContext) => void;
  validate?: (object: T, old: T | undefined, causes: Causes) => void;
  validateStatus?: (object: T, old: T, causes: Causes) => void;
  warn?: (object: T, old: T | undefined) => readonly string[];
  gracePeriodSeconds?: (object: T, requested: number | undefined) => number;
  deletionHeld?: (object: T) => boolean;
  beginDeletion?: (object: T) => void;
  createOnUpdate?: boolean;
  unconditionalUpdate?: boolean;
  dependents?: Dependents;
  unsaidDependentsWarning?: string;
  returnsDeleted?: boolean;
  ttlSeconds?: number;
  conversion?: Conversion;
  translation?: Translation;
  custom?: CustomKind;
  listKind?: string;
  deprecation?: string;
}

export type ObjectOf<K> = K extends KindDef<infer T> ? T : never;

const everyVerb: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

export function defineKind<T extends KubeObject>(input: KindInput<T>): KindDef<T> {
  return {
    group: input.group,
    version: input.version,
    kind: input.kind,
    plural: input.plural,
    singular: input.singular ?? input.kind.toLowerCase(),
    listKind: input.listKind ?? `${input.kind}List`,
    shortNames: input.shortNames ?? [],
    categories: input.categories ?? [],
    scope: input.scope,
    schema: input.schema,
    apiVersion: input.group === '' ? input.version : `${input.group}/${input.version}`,
    storagePrefix: input.storagePrefix ?? `/${input.group === '' ? 'core' : input.group}/${input.plural}/`,
    verbs: input.verbs ?? everyVerb,
    subresources: {
      status: input.subresources?.status ?? false,
      keepsStatusOnCreate: input.subresources?.keepsStatusOnCreate ?? false,
      scale: input.subresources?.scale,
    },
    columns: input.columns ?? [],
    selectableFields: input.selectableFields ?? {},
    indexes: input.indexes ?? {},
    generationFields: input.generationFields ?? [],
    nameRule: input.nameRule ?? nameIsDnsSubdomain,
    defaults: input.defaults ?? null,
    prepareCreate: input.prepareCreate ?? null,
    prepareUpdate: input.prepareUpdate ?? null,
    prepareStatus: input.prepareStatus ?? null,
    validate: input.validate ?? null,
    validateStatus: input.validateStatus ?? null,
    warn: input.warn ?? null,
    gracePeriodSeconds: input.gracePeriodSeconds ?? null,
    deletionHeld: input.deletionHeld ?? null,
    beginDeletion: input.beginDeletion ?? null,
    createOnUpdate: input.createOnUpdate ?? false,
    unconditionalUpdate: input.unconditionalUpdate ?? true,
    dependents: input.dependents ?? 'delete',
    unsaidDependentsWarning: input.unsaidDependentsWarning ?? '',
    returnsDeleted: input.returnsDeleted ?? false,
    ttlSeconds: input.ttlSeconds ?? 0,
    conversion: input.conversion ?? null,
    translation: input.translation ?? null,
    custom: input.custom ?? null,
    deprecation: input.deprecation ?? null,
  };
}

/** The store's key of an object: prefix, then namespace if the kind has one, then name. */
export function storageKey(kind: Pick<KindDef, 'storagePrefix' | 'scope'>, meta: DraftMeta): string {
  return kind.scope === 'Namespaced'
    ? `${kind.storagePrefix}${meta.namespace}/${meta.name}`
    : `${kind.storagePrefix}${meta.name}`;
}
