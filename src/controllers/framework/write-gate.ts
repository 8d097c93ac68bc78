// Read your own writes: a key is not run again before the informers show what its last run wrote. Revisions are one ordered
// sequence for all kinds, so waiting for a revision is enough; no counting of expected creations and deletions.
//
// A run waits for every write of the controller made while it ran, its own or not: which run a write belongs to need not be
// tracked, and waiting for a neighbour's write costs a moment at most.
import { type Clock, sleep } from '../../base/index.ts';
import type { Client, Informer, PatchType, ResourceClient } from '../../client/index.ts';
import { type KindDef, type KubeObject, keyOf } from '../../machinery/index.ts';

interface Deletion {
  readonly informer: Informer;
  readonly key: string;
  readonly uid: string;
}

/** What one run must see before its key may run again. */
export class Run {
  readonly revisions = new Map<Informer, number>();
  readonly deletions: Deletion[] = [];

  get settled(): boolean {
    for (const [informer, revision] of this.revisions) if (informer.revision < revision) return false;
    return this.deletions.every(isSeen);
  }
}

/** Gone, marked for deletion, or already another object of that name. */
const isSeen = ({ informer, key, uid }: Deletion): boolean => {
  const known = informer.get(key);
  return known === undefined || known.metadata.uid !== uid || known.metadata.deletionTimestamp !== undefined;
};

export class WriteGate {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #informers = new Map<KindDef, Set<Informer>>();
  readonly #runs = new Set<Run>();

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Writes of this informer's kind are waited for from now on. */
  watchFor(informer: Informer): void {
    let known = this.#informers.get(informer.kind);
    if (known === undefined) this.#informers.set(informer.kind, (known = new Set()));
    known.add(informer);
  }

  begin(): Run {
    const run = new Run();
    this.#runs.add(run);
    return run;
  }

  /** The run has ended; its key may go on once `settle` has resolved, or at once when it is settled already. */
  end(run: Run): void {
    this.#runs.delete(run);
  }

  /** Resolves with false when the informers did not get there in time. Rejects when the signal aborts. */
  async settle(run: Run, signal: AbortSignal): Promise<boolean> {
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    let inTime = true;
    const timeout = sleep(this.#clock, this.#timeoutMs, either).then(
      () => {
        inTime = false;
        done.abort(new Error('timed out'));
      },
      () => {},
    );
    try {
      for (const [informer, revision] of run.revisions) await informer.waitForRevision(revision, either);
      for (const deletion of run.deletions) await whenSeen(deletion, either);
    } catch (error) {
      if (inTime) throw error;
    } finally {
      done.abort(new Error('settled'));
      await timeout;
    }
    return inTime;
  }

  /** A client whose writes this gate notes. */
  noting(client: Client): Client {
    const made = new Map<KindDef, ResourceClient<KubeObject>>();
    const face = (kind: KindDef): ResourceClient<KubeObject> => {
      let found = made.get(kind);
      if (found === undefined) made.set(kind, (found = this.#notingResource(client(kind), kind)));
      return found;
    };
    return Object.assign(face, { transport: client.transport }) as unknown as Client;
  }

  #notingResource(inner: ResourceClient<KubeObject>, kind: KindDef): ResourceClient<KubeObject> {
    const noted = async (dryRun: boolean | undefined, call: Promise<KubeObject>): Promise<KubeObject> => {
      const answer = await call;
      if (dryRun !== true) this.#noteWrite(kind, answer);
      return answer;
    };
    return {
      get: (name, namespace) => inner.get(name, namespace),
      list: (query) => inner.list(query),
      watch: (query, sink, signal) => inner.watch(query, sink, signal),
      create: (object, options) => noted(options?.dryRun, inner.create(object, options)),
      update: (object, options) => noted(options?.dryRun, inner.update(object, options)),
      updateStatus: (object, options) => noted(options?.dryRun, inner.updateStatus(object, options)),
      patch: (at, type: PatchType, patch, options) =>
        noted(options?.dryRun, inner.patch(at, type, patch, options)),
      delete: async (name, namespace, options) => {
        const key = keyOf({ metadata: { name, namespace } });
        // Which object was meant is known before the call: afterwards there may be another of that name.
        const before = this.#knownUids(kind, key);
        const answer = await inner.delete(name, namespace, options);
        if (options?.dryRun !== true) this.#noteDeletion(before, key);
        return answer;
      },
      deleteCollection: (query, options) => inner.deleteCollection(query, options),
      createSub: (at, body) => inner.createSub(at, body),
    };
  }

  #noteWrite(kind: KindDef, answer: KubeObject): void {
    const revision = Number(answer.metadata?.resourceVersion);
    if (!(revision > 0)) return;
    for (const informer of this.#informers.get(kind) ?? []) {
      if (!covers(informer, answer)) continue;
      for (const run of this.#runs) {
        if ((run.revisions.get(informer) ?? 0) < revision) run.revisions.set(informer, revision);
      }
    }
  }

  #knownUids(kind: KindDef, key: string): [Informer, string][] {
    const out: [Informer, string][] = [];
    for (const informer of this.#informers.get(kind) ?? []) {
      const known = informer.get(key);
      if (known !== undefined) out.push([informer, known.metadata.uid]);
    }
    return out;
  }

  #noteDeletion(before: readonly [Informer, string][], key: string): void {
    for (const [informer, uid] of before)
      for (const run of this.#runs) run.deletions.push({ informer, key, uid });
  }
}

/**
 * Whether a written object shows in this informer. With a selector only objects that it has already are waited for: a new one may
 * never come.
 */
function covers(informer: Informer, object: KubeObject): boolean {
  const { namespace, labelSelector, fieldSelector } = informer.selection;
  if (namespace !== undefined && namespace !== '' && namespace !== object.metadata.namespace) return false;
  if ((labelSelector ?? '') === '' && (fieldSelector ?? '') === '') return true;
  return informer.get(keyOf(object)) !== undefined;
}

function whenSeen(deletion: Deletion, signal: AbortSignal): Promise<void> {
  if (isSeen(deletion)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const check = () => {
      if (!isSeen(deletion)) return;
      stop();
      resolve();
    };
    const unsubscribe = deletion.informer.onChange({ updated: check, deleted: check });
    const onAbort = () => {
      stop();
      reject(signal.reason);
    };
    const stop = () => {
      unsubscribe();
      signal.removeEventListener('abort', onAbort);
    };
    signal.addEventListener('abort', onAbort);
  });
}
