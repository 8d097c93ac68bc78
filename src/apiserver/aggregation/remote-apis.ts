// Which versions of which groups other API servers answer for, as the APIService objects say. Kept from the store's changes, so that
// a request costs one look into a map, and none at all as long as there is no such server. HOT: bench/api.ts.
import { APIService } from '../../api/index.ts';
import { semanticEqual } from '../../machinery/index.ts';
import type { Entry, Store } from '../../storage/index.ts';
import { usualPriority } from '../api-services.ts';
import { objectOf } from '../registry/objects.ts';

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

export interface RemoteApi extends GroupVersion {
  /** Of its APIService. */
  readonly name: string;
  readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
  /** PEM of who vouches for it; undefined = the authorities that node trusts. */
  readonly ca: string | undefined;
  readonly insecureSkipTlsVerify: boolean;
  /** What the condition Available says. */
  readonly available: boolean;
}

/** `group/version`, as discovery writes it. */
export const shownVersion = ({ group, version }: GroupVersion): string => `${group}/${version}`;

/** Handing these on would shut out whoever wants to take it back. */
const alwaysLocal: ReadonlySet<string> = new Set(['', 'apiregistration.k8s.io']);

/** undefined = this server answers itself. */
export function remoteOf({ metadata, spec, status }: APIService): RemoteApi | undefined {
  const { group = '', version = '', service, caBundle = '' } = spec;
  if (service === undefined || alwaysLocal.has(group)) return undefined;
  return {
    name: metadata.name,
    group,
    version,
    service: { namespace: service.namespace ?? '', name: service.name ?? '', port: service.port ?? 443 },
    ca: caBundle === '' ? undefined : Buffer.from(caBundle, 'base64').toString('utf8'),
    insecureSkipTlsVerify: spec.insecureSkipTLSVerify === true,
    available:
      status?.conditions?.some(({ type, status: is }) => type === 'Available' && is === 'True') === true,
  };
}

export class RemoteApis {
  readonly #store: Store;
  readonly #byGroup = new Map<string, Map<string, RemoteApi>>();
  readonly #specs = new Map<string, APIService['spec']>();
  readonly #listeners = new Set<(name: string) => void>();
  #all: readonly RemoteApi[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** Reads what there is and follows it, as long as the store is open. */
  start(): void {
    const prefix = APIService.storagePrefix;
    const seen = new Set<string>();
    for (const entry of this.#store.list(prefix)) seen.add(this.#put(entry));
    // After a watch that was lost: what went meanwhile.
    for (const name of this.#specs.keys()) if (!seen.has(name)) this.#remove(name);
    this.#store.watch(prefix, this.#store.revision, {
      onEvents: (events) => {
        for (const { type, entry } of events)
          if (type === 'delete') this.#remove(objectOf<APIService>(entry).metadata.name);
          else this.#put(entry);
      },
      onLost: () => this.start(),
    });
  }

  get all(): readonly RemoteApi[] {
    return this.#all;
  }

  /** Of every APIService there is. */
  get names(): readonly string[] {
    return [...this.#specs.keys()];
  }

  /** undefined = this server answers itself. */
  find(group: string, version: string): RemoteApi | undefined {
    return this.#all.length === 0 ? undefined : this.#byGroup.get(group)?.get(version);
  }

  /** The one whose discovery document is at the path, `/apis/GROUP/VERSION`. */
  findByPath(path: string): RemoteApi | undefined {
    if (this.#all.length === 0 || !path.startsWith('/apis/')) return undefined;
    const parts = path.split('/');
    if (parts.length > 5 || (parts.length === 5 && parts[4] !== '')) return undefined;
    return this.find(parts[2] ?? '', parts[3] ?? '');
  }

  /** Those that this server answers for. The list itself when it answers for all. */
  withoutRemote<T extends GroupVersion>(all: readonly T[]): readonly T[] {
    if (this.#all.length === 0) return all;
    return all.filter(({ group, version }) => this.find(group, version) === undefined);
  }

  hasGroup(group: string): boolean {
    return this.#byGroup.has(group);
  }

  /** Where a group stands among the others, and a version among those of its group: the higher, the earlier. */
  priorityOf({ group, version }: GroupVersion): readonly [group: number, version: number] {
    const spec = this.#specs.get(`${version}.${group}`);
    return spec === undefined
      ? usualPriority({ group, version })
      : [spec.groupPriorityMinimum, spec.versionPriority];
  }

  /** Called after an APIService came, went or was changed in more than its status; it must not throw. */
  onChange(listener: (name: string) => void): void {
    this.#listeners.add(listener);
  }

  #put(entry: Entry): string {
    const object = objectOf<APIService>(entry);
    const { name } = object.metadata;
    const isChanged = !semanticEqual(this.#specs.get(name), object.spec);
    this.#specs.set(name, object.spec);
    this.#all = this.#all.filter((remote) => remote.name !== name);
    const remote = remoteOf(object);
    if (remote !== undefined) this.#all = [...this.#all, remote];
    this.#index();
    if (isChanged) this.#tell(name);
    return name;
  }

  #remove(name: string): void {
    this.#specs.delete(name);
    this.#all = this.#all.filter((remote) => remote.name !== name);
    this.#index();
    this.#tell(name);
  }

  #index(): void {
    this.#byGroup.clear();
    for (const remote of this.#all) {
      const versions = this.#byGroup.get(remote.group) ?? new Map<string, RemoteApi>();
      versions.set(remote.version, remote);
      this.#byGroup.set(remote.group, versions);
    }
  }

  #tell(name: string): void {
    for (const listener of this.#listeners) listener(name);
  }
}
