// What every verb of the registry works with, and the small steps that several verbs share.
import type { Clock, Log, Random } from '../../base/index.ts';
import {
  badRequest,
  type Causes,
  conflict,
  type DraftMeta,
  entityTooLarge,
  formatTime,
  type KindDef,
  type KubeObject,
  type MetaRules,
  notFound,
  type Preconditions,
  type ResourceRef,
  StatusError,
} from '../../machinery/index.ts';
import {
  BackendUnavailable,
  type CommitResult,
  type Entry,
  RecordTooLarge,
  type Store,
} from '../../storage/index.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import type { Authorize } from '../auth/authorize.ts';
import type { ServiceAccountTokens } from '../auth/service-account-tokens.ts';
import type { WorkloadMetrics } from '../metrics-api/workload-metrics.ts';
import type { CallContext } from './context.ts';
import type { KindTable } from './kind-table.ts';
import { type Answer, encodeForStore, freeze, keyFor, objectOf } from './objects.ts';

/** What was handed out to an object that is about to be written. */
export interface Allocation {
  /** The write is done, or will not happen: gives back what the object, as it is then, does not hold. */
  end(written: boolean): Promise<void>;
}

/** Hands out things that only one object may hold: cluster IPs, node ports. */
export interface Allocator {
  readonly kind: KindDef;
  /**
   * Fills in what `object` still needs and takes what it names. Problems go to `causes`. A dry run takes nothing that others
   * would notice. Rejects as a commit does, and when there is nothing left to take; then it holds nothing.
   */
  allocate(
    call: { readonly object: KubeObject; readonly old: KubeObject | undefined; readonly dryRun: boolean },
    causes: Causes,
  ): Promise<Allocation>;
  /** The object is gone: gives back what it held. */
  release(object: KubeObject): Promise<void>;
}

/**
 * A kind that is answered, not stored: the server makes the answer when it is asked. answered/all.ts lists them. What a kind's verbs do
 * not name never gets here.
 */
export interface AnsweredKind {
  readonly kind: KindDef;
  /** Kinds with the verb create. `call` is a WriteCall. Rejects with a StatusError. */
  readonly create?: (
    core: RegistryCore,
    call: {
      readonly at: Place;
      readonly body: { readonly value: unknown; readonly duplicates: readonly string[] };
      readonly context: CallContext;
    },
  ) => Promise<Answer>;
  /** Kinds with the verbs get and list: all there are, in the order of their names. */
  readonly readAll?: (core: RegistryCore) => Promise<readonly KubeObject[]>;
  /** Instead of it, for kinds of which there are many: the object at a place. Rejects with a StatusError when there is none. */
  readonly read?: (core: RegistryCore, at: Place) => Promise<KubeObject>;
  /** Those in the namespace (undefined = everywhere) that the selectors choose, in the order of their keys. */
  readonly readSome?: (
    core: RegistryCore,
    asked: {
      readonly namespace: string | undefined;
      readonly labelSelector?: string | undefined;
      readonly fieldSelector?: string | undefined;
    },
  ) => Promise<readonly KubeObject[]>;
}

