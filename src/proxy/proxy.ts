// The service proxy of one node: follows services and endpoint slices and keeps the kernel's tables as they ask. The choice: what
// changed is gathered for a few milliseconds and brought to the kernel as one transaction of what differs; after an error, and at the
// start, everything is made anew in one transaction, which breaks no connection.
import { EndpointSlice, Node, Service, ServiceCIDR } from '../api/index.ts';
import { type Clock, type Log, MetricRegistry, Scope, sleep, unless, withResolvers } from '../base/index.ts';
import type { Informers } from '../client/index.ts';
import { keyOf } from '../machinery/index.ts';
import { applyRuleset, type Exec, readTables, readTimedSets } from '../os/index.ts';
import { Conntrack, planStaleAtStart, planStaleFlows } from './conntrack.ts';
import type { Family } from './contribution.ts';
import { type Protocol, protocols, tableName } from './frame.ts';
import type { ProxyHealth } from './health-checks.ts';
import { chooseNodePortAddresses } from './node-port-addresses.ts';
import { createProxyMetrics, type ProxyMetrics } from './proxy-metrics.ts';
import { ProxyServers } from './proxy-servers.ts';
import { type LocalAddress, type RememberedSets, Rules } from './rules.ts';
import { familyOfAddress } from './service-ports.ts';

export interface ServiceProxyOptions {
  /** Of services and their ranges, endpoint slices and nodes; shared with others of the node. They must outlive the proxy. */
  readonly informers: Informers;
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  /** Addresses of pods in the whole cluster. */
  readonly podCidrs: readonly string[];
  /** Ranges of the node's addresses at which node ports answer; undefined or `primary` = `nodeIps`. */
  readonly nodePortAddresses?: readonly string[] | undefined;
  /** What the node itself answers at: no rule is made for it. */
  readonly localAddresses?: readonly LocalAddress[] | undefined;
  /** Every address that the node has now. */
  readonly presentAddresses: () => readonly string[];
  readonly kernel: ProxyKernel;
  /** Of /healthz and /livez, on each address; undefined = not served. Usually 10256. */
  readonly healthPort?: number | undefined;
  /** Of /metrics and /proxyMode, on loopback; undefined = not served. Usually 10249. */
  readonly metricsPort?: number | undefined;
  readonly metrics?: MetricRegistry | undefined;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is asked of the kernel besides rules. */
export interface ProxyKernel {
  /** The protocols for which it takes rules. */
  probeProtocols(family: Family): Promise<readonly Protocol[]>;
  /** Whether rules see packets between two pods of this node. */
  ensureBridgeSeen(families: readonly Family[]): Promise<boolean>;
  /** Sets how long connections are remembered. Asked after the protocols, whose rules bring the settings into being. */
  prepareConntrack(): { readonly dropInvalid: boolean };
}

export interface ServiceProxy {
  /** Resolves when the kernel knows every service there was at the start. */
  readonly ready: Promise<void>;
  /** Stops following. The rules stay in the kernel. */
  stop(): Promise<void>;
}

/** How long changes are gathered. */
const batchMs = 10;
const retryMs = 1_000;
/** How often it is looked whether somebody removed the table, and where the node's addresses are looked at. */
const checkMs = 30_000;
/** A change that waits longer than this for the kernel makes the proxy unhealthy. */
const unhealthyMs = 60_000;

const serviceLabel = 'kubernetes.io/service-name';
const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';
const autoscalerTaint = 'ToBeDeletedByClusterAutoscaler';

const serviceOf = ({ metadata }: EndpointSlice): string | undefined => {
  const name = metadata.labels?.[serviceLabel];
  return name === undefined || name === '' ? undefined : `${metadata.namespace ?? ''}/${name}`;
};

const byService = (slice: EndpointSlice): readonly string[] => {
  const key = serviceOf(slice);
  return key === undefined ? [] : [key];
};

export function startServiceProxy(options: ServiceProxyOptions): ServiceProxy {
  const scope = new Scope(options.log);
  const proxy = new RunningProxy(options, scope);
  scope.run('service proxy', (signal) => proxy.run(signal));
  return { ready: proxy.ready, stop: () => scope.stop() };
}

class RunningProxy {
  readonly #settleReady = withResolvers();
  readonly ready = this.#settleReady.promise;
  readonly #options: ServiceProxyOptions;
  readonly #scope: Scope;
  readonly #families: readonly Family[];
  readonly #metrics: ProxyMetrics;
  readonly #conntrack: Conntrack;
  readonly #servers: ProxyServers;
  readonly #dirty = new Set<string>();
  /** When the changes were made that are not in the kernel yet, where their objects say so. */
  #triggersMs: number[] = [];
  #queuedMs: number | undefined;
  #hasSynced = false;
  #updatedMs: number;
  #checkedMs: number;
  #zone = '';
  #leaving = false;
  #bridgeSeen = true;
  /** The next transaction makes everything anew. */
  #whole = true;
  #wake: (() => void) | undefined;

