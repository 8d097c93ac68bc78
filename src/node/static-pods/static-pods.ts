// The static pods of this node: run from a folder with no help of the API, and shown in the API by mirror pods as soon as there is one.
// Of two that follow each other under one name, the second waits until nothing of the first is left.
import { Node, Pod } from '../../api/index.ts';
import { Backoff, type Clock, type Log, type Scope, sleep } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../machinery/index.ts';
import { ManifestFolder } from './manifest-folder.ts';
import { fullName, isMirrorOf, mirrorOf, planMirrors } from './mirror-plan.ts';

/** Who runs them. */
export interface StaticPodRunner {
  put(pod: Pod): void;
  removed(uid: string): void;
  /** Whether something of it may still run. */
  has(uid: string): boolean;
}

export interface StaticPodsOptions {
  /** A folder or a file; undefined = there are none. */
  readonly path: string | undefined;
  readonly nodeName: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  readonly runner: StaticPodRunner;
  /** The mirror of the static pod `uid` has changed; undefined = there is none. */
  readonly onMirror: (uid: string, mirror: Pod | undefined) => void;
}

/**
 * How long the name of a mirror that somebody has deleted stays free. Who waits for the deletion, as kubectl does, reads the mirror, then
 * lists its name and watches: one of the same name that came in between would be waited for instead.
 */
const vacantMs = 500;

export class StaticPods {
  readonly #options: StaticPodsOptions;
  /** As the folder has them, by uid. */
  #wanted = new Map<string, Pod>();
  /** Given to the runner and not gone yet. */
  readonly #running = new Map<string, Pod>();
  readonly #mirrors = new Map<string, Pod>();
  readonly #vacant = new Set<string>();
  /** The API has told which mirrors there are. */
  #known = false;
  #dirty = false;
  #busy = false;

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  /** Resolves when what is there now has been given to the runner. */
  start(): Promise<void> {
    const { path, nodeName, clock, log, scope } = this.#options;
    return new Promise((resolve) => {
      const onChange = (pods: readonly Pod[]) => {
        this.#change(pods);
        resolve();
      };
      if (path === undefined) onChange([]);
      else new ManifestFolder({ path, nodeName, clock, log, scope, onChange }).start();
      scope.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** The API has all the mirrors it has told of so far. */
  mirrorsKnown(): void {
    this.#known = true;
    this.#reconcile();
  }

  observeMirror(mirror: Pod): void {
    this.#mirrors.set(mirror.metadata.uid, mirror);
    for (const pod of this.#running.values())
      if (fullName(pod) === fullName(mirror) && isMirrorOf(mirror, pod))
        this.#options.onMirror(pod.metadata.uid, mirror);
    this.#reconcile();
  }

  mirrorRemoved({ metadata }: Pod): void {
    const mirror = this.#mirrors.get(metadata.uid);
    if (mirror === undefined) return;
    this.#mirrors.delete(metadata.uid);
    for (const pod of this.#running.values())
      if (fullName(pod) === fullName(mirror) && isMirrorOf(mirror, pod))
        this.#options.onMirror(pod.metadata.uid, undefined);
    if (mirror.metadata.deletionTimestamp !== undefined) this.#leaveVacant(fullName(mirror));
    this.#reconcile();
  }

  #leaveVacant(name: string): void {
    const { clock, scope } = this.#options;
    this.#vacant.add(name);
    scope.run('the name of a mirror pod', async (signal) => {
      await sleep(clock, vacantMs, signal);
      this.#vacant.delete(name);
      this.#reconcile();
    });
  }

  /** Nothing of the pod is left: another of its name may start. */
  gone(uid: string): void {
    if (!this.#running.delete(uid)) return;
    this.#startWaiting();
    this.#reconcile();
  }

  #change(pods: readonly Pod[]): void {
    const { runner, log } = this.#options;
    const names = new Map<string, Pod>();
    for (const pod of pods) {
      if (names.has(fullName(pod))) log.warn('two manifests name one pod', { pod: fullName(pod) });
      else names.set(fullName(pod), pod);
    }
    this.#wanted = new Map([...names.values()].map((pod) => [pod.metadata.uid, pod]));
    for (const uid of this.#running.keys()) if (!this.#wanted.has(uid)) runner.removed(uid);
    this.#startWaiting();
    this.#reconcile();
  }

  #startWaiting(): void {
    const { runner, onMirror } = this.#options;
    const busy = new Set([...this.#running.values()].map(fullName));
    for (const [uid, pod] of this.#wanted) {
      if (this.#running.has(uid) || busy.has(fullName(pod)) || runner.has(uid)) continue;
      this.#running.set(uid, pod);
      for (const mirror of this.#mirrors.values())
        if (fullName(mirror) === fullName(pod) && isMirrorOf(mirror, pod)) onMirror(uid, mirror);
      runner.put(pod);
    }
  }

  #reconcile(): void {
    this.#dirty = true;
    if (this.#busy || !this.#known) return;
    this.#busy = true;
    this.#options.scope.run('mirror pods', (signal) => this.#run(signal));
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const backoff = new Backoff({ initialMs: 500, maxMs: 10_000 });
    try {
      while (this.#dirty && !signal.aborted) {
        this.#dirty = false;
        try {
          await this.#write();
          backoff.reset();
        } catch (error) {
          if (signal.aborted) return;
          log.warn('cannot write mirror pods', { error });
          this.#dirty = true;
          await sleep(clock, backoff.nextMs(), signal).catch(() => {});
        }
      }
    } finally {
      this.#busy = false;
    }
  }

  async #write(): Promise<void> {
    const { client, nodeName } = this.#options;
    const { create, remove } = planMirrors({
      wanted: [...this.#wanted.values()],
      ending: new Set(
        [...this.#running].flatMap(([uid, pod]) => (this.#wanted.has(uid) ? [] : [fullName(pod)])),
      ),
      vacant: this.#vacant,
      mirrors: [...this.#mirrors.values()],
    });
    let failure: unknown;
    const attempt = async (write: () => Promise<unknown>, isFine: (error: unknown) => boolean) => {
      await write().catch((error: unknown) => {
        if (!isFine(error)) failure = error;
      });
    };
    for (const { metadata } of remove)
      await attempt(
        () =>
          client(Pod).delete(metadata.name, metadata.namespace, {
            gracePeriodSeconds: 0,
            preconditions: { uid: metadata.uid },
          }),
        (error) => isNotFound(error) || isConflict(error),
      );
    if (create.length > 0) {
      const { metadata } = await client(Node).get(nodeName);
      for (const pod of create)
        await attempt(
          () => client(Pod).create(mirrorOf(pod, metadata.uid)),
          // It is on its way to us.
          isAlreadyExists,
        );
    }
    if (failure !== undefined) throw failure;
  }
}
