// The services and endpoint slices behind API services. They are watched only as long as there is an API service that names one.
import { type APIService, EndpointSlice, Service, serviceNameLabel } from '../../api/index.ts';
import type { KindDef } from '../../machinery/index.ts';
import type { Entry, Store } from '../../storage/index.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { Behind } from './availability.ts';
import type { RemoteApi } from './remote-apis.ts';

export class BackingServices {
  readonly #store: Store;
  readonly #wake: (apiService: string) => void;
  /** Names of APIServices by the NAMESPACE/NAME of their service. */
  #named = new Map<string, string[]>();
  #unwatch: readonly (() => void)[] = [];

  constructor(store: Store, wake: (apiService: string) => void) {
    this.#store = store;
    this.#wake = wake;
  }

  follow(remotes: readonly RemoteApi[]): void {
    this.#named = new Map();
    for (const { name, service } of remotes) {
      const key = `${service.namespace}/${service.name}`;
      this.#named.set(key, [...(this.#named.get(key) ?? []), name]);
    }
    if (this.#named.size === 0) {
      for (const unwatch of this.#unwatch) unwatch();
      this.#unwatch = [];
    } else if (this.#unwatch.length === 0) this.#watch();
  }

  behind({ service }: APIService['spec']): Behind {
    const { namespace = '', name = '' } = service ?? {};
    const entry = this.#store.get(keyFor(Service as unknown as KindDef, namespace, name));
    const slices = this.#store
      .list(`${EndpointSlice.storagePrefix}${namespace}/`)
      .map((one) => objectOf<EndpointSlice>(one))
      .filter(({ metadata }) => metadata.labels?.[serviceNameLabel] === name);
    return { service: entry === undefined ? undefined : objectOf<Service>(entry), slices };
  }

  #watch(): void {
    const serviceOf = (entry: Entry) => objectOf(entry).metadata.name;
    const sliceOf = (entry: Entry) => objectOf(entry).metadata.labels?.[serviceNameLabel] ?? '';
    this.#unwatch = [
      this.#watchOne(Service.storagePrefix, serviceOf),
      this.#watchOne(EndpointSlice.storagePrefix, sliceOf),
    ];
  }

  #watchOne(prefix: string, nameOf: (entry: Entry) => string): () => void {
    return this.#store.watch(prefix, this.#store.revision, {
      onEvents: (events) => {
        for (const { entry } of events) this.#look(objectOf(entry).metadata.namespace ?? '', nameOf(entry));
      },
      onLost: () => {
        // Everything may have changed.
        for (const unwatch of this.#unwatch) unwatch();
        this.#unwatch = [];
        if (this.#named.size > 0) this.#watch();
        for (const names of this.#named.values()) for (const name of names) this.#wake(name);
      },
    });
  }

  #look(namespace: string, service: string): void {
    for (const name of this.#named.get(`${namespace}/${service}`) ?? []) this.#wake(name);
  }
}