  constructor(options: ServiceProxyOptions, scope: Scope) {
    this.#options = options;
    this.#scope = scope;
    this.#families = [...new Set(options.nodeIps.map(familyOfAddress))];
    this.#updatedMs = options.clock.nowMs();
    this.#checkedMs = options.clock.monotonicMs();
    const registry = options.metrics ?? new MetricRegistry();
    this.#metrics = createProxyMetrics(registry);
    this.#conntrack = new Conntrack(options.exec, options.log);
    this.#servers = new ProxyServers({ ...options, registry, health: () => this.#health() });
    scope.onStop(() => this.#servers.close());
    this.ready.catch(() => {});
    scope.signal.addEventListener('abort', () => this.#settleReady.reject(scope.signal.reason), {
      once: true,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { informers, kernel, clock } = this.#options;
    const services = informers(Service);
    const slices = informers(EndpointSlice);
    const nodes = informers(Node);
    const ranges = informers(ServiceCIDR);
    slices.addIndex('service', byService);
    const synced = Promise.all([services.synced, slices.synced, nodes.synced, ranges.synced]);
    const probed = await Promise.all(this.#families.map((family) => kernel.probeProtocols(family)));
    try {
      await unless(signal, synced);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    this.#bridgeSeen = await kernel.ensureBridgeSeen(this.#families);
    const rules = this.#makeRules(protocols.filter((one) => probed.every((list) => list.includes(one))));
    this.#follow(rules);
    let starting = true;
    while (!signal.aborted) {
      const done = await this.#bring(rules, starting);
      if (!done) {
        await sleep(clock, retryMs, signal).catch(() => {});
        continue;
      }
      if (starting) this.#settleReady.resolve();
      starting = false;
      if (clock.monotonicMs() - this.#checkedMs >= checkMs) {
        await this.#check(rules);
        continue;
      }
      if (this.#dirty.size === 0 && !this.#whole) await this.#change(signal);
      await sleep(clock, batchMs, signal).catch(() => {});
    }
  }

  #makeRules(supported: readonly Protocol[]): Rules {
    const { nodeName, nodeIps, podCidrs, localAddresses, nodePortAddresses, presentAddresses } =
      this.#options;
    return new Rules({
      node: {
        place: { nodeName, zone: this.#zone },
        nodeIps,
        podCidrs,
        families: this.#families,
        protocols: supported,
        dropInvalid: this.#options.kernel.prepareConntrack().dropInvalid,
      },
      localAddresses: localAddresses ?? [],
      nodePortAddresses: chooseNodePortAddresses(nodePortAddresses, nodeIps, presentAddresses()),
    });
  }

  #follow(rules: Rules): void {
    const { informers, nodeName, clock } = this.#options;
    const { serviceChanges, endpointChanges } = this.#metrics;
    const service = (object: Service): void => {
      serviceChanges.increment();
      this.#mark(keyOf(object));
    };
    const slice = (object: EndpointSlice, old?: EndpointSlice): void => {
      endpointChanges.increment();
      const trigger = object.metadata.annotations?.[triggerAnnotation];
      if (trigger !== undefined && !this.#whole && trigger !== old?.metadata.annotations?.[triggerAnnotation])
        this.#triggersMs.push(Date.parse(trigger) || clock.nowMs());
      this.#mark(serviceOf(object));
      if (old !== undefined) this.#mark(serviceOf(old));
    };
    const node = (object: Node): void => {
      if (object.metadata.name !== nodeName) return;
      this.#leaving =
        object.metadata.deletionTimestamp !== undefined ||
        (object.spec?.taints ?? []).some(({ key }) => key === autoscalerTaint);
      if (!this.#bridgeSeen) this.#mask(rules, object.spec?.podCIDRs ?? []);
      const zone = object.metadata.labels?.['topology.kubernetes.io/zone'] ?? '';
      if (zone === this.#zone) return;
      this.#zone = zone;
      rules.setPlace({ nodeName, zone });
      for (const each of informers(Service).list()) this.#mark(keyOf(each));
    };
    const range = (): void => this.#setRanges(rules);
    this.#scope.onStop(informers(Node).onChange({ added: node, updated: (_, object) => node(object) }));
    this.#scope.onStop(informers(ServiceCIDR).onChange({ added: range, updated: range, deleted: range }));
    this.#scope.onStop(
      informers(Service).onChange({
        added: service,
        updated: (_, object) => service(object),
        deleted: service,
      }),
    );
    this.#scope.onStop(
      informers(EndpointSlice).onChange({
        added: (object) => slice(object),
        updated: (old, object) => slice(object, old),
        deleted: (object) => slice(object),
      }),
    );
  }

  #ranges = '';

  #setRanges(rules: Rules): void {
    const cidrs = this.#options
      .informers(ServiceCIDR)
      .list()
      .flatMap(({ spec }) => spec?.cidrs ?? []);
    const text = cidrs.sort().join();
    if (text === this.#ranges) return;
    this.#ranges = text;
    rules.setServiceCidrs(cidrs);
    this.#whole = true;
    this.#wake?.();
  }

  #masked = '';

  #mask(rules: Rules, podCidrs: readonly string[]): void {
    if (podCidrs.join() === this.#masked) return;
    this.#masked = podCidrs.join();
    this.#options.log.warn(
      'this kernel does not show packets between pods of one node to its rules: through services they carry the address of the node',
    );
    rules.setMaskedPodCidrs(podCidrs);
    this.#whole = true;
    this.#wake?.();
  }

  #mark(key: string | undefined): void {
    if (key === undefined) return;
    this.#queuedMs ??= this.#options.clock.nowMs();
    this.#metrics.lastQueued.set(this.#options.clock.nowMs() / 1000);
    this.#dirty.add(key);
    this.#wake?.();
  }

  /** What changed into the rules, and from there to the kernel. False when it has to be tried again. */
  async #bring(rules: Rules, starting: boolean): Promise<boolean> {
    const { exec, clock, log } = this.#options;
    const { syncSeconds, programmingSeconds, lastSync, failures } = this.#metrics;
    const startedMs = clock.monotonicMs();
    const triggers = this.#triggersMs;
    this.#triggersMs = [];
    const whole = this.#whole;
    try {
      this.#plan(rules);
      this.#queuedMs = undefined;
      this.#whole = false;
      const text = whole ? rules.takeReplacement(await this.#remembered(rules)) : rules.takeChanges();
      if (text !== '') await applyRuleset(exec, text);
      await this.#removeFlows(rules, starting);
    } catch (error) {
      this.#whole = true;
      this.#queuedMs ??= clock.nowMs();
      failures.increment();
      if (!this.#scope.stopped)
        log.warn('cannot bring services to the kernel, all rules will be made anew', { error });
      return false;
    }
    this.#updatedMs = clock.nowMs();
    this.#hasSynced = true;
    this.#servers.setServices(rules.healthChecks());
    lastSync.set(this.#updatedMs / 1000);
    syncSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
    for (const atMs of triggers) programmingSeconds.observe(Math.max(0, this.#updatedMs - atMs) / 1000);
    return true;
  }

  #plan(rules: Rules): void {
    const services = this.#options.informers(Service);
    const slices = this.#options.informers(EndpointSlice);
    // At the start by age, so that of two services with one address the same one has it after each restart.
    const keys = this.#whole ? byAge([...this.#dirty], services) : [...this.#dirty];
    this.#dirty.clear();
    const again = new Set<string>();
    for (const key of keys) {
      const service = services.get(key);
      const mine = service === undefined ? [] : slices.byIndex('service', key);
      for (const other of rules.put(key, service, mine)) again.add(other);
    }
    for (const key of again) rules.put(key, services.get(key), slices.byIndex('service', key));
  }

  /** What sets of clients hold in the kernel, for the tables in which there are such sets. */
  async #remembered(rules: Rules): Promise<ReadonlyMap<Family, RememberedSets>> {
    const found = new Map<Family, RememberedSets>();
    for (const family of rules.remembering)
      found.set(family, await readTimedSets(this.#options.exec, family, tableName));
    return found;
  }

  async #removeFlows(rules: Rules, starting: boolean): Promise<void> {
    const changes = rules.takeDatagramChanges();
    if (!starting) {
      await this.#conntrack.remove(planStaleFlows(changes));
      return;
    }
    // Nobody knows what was before: the flows there are tell.
    const frontends = rules.datagrams();
    const own = new Set(this.#options.presentAddresses());
    for (const family of new Set(frontends.map((frontend) => frontend.family))) {
      const flows = await this.#conntrack.readFlows(family);
      const ofFamily = frontends.filter((frontend) => frontend.family === family);
      await this.#conntrack.remove(planStaleAtStart(flows, ofFamily, own));
    }
  }

  /** Until something changes, or it is time to check. */
  #change(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const end = (): void => {
        this.#wake = undefined;
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = clock.after(this.#checkedMs + checkMs - clock.monotonicMs(), end);
      this.#wake = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  async #check(rules: Rules): Promise<void> {
    const { exec, log, nodeIps, nodePortAddresses, presentAddresses } = this.#options;
    this.#checkedMs = this.#options.clock.monotonicMs();
    rules.setNodePortAddresses(chooseNodePortAddresses(nodePortAddresses, nodeIps, presentAddresses()));
    const present = await readTables(exec).catch(() => undefined);
    if (present === undefined || this.#families.every((family) => present.has(`${family} ${tableName}`)))
      return;
    log.warn('somebody removed the rules of services, making them anew');
    this.#whole = true;
  }

  #health(): ProxyHealth {
    const nowMs = this.#options.clock.nowMs();
    const waits = this.#queuedMs !== undefined;
    return {
      lastUpdated: new Date(waits ? this.#updatedMs : nowMs).toISOString(),
      currentTime: new Date(nowMs).toISOString(),
      healthy: this.#hasSynced && (!waits || nowMs - this.#queuedMs! < unhealthyMs),
      nodeEligible: !this.#leaving,
    };
  }
}

function byAge(keys: string[], services: { get(key: string): Service | undefined }): string[] {
  const age = (key: string): string => services.get(key)?.metadata.creationTimestamp ?? '';
  return keys.sort((a, b) => (age(a) === age(b) ? (a < b ? -1 : 1) : age(a) < age(b) ? -1 : 1));
}
