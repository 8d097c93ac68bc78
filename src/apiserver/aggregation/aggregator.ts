// The aggregation layer: what other API servers answer for, whether they are there, and what they serve. Everything that requests need is
// in memory; whoever keeps it up to date is `run`. Every server does so for itself: what it may write is the same as what another would.
import type { Duplex } from 'node:stream';
import { APIService } from '../../api/index.ts';
import type { Clock, Log, MetricRegistry, Random } from '../../base/index.ts';
import { type Client, WorkQueue } from '../../client/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { isConflict, isNotFound } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import {
  customSpec,
  ensureCustomApiService,
  ensureLocalApiService,
  hasService,
  isAstray,
} from '../api-services.ts';
import type { RemoteSource } from '../openapi/openapi.ts';
import type { KindTable } from '../registry/kind-table.ts';
import { objectOf } from '../registry/objects.ts';
import { AggregationMetrics } from './aggregation-metrics.ts';
import { type Availability, failedDiscovery, passed, planAvailability, planStatus } from './availability.ts';
import { BackingServices } from './backing-services.ts';
import { aggregatorUser, type FrontProxy } from './identity.ts';
import { type AskedBy, endpointOf, RemoteProxy } from './proxy.ts';
import { type RemoteApi, RemoteApis, remoteOf, shownVersion } from './remote-apis.ts';
import { RemoteClients } from './remote-clients.ts';
import { type DiscoveredResource, fetchResources, type RemoteVersion } from './remote-resources.ts';
import { fetchSpec, placeOf, type RemoteSpec } from './remote-specs.ts';

export interface AggregatorOptions {
  readonly store: Store;
  readonly kinds: KindTable;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  /** What this server shows to others; undefined = nothing, so they take its requests for nobody's. */
  readonly frontProxy: FrontProxy | undefined;
}

/** As often as kube-aggregator looks whether a server is still there. */
const recheckMs = 30_000;
const retryMaxMs = 30_000;
/** What a server serves is asked for this often, and whenever it has become available. */
const relearnMs = 60_000;
const workers = 4;
/** Of so many questions at once one must be answered well: another endpoint may be better. */
const attempts = 5;
const checkTimeoutMs = 5000;

interface Learnt {
  readonly atMs: number;
  readonly resources: readonly DiscoveredResource[];
  readonly spec: RemoteSpec | undefined;
  /** The last attempt to learn more has failed. */
  readonly stale: boolean;
}

export class Aggregator {
  readonly remotes: RemoteApis;
  readonly clients: RemoteClients;
  readonly #options: AggregatorOptions;
  readonly #proxy: RemoteProxy;
  readonly #backing: BackingServices;
  readonly #queue: WorkQueue;
  readonly #metrics: AggregationMetrics;
  /** By the name of the APIService. */
  readonly #learnt = new Map<string, Learnt>();

  constructor(options: AggregatorOptions) {
    const { store, clock } = options;
    this.#options = options;
    this.remotes = new RemoteApis(store);
    this.#metrics = new AggregationMetrics(options.metrics, this.remotes);
    this.clients = new RemoteClients(options);
    this.#queue = new WorkQueue({ clock, retryMaxMs });
    // Whoever meets with a failure first has it looked into, instead of everybody until the next check.
    this.#proxy = new RemoteProxy({ ...options, onUnreachable: (remote) => this.#lookAt(remote) });
    this.#backing = new BackingServices(store, (name) => this.#queue.add(name));
    this.remotes.onChange((name) => {
      this.#backing.follow(this.remotes.all);
      this.#queue.add(name);
    });
  }

  /** Reads which servers there are: before the first request. */
  start(): void {
    this.remotes.start();
  }

  /** Hands a request on. Resolves when its answer has ended. */
  serve(by: AskedBy, request: HttpRequest, response: HttpResponse): Promise<void> {
    return this.#proxy.serve(by, request, response);
  }

  /** Hands a connection on that goes on in another protocol. */
  upgrade(by: AskedBy, request: HttpRequest, connection: { socket: Duplex; head: Buffer }): Promise<void> {
    return this.#proxy.upgrade(by, request, connection);
  }

  /** What discovery tells of other servers; those that do not answer are stale. */
  versions(): readonly RemoteVersion[] {
    return this.remotes.all.map(({ name, group, version, available }) => {
      const learnt = this.#learnt.get(name);
      const isCurrent = learnt !== undefined && !learnt.stale && available;
      return {
        group,
        version,
        freshness: isCurrent ? 'Current' : 'Stale',
        resources: learnt?.resources ?? [],
      };
    });
  }

  /** What OpenAPI tells of them. */
  readonly specs: RemoteSource = {
    all: () =>
      this.remotes.all.flatMap(({ name }) => {
        const spec = this.#learnt.get(name)?.spec;
        return spec === undefined ? [] : [spec];
      }),
  };

  /** The server whose own OpenAPI v3 document lies at the path below /openapi/. */
  findSpec(below: string): RemoteApi | undefined {
    if (this.remotes.all.length === 0 || !below.startsWith('v3/apis/')) return undefined;
    return this.remotes.all.find(
      (remote) => below === `v3/${placeOf(remote)}` && this.#learnt.get(remote.name)?.spec?.v3 !== undefined,
    );
  }

