// The `kubernetes` service of the default namespace and the addresses behind it: where pods find the API. Each server puts it back
// when somebody takes it away. Servers that share a store tell each other by a Lease each that they are there. The choice: a Lease holds for
// as long as its renewals are seen to come, by the clock of who looks, so that clocks need not agree; and a server is only named anew
// when it has just renewed, so that those who notice an end a moment later do not put it back.
import { createHash } from 'node:crypto';
import { EndpointSlice, Endpoints, Lease, Service } from '../api/index.ts';
import { type Clock, sleep } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import {
  type Draft,
  formatMicroTime,
  isAlreadyExists,
  isConflict,
  isNotFound,
  isStatus,
  type KindDef,
  type KubeObject,
  semanticEqual,
} from '../machinery/index.ts';

const name = 'kubernetes';
const namespace = 'default';

export interface ServerAddress {
  readonly address: string;
  readonly port: number;
}

export interface KubernetesServiceOptions extends ServerAddress {
  /** The first address of the service range. */
  readonly serviceIp: string;
  /** Other servers may use the store too. */
  readonly shared: boolean;
  readonly clock: Clock;
}

const leaseNamespace = 'kube-system';
const identityLabel = { 'apiserver.kubernetes.io/identity': 'kube-apiserver' };
/** kube-apiserver has 15 s, renewed each 10 s: a server that is lost would be told to pods for half a minute. */
const leaseSeconds = 4;
const leftBehindMs = 150_000;

const attempts = 40;
const retryMs = 50;

export class KubernetesService {
  readonly #client: Client;
  readonly #options: KubernetesServiceOptions;
  /** By the name of the Lease. */
  readonly #seen = new Map<string, SeenLease>();

  constructor(client: Client, options: KubernetesServiceOptions) {
    this.#client = client;
    this.#options = options;
  }

