// Writes pod statuses to the API: one write under way per pod, the latest status wins, what is equal is not written. A pod that
// starts quickly is written once: the first status of a pod waits a moment for the next.
import { type coreV1, Pod } from '../api/index.ts';
import { Backoff, type Clock, type Log, type Scope, sleep } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import { isConflict, isNotFound } from '../machinery/index.ts';
import { isStaticPod } from './container/names.ts';
import { planStatusPatch } from './plan/status-patch.ts';

export interface StatusWriterOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  /** How long the very first status of a pod may wait to be overtaken. */
  readonly firstDelayMs: number;
}

/** The object in the API that shows a pod: the pod itself or, of a static pod, its mirror. */
interface Shown {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

interface Entry {
  /** undefined = there is none now: nothing is written. */
  shown: Shown | undefined;
  readonly isStatic: boolean;
  wanted: coreV1.PodStatus;
  /** What the API has, as far as we know. */
  written: coreV1.PodStatus | undefined;
  /** The version of the object with it; 0 = not known. */
  version: number;
  running: boolean;
  urgent: boolean;
  wake: (() => void) | undefined;
  waiters: (() => void)[];
  gone: boolean;
}

const versionOf = ({ metadata }: Pod): number => Number(metadata.resourceVersion ?? 0);

const shownBy = ({ metadata: { name, namespace = '', uid } }: Pod): Shown => ({ name, namespace, uid });

export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #entries = new Map<string, Entry>();
  /** By the uid of the static pod. */
  readonly #mirrors = new Map<string, Pod>();
  /** Patches sent, for measurements. */
  writes = 0;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** The newest status, written or not. */
  get(uid: string): coreV1.PodStatus | undefined {
    return this.#entries.get(uid)?.wanted;
  }

  put(pod: Pod, status: coreV1.PodStatus): void {
    const { uid } = pod.metadata;
    let entry = this.#entries.get(uid);
    if (entry === undefined) {
      entry = {
        shown: isStaticPod(pod) ? undefined : shownBy(pod),
        isStatic: isStaticPod(pod),
        wanted: status,
        // What the API has of a static pod is its mirror's.
        written: isStaticPod(pod) ? undefined : pod.status,
        version: isStaticPod(pod) ? 0 : versionOf(pod),
        running: false,
        urgent: false,
        wake: undefined,
        waiters: [],
        gone: false,
      };
      this.#entries.set(uid, entry);
      const mirror = this.#mirrors.get(uid);
      if (mirror !== undefined) this.#show(entry, mirror, true);
    }
    entry.wanted = status;
    if (status.phase !== 'Pending') this.#hurry(entry);
    this.#run(entry);
  }

  /** What shows a static pod in the API, as it is there; undefined = nothing does any more. */
  mirror(uid: string, mirror: Pod | undefined): void {
    const known = this.#mirrors.get(uid);
    if (mirror === undefined) this.#mirrors.delete(uid);
    else this.#mirrors.set(uid, mirror);
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    this.#show(entry, mirror, known?.metadata.uid !== mirror?.metadata.uid);
    this.#run(entry);
  }

  #show(entry: Entry, mirror: Pod | undefined, isOther: boolean): void {
    entry.shown = mirror === undefined ? undefined : shownBy(mirror);
    const version = mirror === undefined ? 0 : versionOf(mirror);
    if (!isOther && version <= entry.version) return;
    entry.written = mirror?.status;
    entry.version = version;
  }

  /** Resolves when the newest status has been written, or the pod is gone from the API. */
  flush(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    if (entry === undefined || entry.gone) return Promise.resolve();
    if (entry.shown === undefined) return Promise.resolve();
    if (!entry.running && planStatusPatch(entry.shown.uid, entry.written, entry.wanted) === undefined)
      return Promise.resolve();
    this.#hurry(entry);
    const flushed = new Promise<void>((resolve) => entry.waiters.push(resolve));
    this.#run(entry);
    return flushed;
  }

  /** Somebody else may have written: what the API has is in this object, unless a later version of it is known. */
  observe(pod: Pod): void {
    const entry = this.#entries.get(pod.metadata.uid);
    if (entry === undefined || versionOf(pod) <= entry.version) return;
    entry.written = pod.status;
    entry.version = versionOf(pod);
    this.#run(entry);
  }

  forget(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.gone = true;
    this.#hurry(entry);
    this.#entries.delete(uid);
    this.#mirrors.delete(uid);
  }

  #hurry(entry: Entry): void {
    entry.urgent = true;
    entry.wake?.();
  }

  #run(entry: Entry): void {
    if (entry.running || entry.gone || entry.shown === undefined) return;
    if (planStatusPatch(entry.shown.uid, entry.written, entry.wanted) === undefined) {
      this.#done(entry);
      return;
    }
    entry.running = true;
    this.#options.scope.run('pod status', async (signal) => {
      try {
        await this.#write(entry, signal);
      } finally {
        entry.running = false;
        this.#done(entry);
      }
    });
  }

  #done(entry: Entry): void {
    for (const resolve of entry.waiters.splice(0)) resolve();
  }

  async #write(entry: Entry, signal: AbortSignal): Promise<void> {
    const { client, clock, log, firstDelayMs } = this.#options;
    const backoff = new Backoff({ initialMs: 100, maxMs: 10_000 });
    if (entry.written?.startTime === undefined && !entry.urgent && firstDelayMs > 0) {
      await new Promise<void>((resolve) => {
        const end = () => {
          timer.cancel();
          signal.removeEventListener('abort', end);
          resolve();
        };
        const timer = clock.after(firstDelayMs, end);
        entry.wake = end;
        signal.addEventListener('abort', end, { once: true });
      });
      entry.wake = undefined;
    }
    while (!signal.aborted && !entry.gone) {
      const { wanted: sent, shown } = entry;
      if (shown === undefined) return;
      const { uid, name, namespace } = shown;
      const patch = planStatusPatch(uid, entry.written, sent);
      if (patch === undefined) return;
      try {
        this.writes++;
        const answer = await client(Pod).patch(
          { name, namespace, subresource: 'status' },
          'strategic',
          patch,
        );
        // A mirror may have been replaced meanwhile: the new one knows nothing of what was written. And somebody else may have written
        // after us, which was heard of before our answer.
        if (entry.shown?.uid === uid && versionOf(answer) >= entry.version) {
          entry.written = sent;
          entry.version = versionOf(answer);
        }
      } catch (error) {
        // Another pod of the same name, or none: ours has ended for the API. Others who write much to it are no reason to give up.
        if (isNotFound(error) || (isConflict(error) && !(await this.#isThere(shown)))) {
          log.debug('pod is gone, its status is not written', { pod: `${namespace}/${name}`, error });
          if (entry.isStatic) entry.shown = entry.shown?.uid === uid ? undefined : entry.shown;
          else entry.gone = true;
          return;
        }
        log.warn('cannot write pod status', { pod: `${namespace}/${name}`, error });
        await sleep(clock, backoff.nextMs(), signal).catch(() => {});
      }
    }
  }

  async #isThere({ name, namespace, uid }: Shown): Promise<boolean> {
    try {
      return (await this.#options.client(Pod).get(name, namespace)).metadata.uid === uid;
    } catch (error) {
      return !isNotFound(error);
    }
  }
}
