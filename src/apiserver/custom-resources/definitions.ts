// Keeps the served kinds in step with the definitions in the store, and tells each definition what became of it: names accepted,
// established, and after its deletion, once its last resource is gone, its end.
//
// Every API server does this for itself; what it writes is the same as what any other would write, and the store lets one of them win.
import {
  approvalOf,
  CustomResourceDefinition,
  cleanupFinalizer,
  isEstablished,
  isProtectedGroup,
  setDefinitionCondition,
} from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import {
  isConflict,
  isNotFound,
  type KindDef,
  type KubeObject,
  semanticEqual,
} from '../../machinery/index.ts';
import type { Entry } from '../../storage/index.ts';
import { WebhookCalls } from '../admission/webhooks/calls.ts';
import { ensureCustomApiService, removeCustomApiService } from '../api-services.ts';
import { internalContext } from '../registry/context.ts';
import type { RegistryCore } from '../registry/core.ts';
import { remove } from '../registry/delete.ts';
import { mutableCopy, objectOf } from '../registry/objects.ts';
import { applyUpdate } from '../registry/update.ts';
import { builtByCode } from '../registry/update-rules.ts';
import type { WebhookSurroundings } from './conversion-webhook.ts';
import { customKinds } from './custom-kind.ts';
import { acceptNames } from './names.ts';

/** A write of the server itself; what authors may change is no matter here. */
const rules = builtByCode('status');

/** How many resources of a deleted definition are deleted at once. */
const batch = 50;

export class CustomResources {
  readonly #core: RegistryCore;
  readonly #client: Client;
  readonly #surroundings: WebhookSurroundings;
  /** Versions that are served no more, until their APIServices are gone. */
  readonly #unserved = new Map<string, KindDef>();
  /** What is served, by the name of its definition. */
  readonly #served = new Map<string, { spec: unknown; names: unknown; kinds: readonly KindDef[] }>();
  /** Definitions that something happened to. */
  readonly #dirty = new Set<string>();
  #working: Promise<void> | undefined;
  readonly #emptying = new Map<string, () => void>();

  constructor(core: RegistryCore, client: Client) {
    this.#core = core;
    this.#client = client;
    this.#surroundings = { calls: new WebhookCalls(core), random: core.random };
  }

