// The secrets that ingresses name, each watched on its own while one does: a node may read these and no others.
import { Secret } from '../api/index.ts';
import { type Clock, type Log, Scope } from '../base/index.ts';
import { type Client, createInformers, type Informer } from '../client/index.ts';

export interface SecretWatchesOptions {
  readonly client: Client;
  readonly scope: Scope;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: () => void;
}

interface Watched {
  readonly scope: Scope;
  readonly informer: Informer<Secret>;
}

export class SecretWatches {
  readonly #options: SecretWatchesOptions;
  readonly #watched = new Map<string, Watched>();

  constructor(options: SecretWatchesOptions) {
    this.#options = options;
  }

  /** NAMESPACE/NAME of all that are needed; what is not among them is forgotten. */
  follow(keys: ReadonlySet<string>): void {
    const { scope } = this.#options;
    for (const [key, watched] of this.#watched)
      if (!keys.has(key)) {
        this.#watched.delete(key);
        scope.run('forget secret', () => watched.scope.stop());
      }
    for (const key of keys) if (!this.#watched.has(key)) this.#watched.set(key, this.#watch(key));
  }

  get(key: string): Secret | undefined {
    return this.#watched.get(key)?.informer.get(key);
  }

  /** Whether each has been looked for once. */
  get hasSynced(): boolean {
    return [...this.#watched.values()].every(({ informer }) => informer.hasSynced);
  }

  #watch(key: string): Watched {
    const { client, log, clock, onChange, scope: parent } = this.#options;
    const [namespace = '', name = ''] = key.split('/');
    const scope = new Scope(log, parent.signal);
    const informers = createInformers(client, { scope, log, clock });
    const informer = informers(Secret, { namespace, fieldSelector: `metadata.name=${name}` });
    informer.onChange({ added: onChange, updated: onChange, deleted: onChange });
    informer.synced.then(onChange, () => {});
    return { scope, informer };
  }
}