  /**
   * At the start. Of several servers that start at once on one store, each may find that another is about to make the service, and so
   * holds its address already: then it is there a moment later.
   */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.keep();
        break;
      } catch (error) {
        const passes = isStatus(error, 'Invalid') || isConflict(error) || isAlreadyExists(error);
        if (!passes || attempt === attempts) throw error;
        await sleep(this.#options.clock, retryMs);
      }
    }
    await this.#followPort();
  }

  /** Puts back what is missing, and makes the addresses those of the servers that are there. */
  async keep(): Promise<void> {
    await this.#ensureService();
    await this.keepAddresses();
  }

  /** With a shared store to be called each second: others count on it. */
  async keepAddresses(): Promise<void> {
    const { address, port, shared } = this.#options;
    // Nobody else can reach a loopback address, so it is no endpoint.
    const own = address.startsWith('127.') || address === '::1' ? [] : [{ address, port }];
    if (!shared) return own.length === 0 ? undefined : this.#write(own);
    if (own.length > 0) await this.#renew();
    await this.#write(await this.#present());
  }

  /** This server goes: the others no longer name it. */
  async leave(): Promise<void> {
    if (!this.#options.shared) return;
    try {
      await this.#client(Lease).delete(leaseName(this.#options), leaseNamespace);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    await this.#write(await this.#present());
  }

  async #ensureService(): Promise<void> {
    if ((await this.#find(Service)) !== undefined) return;
    const { serviceIp, port } = this.#options;
    await this.#client(Service).create({
      metadata: { name, namespace, labels: { component: 'apiserver', provider: 'kubernetes' } },
      spec: {
        type: 'ClusterIP',
        clusterIP: serviceIp,
        clusterIPs: [serviceIp],
        ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: port }],
      },
    } as Draft<Service>);
  }

  /** The port may differ from the last start's. */
  async #followPort(): Promise<void> {
    const service = await this.#find(Service);
    const ports = service?.spec.ports ?? [];
    const { port } = this.#options;
    if (service === undefined || this.#options.shared || ports.some((p) => p.targetPort === port)) return;
    const wanted = ports.map((p) => (p.name === 'https' ? { ...p, targetPort: port } : p));
    await this.#client(Service).update({ ...service, spec: { ...service.spec, ports: wanted } });
  }

  async #renew(): Promise<void> {
    const { clock, address, port } = this.#options;
    const leases = this.#client(Lease);
    const at = { name: leaseName(this.#options), namespace: leaseNamespace };
    const spec = {
      holderIdentity: JSON.stringify([address, port]),
      leaseDurationSeconds: leaseSeconds,
      renewTime: formatMicroTime(clock.nowMs()),
    };
    try {
      await leases.patch(at, 'merge', { spec });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await leases.create({ metadata: { ...at, labels: identityLabel }, spec });
    }
  }

  /** The servers whose Lease holds; what a server that never came back left behind is taken away. */
  async #present(): Promise<readonly ServerAddress[]> {
    const [labelSelector] = Object.entries(identityLabel).map(([key, value]) => `${key}=${value}`);
    const { items } = await this.#client(Lease).list({ namespace: leaseNamespace, labelSelector });
    const slice = await this.#find(EndpointSlice);
    const named = new Set((slice?.endpoints ?? []).flatMap(({ addresses }) => addresses));
    const nowMs = this.#options.clock.monotonicMs();
    const seen: SeenServer[] = [];
    for (const { metadata, spec } of items) {
      const since = this.#look(metadata.name, spec?.renewTime ?? '', nowMs);
      const silentMs = nowMs - since.heardMs;
      const server = parseHolder(spec?.holderIdentity);
      const durationMs = (spec?.leaseDurationSeconds ?? leaseSeconds) * 1000;
      if (server !== undefined) seen.push({ ...server, silentMs, durationMs, isRenewed: since.isRenewed });
      if (silentMs > leftBehindMs)
        await this.#client(Lease)
          .delete(metadata.name, leaseNamespace)
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
    }
    const names = new Set(items.map(({ metadata }) => metadata.name));
    for (const lease of this.#seen.keys()) if (!names.has(lease)) this.#seen.delete(lease);
    return planPresentServers(seen, named);
  }

  #look(lease: string, renewTime: string, nowMs: number): SeenLease {
    const before = this.#seen.get(lease);
    if (before?.renewTime === renewTime) return before;
    const own = lease === leaseName(this.#options);
    const now = { renewTime, heardMs: nowMs, isRenewed: own || before !== undefined };
    this.#seen.set(lease, now);
    return now;
  }

  async #write(servers: readonly ServerAddress[]): Promise<void> {
    // The last one to go leaves its address: nobody is there to read it.
    if (servers.length === 0) return;
    const { endpoints, slice } = planKubernetesEndpoints(servers);
    await this.#settle(Endpoints, endpoints, (now) => semanticEqual(now.subsets ?? [], endpoints.subsets));
    await this.#settle(
      EndpointSlice,
      slice,
      (now) =>
        semanticEqual(now.endpoints ?? [], slice.endpoints) && semanticEqual(now.ports ?? [], slice.ports),
    );
  }

  async #settle<T extends KubeObject>(
    kind: KindDef<T>,
    wanted: Draft<T>,
    isSettled: (now: T) => boolean,
  ): Promise<void> {
    const now = await this.#find(kind);
    if (now === undefined) await this.#client(kind).create(wanted);
    else if (!isSettled(now)) {
      const labels = { ...now.metadata.labels, ...wanted.metadata?.labels };
      await this.#client(kind).update({ ...now, ...wanted, metadata: { ...now.metadata, labels } } as T);
    }
  }

  async #find<T extends KubeObject>(kind: KindDef<T>): Promise<T | undefined> {
    try {
      return await this.#client(kind).get(name, namespace);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}

const leaseName = ({ address, port }: ServerAddress): string =>
  `apiserver-${createHash('sha256').update(`${address} ${port}`).digest('hex').slice(0, 26)}`;

function parseHolder(text: string | undefined): ServerAddress | undefined {
  try {
    const [address, port] = JSON.parse(text ?? '') as unknown[];
    return typeof address === 'string' && typeof port === 'number' ? { address, port } : undefined;
  } catch {
    return undefined;
  }
}

interface SeenLease {
  readonly renewTime: string;
  readonly heardMs: number;
  /** A renewal has been seen, not only what is left of earlier ones. */
  readonly isRenewed: boolean;
}

export interface SeenServer extends ServerAddress {
  /** Since a renewal was last seen, or the Lease at all. */
  readonly silentMs: number;
  readonly durationMs: number;
  readonly isRenewed: boolean;
}

/** Those that are named stay until their Lease is over; others are named when they have just renewed theirs. Pure. */
export const planPresentServers = (
  seen: readonly SeenServer[],
  named: ReadonlySet<string>,
): readonly ServerAddress[] =>
  seen
    .filter(
      ({ address, silentMs, durationMs, isRenewed }) =>
        silentMs <= durationMs && (named.has(address) || (isRenewed && silentMs <= durationMs / 2)),
    )
    .map(({ address, port }) => ({ address, port }));

/**
 * One slice has one port and one family: servers that differ in these from most others are left out of it. Pure. The order of the
 * servers does not matter.
 */
export function planKubernetesEndpoints(servers: readonly ServerAddress[]): {
  readonly endpoints: Draft<Endpoints> & { subsets: NonNullable<Endpoints['subsets']> };
  readonly slice: Draft<EndpointSlice> & {
    endpoints: NonNullable<EndpointSlice['endpoints']>;
    ports: NonNullable<EndpointSlice['ports']>;
  };
} {
  const groups = new Map<string, ServerAddress[]>();
  for (const server of servers) {
    const key = `${server.address.includes(':') ? 'IPv6' : 'IPv4'} ${String(server.port).padStart(5)}`;
    groups.set(key, [...(groups.get(key) ?? []), server]);
  }
  const [most] = [...groups].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1));
  const addresses = [...new Set(most?.[1].map(({ address }) => address))].sort();
  const ports =
    most === undefined ? [] : [{ name: 'https', port: most[1][0]!.port, protocol: 'TCP' as const }];
  return {
    endpoints: {
      metadata: { name, namespace, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
      subsets: addresses.length === 0 ? [] : [{ addresses: addresses.map((ip) => ({ ip })), ports }],
    },
    slice: {
      metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: most?.[0].startsWith('IPv6') ? 'IPv6' : 'IPv4',
      endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
      ports,
    },
  };
}
