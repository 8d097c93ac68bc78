// The ConfigMaps and Secrets that this node's pods refer to, each watched on its own while somebody needs it: a node sees what
// its pods need and nothing else, and a change arrives as fast as a watch.
import { ConfigMap, type Pod, Secret } from '../api/index.ts';
import { type Clock, type Log, Scope, sleep } from '../base/index.ts';
import { type Client, createInformers, type Informer } from '../client/index.ts';
import type { KindDef, KubeObject } from '../machinery/index.ts';
import type { ObjectLookup } from './container/environment.ts';

export interface ReferencesOptions {
  readonly client: Client;
  readonly scope: Scope;
  readonly clock: Clock;
  readonly log: Log;
  /** An object that these pods refer to has changed, come or gone. */
  readonly onChange: (podUids: readonly string[]) => void;
}

interface Watched {
  readonly scope: Scope;
  readonly informer: Informer<KubeObject>;
  readonly users: Set<string>;
}

/** How long a pod's first look waits for the API before it takes "not there" for an answer. */
const firstLookMs = 5_000;

/** `configmaps/NAME` and `secrets/NAME` that a pod names anywhere. Pure. */
export function referencesOf(pod: Pod): { configMaps: Set<string>; secrets: Set<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  const { spec } = pod;
  for (const container of [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ]) {
    for (const from of container.envFrom ?? []) {
      if (from.configMapRef?.name) configMaps.add(from.configMapRef.name);
      if (from.secretRef?.name) secrets.add(from.secretRef.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      if (valueFrom?.configMapKeyRef?.name) configMaps.add(valueFrom.configMapKeyRef.name);
      if (valueFrom?.secretKeyRef?.name) secrets.add(valueFrom.secretKeyRef.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    if (volume.configMap?.name) configMaps.add(volume.configMap.name);
    if (volume.secret?.secretName) secrets.add(volume.secret.secretName);
    for (const source of volume.projected?.sources ?? []) {
      if (source.configMap?.name) configMaps.add(source.configMap.name);
      if (source.secret?.name) secrets.add(source.secret.name);
    }
  }
  for (const secret of spec.imagePullSecrets ?? []) if (secret.name) secrets.add(secret.name);
  return { configMaps, secrets };
}

export class References {
  readonly #options: ReferencesOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #byPod = new Map<string, readonly string[]>();

  constructor(options: ReferencesOptions) {
    this.#options = options;
  }

  /** Starts watching what a pod refers to. Idempotent; a pod's references never change. */
  register(pod: Pod): void {
    const { uid, namespace = '' } = pod.metadata;
    if (this.#byPod.has(uid)) return;
    const { configMaps, secrets } = referencesOf(pod);
    const keys = [
      ...[...configMaps].map((name) => this.#use(ConfigMap, { namespace, name }, uid)),
      ...[...secrets].map((name) => this.#use(Secret, { namespace, name }, uid)),
    ];
    this.#byPod.set(uid, keys);
  }

  release(uid: string): void {
    for (const key of this.#byPod.get(uid) ?? []) {
      const watched = this.#watched.get(key);
      watched?.users.delete(uid);
      if (watched?.users.size !== 0) continue;
      this.#watched.delete(key);
      this.#options.scope.run('release reference', () => watched.scope.stop());
    }
    this.#byPod.delete(uid);
  }

  /** Resolves when everything the pod refers to has been looked for once. */
  async synced(uid: string, signal: AbortSignal): Promise<void> {
    const waiting = (this.#byPod.get(uid) ?? [])
      .map((key) => this.#watched.get(key)!.informer)
      .filter((informer) => !informer.hasSynced)
      .map((informer) => informer.synced);
    if (waiting.length === 0) return;
    const done = new AbortController();
    const limit = sleep(this.#options.clock, firstLookMs, AbortSignal.any([signal, done.signal])).then(() => {
      throw new Error('the API has not answered yet for the objects that this pod refers to');
    });
    try {
      await Promise.race([Promise.all(waiting), limit]);
    } finally {
      done.abort();
      limit.catch(() => {});
    }
  }

  lookup(namespace: string): ObjectLookup {
    return {
      configMap: (name) => this.#get(ConfigMap, { namespace, name }),
      secret: (name) => this.#get(Secret, { namespace, name }),
    };
  }

  #get<T extends KubeObject>(kind: KindDef<T>, at: { namespace: string; name: string }): T | undefined {
    const watched = this.#watched.get(keyFor(kind, at));
    return watched?.informer.get(`${at.namespace}/${at.name}`) as T | undefined;
  }

  #use<T extends KubeObject>(kind: KindDef<T>, at: { namespace: string; name: string }, uid: string): string {
    const key = keyFor(kind, at);
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      const { client, log, clock } = this.#options;
      const scope = new Scope(log, this.#options.scope.signal);
      const informers = createInformers(client, { scope, log, clock });
      const informer = informers(kind, {
        namespace: at.namespace,
        fieldSelector: `metadata.name=${at.name}`,
      });
      const users = new Set<string>();
      const changed = () => this.#options.onChange([...users]);
      informer.onChange({ added: changed, updated: changed, deleted: changed });
      watched = { scope, informer: informer as unknown as Informer<KubeObject>, users };
      this.#watched.set(key, watched);
    }
    watched.users.add(uid);
    return key;
  }
}

const keyFor = (kind: Pick<KindDef, 'plural'>, at: { namespace: string; name: string }): string =>
  `${kind.plural}/${at.namespace}/${at.name}`;