  /** Looks after every APIService until the signal aborts. Never rejects. */
  async run(client: Client, signal: AbortSignal): Promise<void> {
    for (const name of this.remotes.names) this.#queue.add(name);
    const stop = () => {
      this.#queue.shutDown();
      // Nobody who takes his time holds up the end.
      this.clients.close();
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await Promise.all(Array.from({ length: workers }, () => this.#work(client, signal)));
    this.#backing.follow([]);
    this.clients.close();
  }

  async #work(client: Client, signal: AbortSignal): Promise<void> {
    for (;;) {
      const name = await this.#queue.next();
      if (name === undefined || signal.aborted) return;
      try {
        const again = await this.#reconcile(client, name, signal);
        if (again) this.#queue.addRateLimited(name);
        else this.#queue.forget(name);
      } catch (error) {
        if (signal.aborted) return;
        if (!isConflict(error)) this.#options.log.warn('cannot look after an API service', { name, error });
        this.#queue.addRateLimited(name);
      } finally {
        this.#queue.done(name);
      }
    }
  }

  /** Returns whether to look again soon. */
  async #reconcile(client: Client, name: string, signal: AbortSignal): Promise<boolean> {
    const { store, clock } = this.#options;
    const entry = store.get(APIService.storagePrefix + name);
    if (entry === undefined) {
      this.#learnt.delete(name);
      await this.#bringBack(client, name);
      return false;
    }
    const object = objectOf<APIService>(entry);
    if (isAstray(object)) {
      await client(APIService).update({ ...object, spec: customSpec(object.spec) });
      return false;
    }
    const remote = remoteOf(object);
    if (remote === undefined) this.#learnt.delete(name);
    const availability =
      planAvailability(object.spec, this.#backing.behind(object.spec)) ??
      (remote === undefined ? passed : await this.#ask(remote, signal));
    signal.throwIfAborted();
    const status = planStatus(object, availability, clock.nowMs());
    if (status !== undefined) {
      try {
        await client(APIService).updateStatus({ ...object, status });
        const before = object.status?.conditions?.find(({ type }) => type === 'Available');
        this.#metrics.turned(name, before?.status, availability);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    if (remote === undefined) return false;
    await this.#learn({ ...remote, available: availability.status === 'True' });
    if (availability.reason === 'FailedDiscoveryCheck') return true;
    this.#queue.addAfter(name, recheckMs);
    return false;
  }

  /** All that the same server answers for. */
  #lookAt({ service }: RemoteApi): void {
    for (const other of this.remotes.all)
      if (other.service.namespace === service.namespace && other.service.name === service.name)
        this.#queue.add(other.name);
  }

  /** Whether it answers for what it is asked about first by everybody. */
  async #ask(remote: RemoteApi, signal: AbortSignal): Promise<Availability> {
    const first = await this.#askOnce(remote, signal);
    if (first === undefined) return passed;
    const others = await Promise.all(
      Array.from({ length: attempts - 1 }, () => this.#askOnce(remote, signal)),
    );
    return others.includes(undefined) ? passed : failedDiscovery(first);
  }

  /** undefined = well; else what is wrong. */
  async #askOnce(remote: RemoteApi, signal: AbortSignal): Promise<string | undefined> {
    const { store, random } = this.#options;
    const path = `/apis/${shownVersion(remote)}`;
    let shown = path;
    try {
      const endpoint = endpointOf(remote, store, random);
      shown = `${endpoint.server}${path}`;
      const { status } = await this.clients.request(
        { remote, user: aggregatorUser, trustsAnybody: true, endpoint },
        { method: 'GET', path, timeoutMs: checkTimeoutMs, signal },
      );
      if (status >= 200 && status < 300) return undefined;
      return `failing or missing response from ${shown}: bad status from ${shown}: ${status}`;
    } catch (error) {
      return `failing or missing response from ${shown}: ${(error as Error).message}`;
    }
  }

  /** What is known stays, marked as stale, when nothing new can be learnt. */
  async #learn(remote: RemoteApi): Promise<void> {
    const { clock, log } = this.#options;
    const { name } = remote;
    const before = this.#learnt.get(name);
    const nowMs = clock.monotonicMs();
    if (!remote.available) {
      if (before !== undefined) this.#learnt.set(name, { ...before, stale: true });
      return;
    }
    if (before !== undefined && !before.stale && nowMs - before.atMs < relearnMs) return;
    try {
      const resources = await fetchResources(this.clients, remote);
      const spec = await fetchSpec(this.clients, remote, before?.spec).catch((error: unknown) => {
        log.warn('cannot read the OpenAPI documents of an API service', { name, error });
        return before?.spec;
      });
      if (this.remotes.find(remote.group, remote.version)?.name === name)
        this.#learnt.set(name, { atMs: nowMs, resources, spec, stale: false });
    } catch (error) {
      log.warn('cannot learn what an API service serves', { name, error });
      this.#learnt.set(name, {
        atMs: nowMs,
        resources: before?.resources ?? [],
        spec: before?.spec,
        stale: true,
      });
    }
  }

  /** What this server serves itself is listed again when somebody took its APIService away, or had put another in its place. */
  async #bringBack(client: Client, name: string): Promise<void> {
    const kind = this.#options.kinds.all.find(({ group, version }) => `${version}.${group}` === name);
    if (kind === undefined || !hasService(kind.group)) return;
    if (kind.custom === null) await ensureLocalApiService(client, kind);
    else await ensureCustomApiService(client, kind);
  }
}