export interface RegistryCore {
  readonly store: Store;
  readonly kinds: KindTable;
  /** Of these kinds nothing is stored. */
  readonly answered: ReadonlyMap<KindDef, AnsweredKind>;
  readonly workloadMetrics: WorkloadMetrics;
  /** null = this server signs no service account tokens. */
  readonly tokens: ServiceAccountTokens | null;
  readonly admission: AdmissionChain;
  /** For what depends on more than the request itself. */
  readonly authorize: Authorize;
  readonly allocators: ReadonlyMap<KindDef, Allocator>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Where a call goes: a kind, a namespace (undefined for cluster scope or all), and a name. */
export interface Place {
  readonly kind: KindDef;
  readonly namespace: string | undefined;
  readonly name: string;
}

export const refOf = (kind: KindDef): ResourceRef => ({ group: kind.group, resource: kind.plural });

/** The entry at a place, or 404. */
export function requireEntry(core: RegistryCore, at: Place): Entry {
  const entry = core.store.get(keyFor(at.kind, at.namespace, at.name));
  if (entry === undefined) throw notFound(refOf(at.kind), at.name);
  return entry;
}

/** The names in a body must be those of the URL; the namespace may be left out. */
export function checkNames(at: Place, metadata: DraftMeta): void {
  const { name, namespace } = metadata;
  if (name === undefined || name === '')
    throw badRequest(
      `the name of the object (${at.name} based on URL) was undeterminable: name must be provided`,
    );
  if (name !== at.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${at.name})`);
  if (at.namespace !== undefined && namespace !== undefined && namespace !== '' && namespace !== at.namespace)
    throw badRequest(
      `the namespace of the object (${namespace}) does not match the namespace on the request (${at.namespace})`,
    );
}

/** An answer for a stored version, in the version that was asked for. */
export function answer(kind: KindDef, entry: Entry, code = 200): Answer {
  if (kind.conversion !== null)
    return { code, entry: null, object: kind.conversion.fromStored(objectOf(entry)) };
  return { code, entry, object: null };
}

/** An answer for an object that was not stored (dry run). */
export function dryAnswer(kind: KindDef, object: KubeObject, code = 200): Answer {
  return {
    code,
    entry: null,
    object: kind.conversion === null ? object : kind.conversion.fromStored(object),
  };
}

/** A resourceVersion as the number it stands for. 0 for ''. Throws 400 for anything else than digits. */
export function parseRevision(text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) {
    const shown = JSON.stringify(text);
    throw badRequest(
      `invalid resource version: resourceVersion: Invalid value: ${shown}: strconv.ParseUint: parsing ${shown}: invalid syntax`,
    );
  }
  return Number(text);
}

export function checkPreconditions(at: Place, object: KubeObject, wanted: Preconditions | undefined): void {
  if (wanted === undefined) return;
  const { uid, resourceVersion } = object.metadata;
  const because = (what: string, want: string, have: string) =>
    conflict(
      refOf(at.kind),
      at.name,
      `Precondition failed: ${what} in precondition: ${want}, ${what} in object meta: ${have}`,
    );
  if (wanted.uid !== undefined && wanted.uid !== '' && wanted.uid !== uid)
    throw because('UID', wanted.uid, uid);
  if (
    wanted.resourceVersion !== undefined &&
    wanted.resourceVersion !== '' &&
    wanted.resourceVersion !== resourceVersion
  ) {
    throw because('ResourceVersion', wanted.resourceVersion, resourceVersion);
  }
}

/** Writes an object (or, with null, deletes). Translates storage's failures into Status errors: the only place that does. */
export async function commit(core: Pick<RegistryCore, 'store'>, write: Write): Promise<CommitResult> {
  const { object } = write;
  try {
    return await tryCommit(core, write);
  } catch (error) {
    // Who owns which field is less than the fields: it goes before the object is refused.
    if (!(error instanceof RecordTooLarge) || object?.metadata.managedFields === undefined)
      throw storageFailure(error);
    delete object.metadata.managedFields;
  }
  try {
    return await tryCommit(core, write);
  } catch (error) {
    throw storageFailure(error);
  }
}

export interface Write {
  readonly key: string;
  /** null = delete */
  readonly object: KubeObject | null;
  readonly expect: number;
  readonly ttlSeconds?: number;
}

function tryCommit({ store }: Pick<RegistryCore, 'store'>, write: Write): Promise<CommitResult> {
  const { key, object, expect } = write;
  if (object === null) return store.commit({ key, value: undefined, expect });
  return store.commit({
    key,
    value: encodeForStore(object),
    expect,
    ttlSeconds: write.ttlSeconds ?? 0,
    object: (revision) => {
      object.metadata.resourceVersion = String(revision);
      return freeze(object);
    },
  });
}

/**
 * Before a write, or a read of one object, on a store that others write to: what they were answered is seen here. A call that
 * began from an older state would be refused for a conflict or a missing object that is none. Ask `core.store.shared` first.
 */
export async function catchUp(core: Pick<RegistryCore, 'store'>): Promise<void> {
  try {
    await core.store.catchUp();
  } catch (error) {
    throw storageFailure(error);
  }
}

/** A store without room is 507, one that is away 503, a record it cannot hold 413; each says what happened. */
export function storageFailure(error: unknown): unknown {
  if (error instanceof RecordTooLarge) return entityTooLarge(error.message);
  if (!(error instanceof BackendUnavailable)) return error;
  const { message, full } = error;
  return full
    ? new StatusError(
        507,
        'InternalError',
        `Internal error occurred: the store has no room left: ${message}`,
        { retryAfterSeconds: 10 },
        error,
      )
    : new StatusError(
        503,
        'ServiceUnavailable',
        `the store is not available now: ${message}`,
        { retryAfterSeconds: 1 },
        error,
      );
}

/** The rules of metadata which hold for objects of the kind. */
export const metaRulesOf = ({ scope, nameRule, custom, group }: KindDef): MetaRules => ({
  namespaced: scope === 'Namespaced',
  nameRule,
  strictFinalizers: custom === null && !extensionGroups.includes(group),
});
/** Their own finalizers are not named after a domain. */
const extensionGroups: readonly string[] = ['apiextensions.k8s.io', 'apiregistration.k8s.io'];

/** Validates with the object's own rules; throws 422 with every cause. */
export function throwIfInvalid(kind: KindDef, object: KubeObject, causes: Causes): void {
  const error = causes.toError(kind.group, kind.kind, object.metadata.name ?? '');
  if (error !== undefined) throw error;
}

export function collectWarnings(
  kind: KindDef,
  object: KubeObject,
  old: KubeObject | undefined,
  context: CallContext,
): void {
  if (kind.warn !== null) context.warnings.push(...kind.warn(object, old));
}

export const nowText = (core: RegistryCore): string => formatTime(core.clock.nowMs());
