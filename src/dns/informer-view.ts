// The cluster as informers show it: nothing is copied, every look is one look at an index.
import { EndpointSlice, Service } from '../api/index.ts';
import type { Informer, Informers } from '../client/index.ts';
import type { ClusterView } from './cluster-zone.ts';
import { serviceAddressKeys, sliceAddressKeys } from './endpoints.ts';

const byAddress = 'byDnsAddress';

export class InformerView implements ClusterView {
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;

  /** Starts the informers of both kinds, or shares those that run. */
  constructor(informers: Informers) {
    this.#services = informers(Service);
    this.#slices = informers(EndpointSlice);
    this.#services.addIndex(byAddress, serviceAddressKeys);
    this.#slices.addIndex(byAddress, sliceAddressKeys);
  }

  get hasSynced(): boolean {
    return this.#services.hasSynced && this.#slices.hasSynced;
  }

  /** Rejects when the informers end before. */
  get synced(): Promise<unknown> {
    return Promise.all([this.#services.synced, this.#slices.synced]);
  }

  get serial(): number {
    return Math.max(this.#services.revision, this.#slices.revision);
  }

  service(namespace: string, name: string): Service | undefined {
    return this.#services.get(`${namespace}/${name}`);
  }

  hasServices(namespace: string): boolean {
    return this.#services.list(namespace).length > 0;
  }

  slices(namespace: string, service: string): readonly EndpointSlice[] {
    return this.#slices.byIndex('byService', `${namespace}/${service}`);
  }

  servicesByAddress(key: string): readonly Service[] {
    return this.#services.byIndex(byAddress, key);
  }

  slicesByAddress(key: string): readonly EndpointSlice[] {
    return this.#slices.byIndex(byAddress, key);
  }
}