  /** Serves what is in the store, and follows it. Resolves when all that is there now is served. */
  async start(): Promise<void> {
    const { store } = this.#core;
    const prefix = CustomResourceDefinition.storagePrefix;
    for (const entry of store.list(prefix)) this.#touch(objectOf<CustomResourceDefinition>(entry));
    store.watch(prefix, store.revision, {
      onEvents: (events) => {
        for (const { type, entry } of events) {
          const definition = objectOf<CustomResourceDefinition>(entry);
          if (type === 'delete') this.#forget(definition);
          else this.#touch(definition);
        }
      },
      onLost: () => {
        this.#core.log.error(
          'the watch of custom resource definitions was lost; changes to them are not served',
        );
      },
    });
    await this.#working;
  }

  #touch(definition: CustomResourceDefinition): void {
    // At once, so that nobody who has read that it is established finds nothing there.
    if (isEstablished(definition)) this.#serve(definition);
    this.#dirty.add(definition.metadata.name);
    this.#work();
  }

  #forget({ metadata, spec }: CustomResourceDefinition): void {
    const served = this.#served.get(metadata.name);
    this.#remove(served?.kinds ?? []);
    this.#served.delete(metadata.name);
    this.#emptying.get(metadata.name)?.();
    this.#emptying.delete(metadata.name);
    // Its names are free now.
    for (const entry of this.#core.store.list(CustomResourceDefinition.storagePrefix)) {
      const other = objectOf<CustomResourceDefinition>(entry);
      if (other.spec.group === spec.group) this.#dirty.add(other.metadata.name);
    }
    this.#work();
  }

  #serve(definition: CustomResourceDefinition): void {
    const { name } = definition.metadata;
    const names = definition.status?.acceptedNames;
    const served = this.#served.get(name);
    if (
      served !== undefined &&
      semanticEqual(served.spec, definition.spec) &&
      semanticEqual(served.names, names)
    )
      return;
    this.#remove(served?.kinds ?? []);
    const kinds = customKinds(definition, this.#surroundings);
    for (const kind of kinds) this.#core.kinds.add(kind);
    this.#served.set(name, { spec: definition.spec, names, kinds });
  }

  #remove(kinds: readonly KindDef[]): void {
    for (const kind of kinds) {
      this.#core.kinds.remove(kind);
      this.#unserved.set(kind.apiVersion, kind);
    }
  }

  #work(): void {
    this.#working ??= this.#workAll().finally(() => {
      this.#working = undefined;
      if (this.#dirty.size + this.#unserved.size > 0) this.#work();
    });
  }

  async #workAll(): Promise<void> {
    // Events come in the middle of a commit: go on once it is done.
    await Promise.resolve();
    await this.#removeServices();
    for (const name of this.#dirty) {
      this.#dirty.delete(name);
      try {
        await this.#reconcile(name);
      } catch (error) {
        if (isConflict(error) || isNotFound(error)) this.#dirty.add(name);
        else this.#core.log.error('custom resource definition', { name, error });
      }
    }
  }

  async #removeServices(): Promise<void> {
    for (const [key, kind] of this.#unserved) {
      this.#unserved.delete(key);
      if (!this.#core.kinds.hasGroupVersion(kind.group, kind.version))
        await removeCustomApiService(this.#client, kind);
    }
  }

  async #reconcile(name: string): Promise<void> {
    const { store } = this.#core;
    const entry = store.get(CustomResourceDefinition.storagePrefix + name);
    if (entry === undefined) return;
    const definition = objectOf<CustomResourceDefinition>(entry);
    if (definition.metadata.deletionTimestamp === undefined) await this.#settle(definition, entry);
    else if (definition.metadata.finalizers?.includes(cleanupFinalizer)) await this.#empty(definition);
  }

  /** Writes what becomes of the definition, where that is not there yet. */
  async #settle(definition: CustomResourceDefinition, entry: Entry): Promise<void> {
    const { store, clock } = this.#core;
    const others = store
      .list(CustomResourceDefinition.storagePrefix)
      .map((one) => objectOf<CustomResourceDefinition>(one))
      .filter(
        (other) =>
          other.spec.group === definition.spec.group && other.metadata.name !== definition.metadata.name,
      );
    const { names, conflict } = acceptNames(definition, others);
    const next = mutableCopy<CustomResourceDefinition>(entry);
    next.status ??= {};
    next.status.acceptedNames = names;
    const storage = next.spec.versions.find((version) => version.storage)?.name;
    const stored = (next.status.storedVersions ??= []);
    if (storage !== undefined && !stored.includes(storage)) stored.push(storage);
    this.#setConditions(next, conflict, clock.nowMs());
    if (!semanticEqual(next.status, definition.status)) await this.#write(next);
    for (const kind of this.#served.get(definition.metadata.name)?.kinds ?? [])
      await ensureCustomApiService(this.#client, kind);
  }

  #setConditions(
    next: CustomResourceDefinition,
    conflict: { reason: string; message: string } | undefined,
    nowMs: number,
  ): void {
    const set = (type: string, status: string, reason: string, message: string): void =>
      setDefinitionCondition(next, { type, status, reason, message }, nowMs);
    if (conflict === undefined) set('NamesAccepted', 'True', 'NoConflicts', 'no conflicts found');
    else set('NamesAccepted', 'False', conflict.reason, conflict.message);
    if (isProtectedGroup(next.spec.group)) {
      const { state, reason } = approvalOf(next);
      const words = {
        missing: ['False', 'MissingAnnotation'],
        invalid: ['False', 'InvalidAnnotation'],
        bypassed: ['False', 'UnapprovedAnnotation'],
        approved: ['True', 'ApprovedAnnotation'],
      } as const;
      const [status, why] = words[state];
      set('KubernetesAPIApprovalPolicyConformant', status, why, reason);
    }
    // What was served once goes on being served.
    if (isEstablished(next)) return;
    if (conflict !== undefined) set('Established', 'False', 'NotAccepted', 'not all names are accepted');
    else set('Established', 'True', 'InitialNamesAccepted', 'the initial names have been accepted');
  }

  async #write(next: CustomResourceDefinition): Promise<void> {
    const at = {
      kind: CustomResourceDefinition as unknown as KindDef,
      namespace: undefined,
      name: next.metadata.name,
    };
    await applyUpdate(this.#core, { at, context: internalContext() }, rules, () => next as KubeObject);
  }

  /** Deletes what there is of the kind. When nothing is left, the definition goes too. */
  async #empty(definition: CustomResourceDefinition): Promise<void> {
    const { store, clock } = this.#core;
    const { name } = definition.metadata;
    const [kind] = this.#served.get(name)?.kinds ?? customKinds(definition, this.#surroundings);
    const left = kind === undefined ? [] : store.list(kind.storagePrefix);
    if (kind !== undefined && left.length > 0) {
      this.#follow(name, kind);
      const doomed = left.filter((entry) => objectOf(entry).metadata.deletionTimestamp === undefined);
      for (let i = 0; i < doomed.length; i += batch)
        await Promise.all(doomed.slice(i, i + batch).map((entry) => this.#delete(kind, entry)));
      return;
    }
    const next = structuredClone(definition) as CustomResourceDefinition;
    setDefinitionCondition(
      next,
      {
        type: 'Terminating',
        status: 'False',
        reason: 'InstanceDeletionCompleted',
        message: 'removed all instances',
      },
      clock.nowMs(),
    );
    next.metadata.finalizers = (next.metadata.finalizers ?? []).filter((one) => one !== cleanupFinalizer);
    if (next.metadata.finalizers.length === 0) delete next.metadata.finalizers;
    await this.#write(next);
  }

  /** Looks again whenever one of the resources goes. */
  #follow(name: string, kind: KindDef): void {
    if (this.#emptying.has(name)) return;
    const { store } = this.#core;
    const again = (): void => {
      this.#dirty.add(name);
      this.#work();
    };
    this.#emptying.set(
      name,
      store.watch(kind.storagePrefix, store.revision, { onEvents: again, onLost: again }),
    );
  }

  async #delete(kind: KindDef, entry: Entry): Promise<void> {
    const { name, namespace } = objectOf(entry).metadata;
    try {
      // As it is stored: nobody looks at it any more, and whoever would convert it may be gone.
      const at = { kind: { ...kind, translation: null }, namespace, name };
      await remove(this.#core, { at, options: {}, context: internalContext() });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
